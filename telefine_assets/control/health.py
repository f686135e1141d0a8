"""Whether what a deployment depends on is in order: one check after the other, each by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from telefine_assets.control.surroundings import cure_of
from telefine_assets.errors import TelefineError
from telefine_assets.observing.masking import Masker

if TYPE_CHECKING:
    from telefine_assets.settings.schema import Settings


class Health(StrEnum):
    """What came of a check."""

    OK = "ok"
    BROKEN = "broken"
    WARNING = "warning"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
    """What came of a check.

    Attributes:
        name: what was checked.
        health: whether it is in order.
        said: what was found, in one line.
        cure: what would mend it; empty unless it is broken, or may go wrong.
    """

    name: str
    health: Health
    said: str
    cure: str = ""


class Broken(TelefineError):
    """A check found something that is not in order."""

    health = Health.BROKEN

    def __init__(self, said: str, cure: str) -> None:
        """Say what is wrong, and what would cure it."""
        super().__init__(said)
        self.cure = cure


class Doubtful(Broken):
    """A check found something that works, and should not stay so."""

    health = Health.WARNING


class Skipped(TelefineError):
    """A check does not apply to this deployment; the message says why."""


@dataclass(frozen=True)
class Check:
    """One thing to look at.

    Attributes:
        name: what is checked.
        look: returns what was found; raises ``Broken``, ``Doubtful``, ``Skipped``, or whatever the thing itself raises.
        cure: what helps when it raises anything else but for want of a disk or database, or takes too long.
        seconds: how long it may take.
    """

    name: str
    look: Callable[[Settings], str]
    cure: str
    seconds: float = 30.0


def examine(settings: Settings, checks: Sequence[Check]) -> Iterator[Finding]:
    """What each check finds, in their order. One that fails or hangs keeps no other from being made."""
    mask = Masker.of(settings)
    for check in checks:
        found = _examined(settings, check)
        # What a library says of an address may have its password.
        yield replace(found, said=mask(found.said), cure=mask(found.cure))


def _examined(settings: Settings, check: Check) -> Finding:
    found: list[Finding] = []
    # What hangs is left behind: it must not keep the process from ending.
    thread = threading.Thread(target=lambda: found.append(_finding(settings, check)), daemon=True)
    thread.start()
    thread.join(check.seconds)
    late = Finding(check.name, Health.BROKEN, f"no answer within {check.seconds:g} seconds", check.cure)
    return found[0] if found else late


def _finding(settings: Settings, check: Check) -> Finding:
    try:
        return Finding(check.name, Health.OK, check.look(settings))
    except Skipped as skipped:
        return Finding(check.name, Health.SKIPPED, str(skipped))
    except Broken as broken:
        return Finding(check.name, broken.health, str(broken), broken.cure)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is wrong
        named = "" if isinstance(error, TelefineError) else f"{type(error).__name__}: "
        # A disk that is full or read-only breaks many things, and none of their settings is to blame.
        cure = cure_of(error) or check.cure
        return Finding(check.name, Health.BROKEN, " ".join(f"{named}{error}".split()), cure)
