"""The report as a page: what came in, how it was scored, what was tried, what it cost, what was certified, who gave."""

from __future__ import annotations

from collections.abc import Mapping

from telefine_assets.improvement import sections, totals, wording
from telefine_assets.improvement.gathering import Gathered
from telefine_assets.improvement.pictures import SCORE, SPENT, VOLUME
from telefine_assets.pages.numbers import count, points
from telefine_assets.pages.page import Number, Page, Picture, Section, named

KIND = "Improvement"
NO_PICTURES: Mapping[str, Picture] = {}


def page_of(found: Gathered, pictures: Mapping[str, Picture] = NO_PICTURES) -> Page:
    """The page of a report.

    Args:
        found: what is recorded.
        pictures: by name, see ``pictures_of``; Markdown needs none.
    """
    verdict, mood = verdict_of(found)
    return Page(
        kind=KIND,
        program=named(found.program),
        verdict=verdict,
        mood=mood,
        headline=headline_of(found),
        sentence=sentence_of(found),
        grade="",
        numbers=_numbers(found),
        sections=_present(
            sections.volume(found, pictures.get(VOLUME)),
            sections.scores(found, pictures.get(SCORE)),
            sections.tried(found),
            sections.cost(found, pictures.get(SPENT)),
            sections.certified(found),
            sections.contributors(found),
            sections.contenders(found),
            sections.days(found),
            sections.how_to_read(),
        ),
    )


def span_of(found: Gathered) -> str:
    """``2026-11-09 to 2026-11-15``, or one day."""
    first, last = found.this.days[0].day, found.last
    return last if first == last else f"{first} to {last}"


def verdict_of(found: Gathered) -> tuple[str, str]:
    """In two words, and as a mood of a page."""
    certified = len(totals.certified(found.this))
    if certified:
        return f"{count(certified, 'DeltaOne')} certified", "good"
    return ("Nothing certified", "open") if _something(found) else ("Quiet", "none")


def _something(found: Gathered) -> bool:
    return bool(found.this.traces or totals.compiles(found.this) or totals.looks(found.this) or found.this.promoted)


def headline_of(found: Gathered) -> str:
    """The period in one line."""
    certified = totals.certified(found.this)
    if certified:
        return f"Certified: better by {' and '.join(f'{points(gain)} pp' for _, gain in certified)}"
    tried = [each for _, each in totals.compiles(found.this)]
    if tried:
        candidates = sum(each.candidate is not None for each in tried)
        return f"{count(len(tried), 'compile')}, {count(candidates, 'candidate')}, nothing certified"
    return "Nothing was tried" if _something(found) else "Nothing happened"


def sentence_of(found: Gathered) -> str:
    """What came in, against before."""
    this, before = found.this, found.before
    told = f"{span_of(found)}: "
    if not this.made:
        return f"{told}no day of it was loaded."
    told += f"{count(this.traces, 'trace')} came in, {wording.a_day(this.traces, len(this.made))} a day"
    if before.made:
        told += f" ({wording.a_day(before.traces, len(before.made))} a day in the {len(before.days)} days before)"
    usable = totals.drift(found).usable.now
    told += f"; {wording.percent(usable.ppm)} of these can be learnt from." if usable else "."
    if this.missing:
        told += f" {count(len(this.missing), 'day was', 'days were')} not loaded: {wording.listed(this.missing)}."
    moved = totals.drift(found).moved
    return f"{told} Moved beyond chance: {', '.join(moved)}." if moved else told


def _numbers(found: Gathered) -> tuple[Number, ...]:
    this, moved = found.this, totals.drift(found)
    cost, certified = totals.cost(this.spent), totals.certified(this)
    score, usable = moved.score.now, moved.usable.now
    return (
        Number("Certified", count(len(certified), "gain"), f"of {count(len(totals.looks(this)), 'comparison')}"),
        Number("Traces", f"{this.traces:,}" if this.made else "-", f"{len(this.made)} of {len(this.days)} days loaded"),
        Number("Usable", wording.percent(usable.ppm) if usable else "-", _against(moved.usable.difference_ppm)),
        Number("Mean score", wording.percent(score.ppm) if score else "-", _against(moved.score.difference_ppm)),
        Number("Spent", wording.dollars(cost.cost_micros), f"{count(cost.calls, 'question')} asked"),
        Number("Granted", *_granted(found)),
    )


def _granted(found: Gathered) -> tuple[str, str]:
    wallets = sum(bool(each.granted) for each in totals.contributors(found.this).values())
    return (count(wallets, "wallet"), granted_of(found)) if granted_of(found) else ("nothing", "")


def granted_of(found: Gathered) -> str:
    """What was granted to wallets and escrow, of each token and to four digits; empty when nothing was."""
    return ", ".join(sections.tokens(totals.granted(found.this), wording.SHORT, digits=4))


def _against(difference_ppm: int | None) -> str:
    if difference_ppm is None:
        return "nothing before to compare with"
    return f"{points(difference_ppm, sign=True)} pp against before"


def _present(*found: Section | None) -> tuple[Section, ...]:
    return tuple(each for each in found if each is not None)
