"""Why a program's traces could not be written to MLflow the last time, for whoever looks after it later.

A file of each program in the deployment's home, gone as soon as it went well: the
ledger only grows, and would with every try.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def keep_failure(home: Path, program: str, reason: str | None) -> None:
    """Keep the reason, or with None forget it; a disk that is full keeps none."""
    file = _file(home, program)
    with suppress(OSError):
        if reason is None:
            file.unlink(missing_ok=True)
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(reason, encoding="utf-8")


def kept_failure(home: Path, program: str) -> str | None:
    """The reason that was kept; None without one, and where another machine drains."""
    with suppress(OSError):
        return _file(home, program).read_text(encoding="utf-8") or None
    return None


def _file(home: Path, program: str) -> Path:
    return home / "spool" / f"{program}.failure"
