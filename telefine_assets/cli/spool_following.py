"""Draining the spool for as long as a server lives: in a process of its own, begun again whenever it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Thread
from typing import TYPE_CHECKING, NoReturn

from telefine_assets.cli.shared import short
from telefine_assets.errors import TelefineError

if TYPE_CHECKING:
    from telefine_assets.ledger.connection import Ledger
    from telefine_assets.settings.schema import Settings

COMMAND = (sys.executable, "-m", "telefine_assets.cli.main", "spool", "drain", "--follow", "--until-eof")
AT_A_TIME = 2_000
"""Traces of one program before it is the next one's turn."""
PAUSE_SECONDS, LONGEST_SECONDS = 1.0, 60.0
_STEADY_SECONDS = 60.0
_LAST_SECONDS = 5.0


@dataclass
class _Patience:
    """How long to wait after failures: ever longer, and not at all once it went well."""

    seconds: float = 0.0
    until: float = 0.0

    def failed(self) -> None:
        self.seconds = min(max(self.seconds * 2, PAUSE_SECONDS), LONGEST_SECONDS)
        self.until = time.monotonic() + self.seconds


def keep_draining(settings: Settings, ledger: Ledger, stop: Event, say: Callable[[str], None]) -> None:
    """Drain until ``stop``, the programs in turn; one that goes wrong is said, and tried again after a while."""
    patience = {name: _Patience() for name in settings.programs}
    pause = 0.0
    while not stop.wait(pause):
        due = [name for name, own in patience.items() if own.until <= time.monotonic()]
        # No short cut: it is everybody's turn.
        wrote = [_drained(settings, ledger, name, patience, stop, say) for name in due]
        pause = 0.0 if any(wrote) else PAUSE_SECONDS


def _drained(
    settings: Settings,
    ledger: Ledger,
    program: str,
    patience: dict[str, _Patience],
    stop: Event,
    say: Callable[[str], None],
) -> bool:
    """Write some of what waits of a program; whether anything was."""
    from sqlalchemy.exc import DBAPIError

    from telefine_assets.cli.spool import drain_waiting
    from telefine_assets.ledger.spool import Spool
    from telefine_assets.ledger.turns import TurnGivenUp

    try:
        if stop.is_set() or not Spool(ledger).lag(program).waiting:
            return False
        drain_waiting(settings, ledger, say, program, AT_A_TIME, stop)
    except TurnGivenUp:
        return False
    except (TelefineError, DBAPIError) as error:
        patience[program].failed()
        say(short(str(error), 500))
        return False
    patience[program] = _Patience()
    return True


def at_end_of_input() -> Event:
    """Set when standard input ends: as soon as nobody holds its other end, however that process went."""
    ended = Event()

    def read() -> None:
        # Not by way of sys.stdin: Python ends with a crash while a thread holds its buffer.
        with suppress(OSError):
            while os.read(0, 1):
                pass
        ended.set()

    Thread(target=read, daemon=True).start()
    return ended


@contextmanager
def followed(say: Callable[[str], None], command: Sequence[str] = COMMAND) -> Iterator[None]:
    """Have a process drain the spool during the block; if it ends before, another one is begun after a while.

    SIGTERM ends the block as any exception does. If this process is killed, the
    other one notices (``at_end_of_input``); what it left half done is done again.
    """
    child, before = _Child(command, say), signal.signal(signal.SIGTERM, _exit)
    child.thread.start()
    try:
        yield
    finally:
        child.end()
        signal.signal(signal.SIGTERM, before)


def _exit(*_: object) -> NoReturn:
    sys.exit(0)


class _Child:
    """A process that is begun again when it ends."""

    def __init__(self, command: Sequence[str], say: Callable[[str], None]) -> None:
        self._command, self._say, self._ending = command, say, Event()
        self.thread = Thread(target=self._keep, daemon=True)

    def end(self) -> None:
        self._ending.set()
        self.thread.join()

    def _keep(self) -> None:
        pause = 0.0
        while not self._ending.wait(pause):
            began = time.monotonic()
            how = self._run()
            if not self._ending.is_set():
                steady = time.monotonic() - began > _STEADY_SECONDS
                pause = PAUSE_SECONDS if steady else min(max(pause * 2, PAUSE_SECONDS), LONGEST_SECONDS)
                self._say(f"what drains the spool ended with {how}; it is begun again in {pause:.0f} s")

    def _run(self) -> str:
        """Run the process until it ends; with what it ended, which may be that it could not even begin."""
        try:
            # In a session of its own, so that Ctrl-C is for the server alone to act upon.
            process = subprocess.Popen(self._command, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603
        except OSError as error:
            return str(error)
        return str(self._awaited(process))

    def _awaited(self, process: subprocess.Popen[bytes]) -> int:
        """Wait until the process ends; told to end, it has some seconds for what it is at."""
        with process:
            while process.poll() is None and not self._ending.wait(PAUSE_SECONDS / 4):
                pass
            assert process.stdin is not None
            process.stdin.close()
            try:
                return process.wait(_LAST_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                return process.wait()
