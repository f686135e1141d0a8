"""Promotion and rollback by hand: with a reason, in the audit log, and only of a version that can serve.

An attestation promotes by itself (``programs.champions.promote_day``). A person
may put any stored version in its place, and take that back. Such a decision
holds from the end of the day before it on: what served during earlier days, and
what their reruns compare against, stays as it was. Nothing is paid for it; see
``ledger.champions`` for what it does to later payouts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from telefine_assets.errors import TelefineError
from telefine_assets.ledger.records import BY_HAND, ROLLBACK, Champion, Choice
from telefine_assets.programs.spec import ProgramError, ProgramSpec
from telefine_assets.programs.versions import Version, first_version


class PromotionError(TelefineError):
    """A version was not promoted; what served goes on serving."""


class Choices(Protocol):
    """The part of ``ledger.champions.Champions`` that a choice by hand uses."""

    def history(self, program: str) -> list[Champion]:
        """Every promotion and rollback, oldest first."""
        ...

    def choose(self, choice: Choice, at: datetime) -> Champion:
        """Record what a person chose."""
        ...


class ModelRegistry(Protocol):
    """Where versions are registered for serving (``programs.registry.Registry``)."""

    def ensure(self, version: Version) -> None:
        """Register a version that is not registered yet."""
        ...

    def point(self, digest: str) -> None:
        """Move the alias ``champion`` to a registered version."""
        ...


@dataclass(frozen=True)
class Desk:
    """What a choice by hand is made with."""

    spec: ProgramSpec
    choices: Choices
    get: Callable[[str], bytes]
    """Evidence by its digest, verified."""
    put: Callable[[bytes], str]
    registry: ModelRegistry
    lm: Mapping[str, str]
    """Identity of the language model, for the first version."""


@dataclass(frozen=True)
class Who:
    """Who decides, why, and when (with a time zone)."""

    by: str
    reason: str
    at: datetime

    def __post_init__(self) -> None:
        for name, value in (("by", self.by), ("reason", self.reason)):
            if not value.strip():
                raise PromotionError(f"--{name} is empty: the audit log wants who chose by hand, and why")


def promote_by_hand(desk: Desk, digest: str, who: Who) -> Champion:
    """Let a stored version serve, after it was loaded and checked.

    One that serves already is only registered again, if MLflow lost it.

    Raises:
        EvidenceError: when its document is missing or was changed.
        ProgramError: when it does not fit the program.
        LedgerError: when something else came to serve in the meantime.
    """
    history = desk.choices.history(desk.spec.name)
    version = _loaded(desk, digest)
    if history and history[-1].version == digest:
        desk.registry.ensure(version)
        desk.registry.point(digest)
        return history[-1]
    return _serve(desk, version, BY_HAND, history, who)


def roll_back(desk: Desk, who: Who) -> Champion:
    """Let the version serve again that served before the present one.

    A second rollback goes one further back; it does not return to what the
    first one took away.

    Raises:
        PromotionError: when nothing served before, or what did cannot serve.
        LedgerError: when something else came to serve in the meantime.
    """
    history = desk.choices.history(desk.spec.name)
    standing = standing_promotions(history)
    if not standing:
        raise PromotionError(f"{desk.spec.name}: the first version serves; nothing served before it")
    before = standing[-2].version if len(standing) > 1 else None
    try:
        version = _loaded(desk, before)
    except TelefineError as error:
        raise PromotionError(
            f"{desk.spec.name}: version {(before or '')[:12]}, which served before, cannot serve either: {error}. "
            "Choose one that can: telefine programs list, then telefine programs promote VERSION"
        ) from error
    return _serve(desk, version, ROLLBACK, history, who)


def standing_promotions(history: Sequence[Champion]) -> list[Champion]:
    """The promotions that no rollback took back, oldest first; the last one serves. Empty: the first version."""
    standing: list[Champion] = []
    for each in history:
        if each.how == ROLLBACK:
            standing.pop()
        else:
            standing.append(each)
    return standing


def _serve(desk: Desk, version: Version, how: str, history: Sequence[Champion], who: Who) -> Champion:
    # What may fail comes first: once the ledger has it, the version serves.
    desk.put(version.document)
    desk.registry.ensure(version)
    yesterday = (who.at.astimezone(UTC) - timedelta(days=1)).date().isoformat()
    after = history[-1].seq if history else 0
    choice = Choice(desk.spec.name, yesterday, version.digest, who.reason, who.by, how, after)
    champion = desk.choices.choose(choice, who.at)
    try:
        desk.registry.point(version.digest)
    except TelefineError as error:
        raise PromotionError(
            f"{desk.spec.name}: version {version.digest[:12]} serves from now on, but MLflow's alias did not follow: "
            f"{error}. Materialise {desk.spec.name}/champions of any day to move it"
        ) from error
    return champion


def _loaded(desk: Desk, digest: str | None) -> Version:
    """A version that makes a program; the first one for None."""
    first = first_version(desk.spec, desk.lm)
    version = first if digest in (None, first.digest) else Version(desk.get(str(digest)))
    try:
        version.module(desk.spec)
    except (ValueError, KeyError, TypeError) as error:
        raise ProgramError(f"version {version.digest[:12]} is not a program document: {error!r}") from error
    return version
