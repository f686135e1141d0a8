"""Starting runs in a process of our own, where nothing of Dagster's runs that would do it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from telefine_assets.control.child import GAVE_UP, Errand, holder
from telefine_assets.control.errors import ControlError
from telefine_assets.control.instance import dagster_home
from telefine_assets.control.reading import HERE, HOST, NOT_TRIED
from telefine_assets.control.records import RunState, RunStatus

if TYPE_CHECKING:
    import dagster as dg

    from telefine_assets.settings.schema import Settings

_NAP_SECONDS = 0.1
_LAST_WORDS = 300


@dataclass
class Children:
    """The processes that run stages here: those of this control, and what others' runs say of theirs."""

    settings: Settings
    started: dict[str, tuple[Errand, subprocess.Popen[bytes]]] = field(default_factory=dict)
    """By run id."""

    @property
    def folder(self) -> Path:
        """Where errands, locks and what children print lie."""
        return self.settings.home / "runs"

    def start(self, instance: dg.DagsterInstance, errand: Errand) -> Sequence[str]:
        """Begin an errand; returns its run ids as soon as Dagster knows the first.

        Raises:
            ControlError: the child ended before that; the message has its last words.
        """
        path = self.folder / f"{errand.run_ids[0]}.json"
        errand.write(path)
        log = path.with_suffix(".log")
        with log.open("wb") as output:
            # A group of its own: Ctrl-C in our terminal is ours to answer.
            process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "telefine_assets.control.child", str(path)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        while instance.get_run_by_id(errand.run_ids[0]) is None:
            if process.poll() is not None and instance.get_run_by_id(errand.run_ids[0]) is None:
                words = " ".join(log.read_text(encoding="utf-8", errors="replace").split())[-_LAST_WORDS:]
                raise ControlError(f"the run could not be started: {words or 'see ' + str(log)}; try `telefine doctor`")
            time.sleep(_NAP_SECONDS)
        self.started |= dict.fromkeys(errand.run_ids, (errand, process))
        return errand.run_ids

    def waiting(self, run_id: str) -> RunState | None:
        """A run that Dagster does not know yet: it waits for the days before it, or will never be."""
        if run_id not in self.started:
            return None
        errand, process = self.started[run_id]
        ended = process.poll()
        status = RunStatus.QUEUED if ended is None else RunStatus.CANCELED
        day, why = errand.days[errand.run_ids.index(run_id)], NOT_TRIED if ended == GAVE_UP else None
        return RunState(run_id, errand.program, errand.stages, (day,), status, None, None, None, why)

    def together(self, run_id: str) -> Sequence[str]:
        """Runs of the same errand, in the order of their days, if one that we began; else the run alone."""
        return self.started[run_id][0].run_ids if run_id in self.started else (run_id,)

    def lives(self, run: dg.DagsterRun) -> bool:
        """Whether the process that a run was begun in still works at it; taken for granted of another machine's."""
        return run.tags[HOST] != socket.gethostname() or self._holder(run.tags[HERE]) is not None

    def stop(self, errand_id: str) -> bool:
        """Tell the process of an errand to end; False when there is none any more."""
        process = self._holder(errand_id)
        if process is None:
            return False
        os.kill(process, signal.SIGTERM)
        return True

    def _holder(self, errand_id: str) -> int | None:
        path = self.folder / f"{Path(errand_id).name}.json"
        return holder(path) if path.with_suffix(".lock").exists() else None


def errand_of(
    settings: Settings, program: str, stages: Sequence[str], days: Sequence[str], tags: dict[str, str]
) -> Errand:
    """An errand with new run ids."""
    ids = tuple(str(uuid.uuid4()) for _ in days)
    return Errand(program, tuple(stages), tuple(days), ids, tags, str(dagster_home(settings)))
