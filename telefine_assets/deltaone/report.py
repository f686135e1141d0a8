"""A day's report as one page, and that page as Markdown, HTML and a figure.

Until DeltaOne is reached the page is made from the public record alone, so it
can show no score, no example and no estimate of a holdout that is still in use.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from telefine_assets.deltaone import results, sections, wording
from telefine_assets.deltaone.figures import forest_plot, power_curve
from telefine_assets.deltaone.records import Decision, Look, PairedItem, Rules
from telefine_assets.deltaone.sections import About
from telefine_assets.pages.html import html
from telefine_assets.pages.markdown import markdown
from telefine_assets.pages.page import Forest, Page, Prose, Section, named
from telefine_assets.settings.deltaone import DeltaOneSettings


@dataclass(frozen=True)
class ReportContext:
    """What a report says beside the record and the decision.

    Attributes:
        program: the program's name.
        metric: the metric's name, as people call it.
        look: the look that was decided; None when there was none.
        items: the compared rows; shown only once DeltaOne is reached.
        category: the input or output that divides the rows, if the settings name one.
        confidence: the output that holds a probability, if the settings name one.
        rules: those of the decision.
    """

    program: str
    metric: str
    look: Look | None = None
    items: Sequence[PairedItem] = ()
    category: str | None = None
    confidence: str | None = None
    rules: Rules = field(default_factory=Rules)


def about(metric: str, settings: DeltaOneSettings, rules: Rules) -> dict[str, Any]:
    """What a record says of the settings that its page needs; see ``context_of``."""
    return {
        "metric": metric,
        "category": settings.category,
        "confidence": settings.confidence,
        "threshold_ppm": rules.threshold_ppm,
        "direction": rules.direction,
        "max_regressions": rules.max_regressions,
    }


def context_of(program: str, record: Mapping[str, Any]) -> ReportContext:
    """The context of a stored record, from nothing but the record."""
    said = record["about"]
    rules = Rules(**{name: said[name] for name in ("threshold_ppm", "direction", "max_regressions")})
    return ReportContext(program, said["metric"], None, (), said["category"], said["confidence"], rules)


def as_it_is(page: Page) -> Page:
    """The page of a look of which nothing was revoked."""
    return page


Amend = Callable[[Page], Page]
"""Puts over a report what was revoked, or issued again, of what its look found."""


def rendered(
    record: Mapping[str, Any], decision: Decision | None, context: ReportContext, amend: Amend = as_it_is
) -> tuple[str, bytes | None, bytes]:
    """The report as ``(Markdown, figure as PNG, HTML)``; there is no figure without a look.

    ``amend`` says what became since of what the look found. The same record, decision and rows, in any order, give
    the same bytes.
    """
    page = amend(page_of(record, decision, context))
    return markdown(page), _figure(record, page), html(page)


def page_of(record: Mapping[str, Any], decision: Decision | None, context: ReportContext) -> Page:
    """The report's page.

    Args:
        record: what ``report_day`` stores.
        decision: with every number; used only when it is reached.
        context: names, rules and rows.
    """
    about = About(named(context.program), named(context.metric), context.rules)
    if decision is not None and decision.reached:
        return _told(record, decision, context, about)
    return _public(record, about)


def reopened(
    record: Mapping[str, Any], get: Callable[[str], bytes], context: ReportContext
) -> tuple[Decision | None, ReportContext]:
    """The decision and rows of a stored record for ``page_of``, from its evidence.

    Before DeltaOne is reached no evidence is opened, and there is no decision.
    """
    if not record["reached"]:
        return None, context
    stored = json.loads(get(record["evidence"]["report.json"]))
    rows = [PairedItem.from_record(json.loads(line)) for line in get(record["evidence"]["rows.jsonl"]).splitlines()]
    rules, look = Rules.from_record(stored["rules"]), Look.from_record(stored["look"])
    return Decision.from_record(stored["decision"]), replace(context, look=look, items=rows, rules=rules)


def _public(record: Mapping[str, Any], about: About) -> Page:
    """The page while the holdout lives: made of the public record alone."""
    view = record["public"]
    looked = "n" in view
    guardrails = [each for each in view.get("guardrails", ()) if not each["reads_label"]]
    return Page(
        kind="DeltaOne",
        program=about.program,
        verdict="Not reached" if looked else "No look",
        mood="open" if looked else "none",
        headline="Not shown to be better" if looked else "Nothing was compared",
        sentence=sections.sentence_of(record),
        grade="",
        numbers=sections.public_numbers(view),
        sections=_present(
            sections.compared(record, about) if record["candidate"] else None,
            sections.guardrails(guardrails),
            *_around(record, about),
        ),
    )


def _told(record: Mapping[str, Any], decision: Decision, context: ReportContext, about: About) -> Page:
    """The page once DeltaOne is reached: everything."""
    items, rules = context.items, context.rules
    slices = results.categories(items, context.category, decision, rules)
    plot = results.forest(decision, slices, rules)
    level = wording.percent(Fraction(decision.confidence), 4)
    read = f"Each line is the {level} interval of a gain, its mark the gain itself. Right is better."
    return Page(
        kind="DeltaOne",
        program=about.program,
        verdict="Reached",
        mood="good",
        headline=f"Better by {wording.points(decision.delta_ppm or 0)} percentage points",
        sentence=sections.sentence_of(record),
        grade=results.grade(decision),
        numbers=results.numbers(decision),
        sections=_present(
            sections.compared(record, about),
            Section("The gain", (plot, Prose(read, quiet=True))),
            results.result(decision, items, about),
            results.examples(items, about) if items else None,
            results.category_table(slices),
            results.contributors(items, decision, rules),
            results.calibrations(items, context.confidence, rules),
            results.spending(items),
            sections.guardrails(decision.guardrails),
            *_around(record, about),
        ),
    )


def _around(record: Mapping[str, Any], about: About) -> tuple[Section | None, ...]:
    """What stands at the end of every page."""
    return (
        sections.regressions(record.get("regressions"), about.rules.max_regressions),
        sections.power(record["public"]),
        sections.looks(record.get("history") or ()),
        sections.how_to_read(about.rules.threshold_ppm),
        sections.digests(record),
    )


def _present(*found: Section | None) -> tuple[Section, ...]:
    return tuple(each for each in found if each is not None)


def _figure(record: Mapping[str, Any], page: Page) -> bytes | None:
    plots = [block for section in page.sections for block in section.blocks if isinstance(block, Forest)]
    if plots:
        return forest_plot(plots[0], f"{page.program}: {page.headline.lower()}", page.grade)
    return power_curve(record["public"]) if "n" in record["public"] else None
