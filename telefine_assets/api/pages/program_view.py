"""What the pages of programs show, as plain values made of records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from telefine_assets.api.pages.certified import Certified
from telefine_assets.api.pages.story import Gain, Picture, drawn
from telefine_assets.api.pages.words import moment, short_day
from telefine_assets.attestation.attesting import AWAITING, REVOKED
from telefine_assets.attestation.claim import DELTA_ONE_PPM
from telefine_assets.control.records import RunState
from telefine_assets.ledger.records import ATTESTED, BY_HAND, Champion

MOST = 40
STANDINGS = {"attested": "in force", AWAITING: "awaits signatures", REVOKED: "revoked"}
_BY = {ATTESTED: "Promoted by its attestation, without a hand", BY_HAND: "Chosen by hand"}


@dataclass(frozen=True)
class Listed:
    """A program in the list; ``last`` is its newest attestation in force."""

    name: str
    description: str
    version: str | None
    since: str | None
    last: Certified | None
    count: int


@dataclass(frozen=True)
class Serving:
    """What serves: the version, since when, how it came to, on which attestation, and, for readers, who chose it."""

    version: str
    since: str
    how: str
    attestation: Certified | None
    uid: str | None
    by: str | None
    reason: str | None
    height: int


@dataclass(frozen=True)
class Row:
    """An attestation in the table."""

    uid: str
    day: str
    gain_ppm: int
    lower_ppm: int
    n: int
    standing: str
    serving: bool


@dataclass(frozen=True)
class Run:
    """A run as the page shows it; ``events`` is where it is followed, while it goes on."""

    run_id: str
    stages: str
    days: str
    status: str
    began: str | None
    told: str
    events: str | None


def listed(name: str, description: str, champion: Champion | None, claims: Sequence[Certified]) -> Listed:
    """A program in the list."""
    good = [each for each in claims if each.in_force]
    version, since = (champion.version, champion.day) if champion else (None, None)
    return Listed(name, description, version, since, good[-1] if good else None, len(good))


def serving(champion: Champion, claims: Sequence[Certified], by: str | None) -> Serving:
    """What serves; ``by`` is who chose it by hand, for those who may know."""
    resting = next((each for each in claims if each.uid == champion.attestation), None)
    return Serving(
        champion.version,
        champion.day,
        _BY.get(champion.how, "Rolled back to by hand"),
        resting,
        champion.attestation,
        by,
        champion.reason if by else None,
        champion.height,
    )


def rows(claims: Sequence[Certified], champion: Champion | None) -> list[Row]:
    """The newest attestations, the newest first."""
    return [
        Row(
            each.uid,
            each.claim.partition,
            each.claim.decision.delta_ppm,
            each.claim.decision.lower_ppm,
            each.claim.decision.n,
            STANDINGS[each.outcome],
            _serves(each, champion),
        )
        for each in list(claims)[: -MOST - 1 : -1]
    ]


def story(
    claims: Sequence[Certified], champion: Champion | None, failed_looks: Sequence[tuple[str, int]]
) -> Picture | None:
    """The picture; None where nothing was certified yet."""
    gains = [
        Gain(each.claim.partition, each.claim.decision.delta_ppm, each.claim.decision.lower_ppm, _kind(each, champion))
        for each in claims
    ]
    return drawn(gains, failed_looks, DELTA_ONE_PPM)


def run(state: RunState) -> Run:
    """A run."""
    began = state.started_ms
    ended = f"ended {moment(state.ended_ms)}" if state.ended_ms else ""
    return Run(
        state.run_id,
        ", ".join(each.replace("_", " ") for each in state.stages) or "nothing",
        " to ".join(short_day(day) for day in state.days),
        state.status.value,
        moment(began) if began else None,
        state.error or state.progress or ended,
        None if state.status.ended else f"/v1/runs/{state.run_id}/events",
    )


def report(day: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """A report in the list."""
    return {"day": day, "reached": record["reached"], "sentence": record["sentence"]}


def _serves(each: Certified, champion: Champion | None) -> bool:
    return champion is not None and each.uid == champion.attestation


def _kind(each: Certified, champion: Champion | None) -> str:
    if each.in_force:
        return "serving" if _serves(each, champion) else "before"
    return "revoked" if each.outcome == REVOKED else "awaiting"
