"""What ``telefine run`` tells of runs that it looks at now and then."""

from dataclasses import replace

from telefine_assets.cli.run_shown import _lines, awaited
from telefine_assets.control.records import RunState, RunStatus

STAGES = ("traces", "cleaned_traces", "compiled_programs", "deltaone_reports")


def run(status, progress=None):
    return RunState("r1", "tickets", STAGES, ("2026-11-22",), status, 1, None, progress, None)


def test_what_began_and_ended_between_two_looks_is_told_as_having_begun(capsys):
    steps = {"traces": "succeeded", "cleaned_traces": "succeeded", "compiled_programs": "started"}
    later = {**steps, "compiled_programs": "failed", "deltaone_reports": "skipped"}
    looks = [(run(RunStatus.STARTED), steps), (run(RunStatus.FAILED, "the model is down"), later)]
    _lines({"r1": each} for each in looks)
    assert [line.removeprefix("2026-11-22  ") for line in capsys.readouterr().out.splitlines()] == [
        "run r1 started",
        "traces: started",
        "traces: succeeded",
        "cleaned_traces: started",
        "cleaned_traces: succeeded",
        "compiled_programs: started",
        "the model is down",
        "compiled_programs: failed",
        "deltaone_reports: skipped",
        "run r1 failed",
    ]


class Failing:
    """A Dagster whose first run fails; what it is asked to give up never begins."""

    def __init__(self):
        self.gave_up = []

    def run(self, run_id):
        if run_id == "r1":
            return run(RunStatus.FAILED)
        ended = RunStatus.CANCELED if self.gave_up else RunStatus.QUEUED
        return replace(run(ended), run_id=run_id, days=("2026-11-23",), started_ms=None)

    def steps(self, run_id):
        return {"traces": "failed"}

    def give_up(self, failed, others, by):
        self.gave_up.append((failed, others, by))


def test_once_one_failed_the_others_are_given_up():
    control = Failing()
    look = awaited(control, ["r1", "r2"], "ada")
    assert control.gave_up == [("r1", ["r1", "r2"], "ada")]
    assert [state.status for state, _ in look.values()] == ["failed", "canceled"]
