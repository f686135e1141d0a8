"""How days stand, kept for as long as their records and the log stay as they are."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import partial
from typing import Any

from telefine_assets.api.deployment import Deployment
from telefine_assets.attestation.reissuing import STAGE as REISSUES
from telefine_assets.attestation.standing import DayStanding, Link, LogNow, chain_of, standing_of
from telefine_assets.attestation.standing_shown import told_of

STAGE = "attestations"


def standing(here: Deployment, program: str, day: str) -> DayStanding:
    """What stands of a day."""
    return standings(here, program).get(day, DayStanding())


def standings(here: Deployment, program: str) -> dict[str, DayStanding]:
    """What stands of each day of a program that has a record, oldest day first."""
    return here.kept.get(("standings", program), standings_stamp(here, program), partial(_standings, here, program))


def standings_stamp(here: Deployment, program: str) -> Hashable:
    """Changes whenever a day's standing may; None while that cannot be told."""
    records = here.records.stamp(program, STAGE, REISSUES)
    return None if records is None else (records, here.leaves.size())


def _standings(here: Deployment, program: str) -> dict[str, DayStanding]:
    def chain(bundle: str) -> tuple[Link, ...]:
        # What is stored under a digest never changes, so it is read once.
        return here.kept.get(("chain", bundle), bundle, partial(chain_of, here.evidence.get, bundle))

    now = here.kept.get("log now", here.leaves.size(), lambda: LogNow.of(here.trust(), here.ledger, here.log()))
    return {day: standing_of(*_records(here, program, day), now, chain) for day in here.records.days(program, STAGE)}


def _records(here: Deployment, program: str, day: str) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    return here.records.find(program, STAGE, day), here.records.find(program, REISSUES, day)


def amended_since(here: Deployment, program: str, report: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What was revoked, or issued again, since an improvement report was stored: by day, of what it certifies."""
    known = report["before"].get("amended", {}) | report["this"].get("amended", {})
    days = sorted({*known, *report["before"]["certified"], *report["this"]["certified"]})
    now = {day: standing(here, program, day) for day in days}
    told = {day: told_of(found) for day, found in now.items() if found.amended}
    return {day: each for day, each in told.items() if each != known.get(day)}
