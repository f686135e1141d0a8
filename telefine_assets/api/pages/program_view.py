"""What the pages of programs show, as plain values made of records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from telefine_assets.api.pages.story import Gain, Picture, drawn
from telefine_assets.api.pages.words import moment, short_day
from telefine_assets.attestation.attesting import REVOKED
from telefine_assets.attestation.claim import DELTA_ONE_PPM
from telefine_assets.attestation.standing import DayStanding, Issued
from telefine_assets.attestation.standing_shown import STANDINGS, sentence_of
from telefine_assets.control.records import RunState
from telefine_assets.ledger.records import ATTESTED, BY_HAND, Champion

MOST = 40
_BY = {ATTESTED: "Promoted by its attestation, without a hand", BY_HAND: "Chosen by hand"}


@dataclass(frozen=True)
class Listed:
    """A program in the list; ``last`` is its newest attestation in force."""

    name: str
    description: str
    version: str | None
    since: str | None
    last: Issued | None
    count: int


@dataclass(frozen=True)
class Serving:
    """What serves: the version, since when, how it came to, on which attestation, and, for readers, who chose it."""

    version: str
    since: str
    how: str
    attestation: Issued | None
    uid: str | None
    by: str | None
    reason: str | None
    height: int


@dataclass(frozen=True)
class Row:
    """An attestation in the table; ``again`` says that it was issued again, for a day whose look had found more."""

    uid: str
    day: str
    gain_ppm: int
    lower_ppm: int
    n: int
    standing: str
    serving: bool
    again: bool


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


def listed(name: str, description: str, champion: Champion | None, claims: Sequence[Issued]) -> Listed:
    """A program in the list."""
    good = [each for each in claims if each.in_force]
    version, since = (champion.version, champion.day) if champion else (None, None)
    return Listed(name, description, version, since, good[-1] if good else None, len(good))


def serving(champion: Champion, claims: Sequence[Issued], by: str | None) -> Serving:
    """What serves; ``by`` is who chose it by hand, for those who may know."""
    resting = next((each for each in claims if _serves(each, champion)), None)
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


def rows(claims: Sequence[Issued], champion: Champion | None) -> list[Row]:
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
            bool(each.claim.replaces),
        )
        for each in list(claims)[: -MOST - 1 : -1]
    ]


def story(
    claims: Sequence[Issued], champion: Champion | None, failed_looks: Sequence[tuple[str, int]]
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


def report(day: str, record: Mapping[str, Any], standing: DayStanding) -> dict[str, Any]:
    """A report in the list; ``amended`` is what became of what it found, once something of it was revoked."""
    amended = standing.code.replace("_", " ") if standing.amended else None
    sentence = sentence_of(standing) or record["sentence"]
    return {"day": day, "reached": record["reached"], "sentence": sentence, "amended": amended}


def _serves(each: Issued, champion: Champion | None) -> bool:
    """Whether what serves rests on it; what one promoted that was revoked rests on the one that replaces it."""
    rests = champion is not None and champion.attestation in (each.uid, *each.claim.replaces)
    return rests and each.replaced_by is None


def _kind(each: Issued, champion: Champion | None) -> str:
    if each.in_force:
        return "serving" if _serves(each, champion) else "before"
    return "revoked" if each.outcome == REVOKED else "awaiting"
