"""Runs stages here, where no daemon takes them: ``python -m telefine_assets.control.child PATH``.

The file at ``PATH`` (see :class:`Errand`) is locked for as long as the process
lives, however it ends: so others see whether its runs go on, and whom to tell.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

from filelock import FileLock, Timeout

from telefine_assets.control.failing import failure_in
from telefine_assets.control.reading import HERE, HOST, job_of

DONE, FAILED, GAVE_UP = 0, 1, 3
"""How a child ends: with all days made; with one that failed or was stopped; or with days that it did not try, because
one failed by what they would meet, too."""


@dataclass(frozen=True)
class Errand:
    """What a child is to do. Beside it lie its lock, which says who has it, and what the process printed.

    Attributes:
        program: whose line.
        stages: what is materialised.
        days: a run for each, in this order.
        run_ids: their ids.
        tags: of every run.
        dagster_home: where Dagster's instance is.
    """

    program: str
    stages: tuple[str, ...]
    days: tuple[str, ...]
    run_ids: tuple[str, ...]
    tags: dict[str, str]
    dagster_home: str

    def write(self, path: Path) -> None:
        """Write it, for the child to read."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Errand:
        """Read it."""
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        lists: dict[str, Any] = {name: tuple(values[name]) for name in ("stages", "days", "run_ids")}
        return cls(**{**values, **lists})


def holder(path: Path) -> int | None:
    """Process id of the child that works at the errand; None when none does."""
    lock = _lock(path)
    try:
        with lock.acquire(blocking=False):
            return None
    except Timeout:
        text = Path(lock.lock_file).read_text(encoding="utf-8")
        return int(text) if text.isdecimal() else None


def _lock(path: Path) -> FileLock:
    return FileLock(path.with_suffix(".lock"), fallback_to_soft=False, on_acquired=_sign)


def _sign(file: int) -> None:
    os.write(file, str(os.getpid()).encode())


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def main(path: Path) -> int:
    """Do the errand: one run after the other; returns how it ended (see ``DONE``).

    A failed run keeps the next one from being tried only if that would fail by the same (see ``failing.LASTING``).
    """
    signal.signal(signal.SIGTERM, _interrupt)
    with _lock(path):
        needless = [path, path.with_suffix(".lock")]
        try:
            ended = _ended(path)
            # What was printed may be wanted when something went wrong.
            needless += [path.with_suffix(".log")] if ended == DONE else []
            return ended
        finally:
            for each in needless:
                each.unlink(missing_ok=True)


def _ended(path: Path) -> int:
    import dagster as dg

    from telefine_assets.definitions import build_defs
    from telefine_assets.settings.loading import load_settings

    errand = Errand.read(path)
    job = build_defs(load_settings()).resolve_job_def(job_of(errand.program, errand.stages))
    outcome = DONE
    with dg.DagsterInstance.from_config(errand.dagster_home) as instance:
        for day, run_id in zip(errand.days, errand.run_ids, strict=True):
            result = job.execute_in_process(
                partition_key=day,
                run_id=run_id,
                asset_selection=[dg.AssetKey([errand.program, stage]) for stage in errand.stages],
                instance=instance,
                tags={**errand.tags, HERE: path.stem, HOST: socket.gethostname()},
                raise_on_error=False,
            )
            ended = instance.get_run_by_id(run_id)
            if ended is None or ended.status is dg.DagsterRunStatus.CANCELED:
                return FAILED
            if not result.success:
                outcome = FAILED
                if run_id != errand.run_ids[-1] and failure_in(instance, run_id).lasting:
                    return GAVE_UP
    return outcome


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
