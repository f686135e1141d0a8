"""How a day that was revoked or issued again is told of: the same words wherever its gain is shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from telefine_assets.attestation.attesting import ATTESTED, AWAITING, REVOKED
from telefine_assets.attestation.standing import DayStanding, Issued, Revoked
from telefine_assets.pages.numbers import at_least, gain
from telefine_assets.pages.page import Code, Facts, Line, Number, Page, Prose, Section, Table, named

STANDINGS = {ATTESTED: "in force", AWAITING: "awaits signatures", REVOKED: "revoked"}
_REASON = 300


def sentence_of(standing: DayStanding) -> str:
    """What was said of the day after its look, in words; empty where nothing was revoked."""
    if not standing.amended:
        return ""
    first, last = standing.issued[0], standing.issued[-1]
    told = f"The look found {_gain(first)}, which was revoked{_why_revoked(first.revoked)}"
    if standing.in_force is not None:
        again = f"Issued again, {_because(last)}, with {_gain(last)}, {_least(last)}"
        return f"{told} {again}: that is in force, as {_short(last.uid)}."
    if last is not first:
        told += f" It was issued again, {_because(last)}, with {_gain(last)}, which "
        told += f"was revoked too{_why_revoked(last.revoked)}" if last.revoked else "awaits signatures."
    told += " No claim is in force for this day."
    if standing.prepared is not None:
        told += f" {gain(standing.prepared['gain_ppm'])} is prepared to be signed instead."
    return told


def in_short(standing: DayStanding) -> str:
    """The same in half a line: ``revoked, and no claim is in force``; empty where nothing was revoked."""
    if not standing.amended:
        return ""
    now = standing.in_force
    return "revoked, and no claim is in force" if now is None else f"corrected: {_gain(now)} is in force"


def told_of(standing: DayStanding) -> dict[str, Any]:
    """A day's standing as JSON values, with the same in words."""
    return standing.to_record() | {"sentence": sentence_of(standing)}


def section_of(standing: DayStanding) -> Section:
    """Every attestation of the day, with its numbers and what became of it."""
    rows = tuple(
        (
            _short(each.uid),
            STANDINGS[each.outcome],
            _gain(each),
            at_least(each.claim.decision.lower_ppm),
            f"{each.claim.decision.n:,}",
            named(each.why or "the look", _REASON),
            _revocation(each.revoked),
        )
        for each in standing.issued
    )
    columns = ("Attestation", "Standing", "Gain", "At least", "Items", "Issued for", "Revoked")
    note = "A look is a look: what it found stays as it was found. What is claimed of it is what is in force."
    in_force: Line = ("nothing",) if standing.in_force is None else (Code(standing.in_force.uid),)
    return Section("What stands now", (Facts((("In force", in_force),)), Table(columns, rows), Prose(note, quiet=True)))


def amended(page: Page, standing: DayStanding) -> Page:
    """A report of a look, with what stands now before everything that the look found; as it is if nothing changed."""
    if not standing.amended:
        return page
    found, now = standing.issued[0], standing.in_force
    in_force = Number("In force", "nothing") if now is None else Number("In force", _gain(now), _least(now))
    return replace(
        page,
        verdict="Revoked" if now is None else "Corrected",
        mood="none" if now is None else "open",
        headline=f"{_gain(now)} after a correction, {_gain(found)} before" if now else _no_claim(found),
        sentence=sentence_of(standing),
        grade="",
        numbers=(in_force, Number("The look found", _gain(found), "revoked since")),
        sections=(section_of(standing), *page.sections),
    )


def _no_claim(found: Issued) -> str:
    return f"No claim is in force; the look found {_gain(found)}"


def _short(uid: str) -> str:
    return f"{uid[:18]}…"


def _gain(issued: Issued) -> str:
    return gain(issued.claim.decision.delta_ppm)


def _least(issued: Issued) -> str:
    return f"at least {at_least(issued.claim.decision.lower_ppm)}"


def _because(issued: Issued) -> str:
    return f"by corrected feedback ({named(issued.why or '', _REASON)})"


def _why_revoked(revoked: Revoked | None) -> str:
    if revoked is None:
        return "."
    when = "" if revoked.at is None else f" on {_moment(revoked.at)}"
    return f"{when} at position {revoked.position} of the log: {named(revoked.reason, _REASON).rstrip('.')}."


def _revocation(revoked: Revoked | None) -> str:
    if revoked is None:
        return "no"
    return (
        f"{_moment(revoked.at) if revoked.at else ''} at {revoked.position}: {named(revoked.reason, _REASON)}".strip()
    )


def _moment(at: str) -> str:
    """``2026-11-20T12:00:00Z`` as ``2026-11-20 12:00 UTC``."""
    return f"{at[:10]} {at[11:16]} UTC"
