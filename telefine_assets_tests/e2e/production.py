"""Two days of production for the end-to-end test, logged by MLflow's DSPy autologging.

Run in a process of its own: ``python -m telefine_assets_tests.e2e.production``.
"""

from datetime import UTC, datetime, timedelta

from telefine_assets_tests.e2e.deployment import DAYS, PROGRAM
from telefine_assets_tests.programs.tickets import build, tickets

PER_DAY = 120
ADA = "0x52908400098527886E0F7030069857D2E4169EE7"
BEN = "0x8617E340B3D01FA5F11F306F4090FD50E238070D"
MISTYPED = "0x52908400098527886E0F7030069857D2E4169EE8".replace("9EE8", "9eE8")
WALLETS = (ADA, ADA, BEN, MISTYPED)


def main() -> None:
    """Serve and assess both days."""
    import dspy
    import mlflow
    import time_machine
    from mlflow.entities import AssessmentSource

    from telefine_assets.lm.opening import open_lm
    from telefine_assets.settings.loading import load_settings

    settings = load_settings()
    mlflow.set_tracking_uri(settings.mlflow.tracking_uri)
    mlflow.MlflowClient().create_experiment(PROGRAM, artifact_location=str(settings.home / "artifacts"))
    mlflow.set_experiment(PROGRAM)
    mlflow.dspy.autolog()
    program = build()
    with open_lm(settings.lm) as lm, dspy.context(lm=lm.lm, adapter=lm.adapter):
        for number, day in enumerate(DAYS):
            noon = datetime.fromisoformat(day).replace(hour=12, tzinfo=UTC)
            said = []
            for at, (text, team) in enumerate(tickets(PER_DAY, start=number * PER_DAY)):
                tags = {"telefine.contributor": WALLETS[at % len(WALLETS)]}
                moment = noon + timedelta(seconds=at)
                with time_machine.travel(moment, tick=True), mlflow.tracing.context(tags=tags):
                    answer = program(ticket=text)
                said.append((mlflow.get_last_active_trace_id(), team, answer.team == team))
            mlflow.flush_trace_async_logging()
            source = AssessmentSource("HUMAN", "reviewer")
            with time_machine.travel(noon + timedelta(hours=6), tick=True):
                for trace_id, team, right in said:
                    mlflow.log_expectation(trace_id=trace_id, name="team", value=team, source=source)
                    mlflow.log_feedback(trace_id=trace_id, name="helpful", value=right, source=source)


if __name__ == "__main__":
    main()
