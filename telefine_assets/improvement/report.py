"""A report and its record: page, Markdown, summary and e-mail, all of the same facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from telefine_assets.attestation.standing_shown import told_of
from telefine_assets.improvement import totals
from telefine_assets.improvement.gathering import Gathered, Period
from telefine_assets.improvement.page import page_of
from telefine_assets.improvement.pictures import pictures_of
from telefine_assets.improvement.summary import mail, summary_of
from telefine_assets.pages.html import html
from telefine_assets.pages.markdown import markdown

FILES = ("report.html", "report.md", "report.eml")


@dataclass(frozen=True)
class Report:
    """A report in all its forms. The same facts give the same bytes."""

    facts: dict[str, Any]
    """Headline, summary and key numbers, as the record has them."""
    files: Mapping[str, bytes]
    """``report.html``, ``report.md`` and ``report.eml``."""

    def to_record(self, put: Callable[[bytes], str]) -> dict[str, Any]:
        """Keep the files as evidence; returns the stage's record."""
        return self.facts | {"evidence": {name: put(self.files[name]) for name in FILES}}


def report_of(found: Gathered) -> Report:
    """Write the report of what was gathered."""
    page, summary = page_of(found, pictures_of(found)), summary_of(found)
    contents = (html(page), markdown(page).encode(), mail(summary, page.headline))
    return Report(facts_of(found), dict(zip(FILES, contents, strict=True)))


def facts_of(found: Gathered) -> dict[str, Any]:
    """The record of a report, without its files; needs no picture."""
    page, summary = page_of(found), summary_of(found)
    moved = totals.drift(found)
    return {
        "subject": summary.subject,
        "summary": summary.text,
        "verdict": page.verdict,
        "headline": page.headline,
        "sentence": page.sentence,
        "this": _numbers(found.this),
        "before": _numbers(found.before),
        "moved": moved.moved,
        "drift": asdict(moved),
        "serves": found.serves.version if found.serves else None,
    }


def _numbers(period: Period) -> dict[str, Any]:
    """A period's numbers; amounts are strings, in the smallest unit of ``TOKEN/DECIMALS``."""
    days, cost = [each.day for each in period.days], totals.cost(period.spent)
    made = [each for _, each in totals.compiles(period)]
    return {
        "first": days[0] if days else None,
        "last": days[-1] if days else None,
        "missing": period.missing,
        "traces": period.traces if period.made else None,
        "usable": period.usable if period.made else None,
        "dropped": totals.dropped(period),
        "scored": period.scores.n,
        "compiles": len(made),
        "candidates": sum(each.candidate is not None for each in made),
        "cost": asdict(cost),
        "compared": period.compared,
        "looks": len(totals.looks(period)),
        "reached": [day.day for day, _ in totals.reached(period)],
        "certified": [day.day for day, _ in totals.certified(period)],
        "amended": {day.day: told_of(day.standing) for day in totals.amended(period)},
        "promoted": [each.version for each in period.promoted],
        "contributors": len(totals.named_ones(period)),
        "granted": {f"{name}/{decimals}": str(each) for (name, decimals), each in totals.granted(period).items()},
    }
