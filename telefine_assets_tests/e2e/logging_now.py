"""Traces of yesterday and of this moment, each with its right answer, as an application logs them.

Run in a process of its own: ``python -m telefine_assets_tests.e2e.logging_now COUNT``.
"""

import sys
from datetime import UTC, datetime, timedelta

from telefine_assets_tests.e2e.deployment import PROGRAM
from telefine_assets_tests.e2e.production import ADA
from telefine_assets_tests.programs.tickets import build, tickets


def main(count: int) -> None:
    """Serve and assess ``count`` tickets, a third of them yesterday; say ``logged`` when MLflow has them all."""
    import dspy
    import mlflow
    import time_machine
    from mlflow.entities import AssessmentSource

    from telefine_assets.lm.opening import open_lm
    from telefine_assets.settings.loading import load_settings

    settings = load_settings()
    mlflow.set_tracking_uri(settings.mlflow.tracking_uri)
    mlflow.set_experiment(PROGRAM)
    mlflow.dspy.autolog()
    program, source = build(), AssessmentSource("HUMAN", "reviewer")
    with open_lm(settings.lm) as lm, dspy.context(lm=lm.lm, adapter=lm.adapter):
        for number, (text, team) in enumerate(tickets(count)):
            moment = datetime.now(UTC) - timedelta(days=number < count // 3)
            with time_machine.travel(moment), mlflow.tracing.context(tags={"telefine.contributor": ADA}):
                program(ticket=text)
            mlflow.flush_trace_async_logging()
            trace_id = mlflow.get_last_active_trace_id()
            mlflow.log_expectation(trace_id=trace_id, name="team", value=team, source=source)
    print("logged", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
