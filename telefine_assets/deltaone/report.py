"""The decision as a page that a person reads, in Markdown.

Until DeltaOne is reached the page is made from ``public_view`` alone, so it can
show no score, no example and no estimate of a holdout that is still in use.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from telefine_assets.deltaone import wording
from telefine_assets.deltaone.decision import public_view
from telefine_assets.deltaone.pairs import gain_of
from telefine_assets.deltaone.records import HIGHER, UNPARSABLE, Decision, Look, PairedItem
from telefine_assets.deltaone.statistics import FLIPS_EXACT, FLIPS_SAMPLED, MCNEMAR

EXAMPLES = 3
_LONGEST = 240
_SHORT = 12

_METHODS = {
    MCNEMAR: "exact McNemar test",
    FLIPS_EXACT: "sign-flip test by groups, every pattern counted",
    FLIPS_SAMPLED: "sign-flip test by groups, seeded random patterns",
}


@dataclass(frozen=True)
class ReportContext:
    """What a report says beside the decision.

    Attributes:
        program: the program's name.
        metric: the metric's name, as people call it.
        look: the look that was decided.
        items: the compared rows; shown, as examples, only once DeltaOne is reached.
    """

    program: str
    metric: str
    look: Look
    items: Sequence[PairedItem] = ()


def markdown(decision: Decision, context: ReportContext) -> str:
    """Write the decision as Markdown, ending with a newline.

    Text from programs stands in code spans on one line each, so that it cannot
    become markup.
    """
    blocks = [f"# DeltaOne: {_plain(context.program)}", *_compared_and_decided(decision, context)]
    if decision.reached:
        blocks += [
            *_result(decision, context),
            *_examples(decision, context.items, "Where the candidate is better", lambda gain: gain > 0),
            *_examples(decision, context.items, "Where it is worse", lambda gain: gain < 0),
        ]
    blocks += _power(public_view(decision))
    return "\n\n".join(blocks) + "\n"


def _compared_and_decided(decision: Decision, context: ReportContext) -> list[str]:
    view, look = public_view(decision), context.look
    better = "higher is better" if decision.direction == HIGHER else "lower is better"
    verdict = "Reached" if view["reached"] else "Not reached"
    return [
        f"**{verdict}.** {view['sentence']}",
        "## What was compared",
        "\n".join(
            (
                f"- Baseline {_code(look.baseline_version[:_SHORT])}, the program in use, and candidate "
                f"{_code(look.candidate_version[:_SHORT])}.",
                f"- Metric: {_plain(context.metric)} ({better}), {_code(look.metric_digest[:_SHORT])}.",
                f"- {wording.count(view['n'], 'held-out item')}, which no compilation has seen, answered by both "
                f"programs{_left_out(view['unresolved'])}. Holdout {_code(look.holdout_digest[:_SHORT])}.",
                f"- Look {view['k']} at this holdout. Each further look must be more convincing than the "
                f"last; this one needed a p-value below {wording.percent(Fraction(view['alpha_k']))}.",
            )
        ),
    ]


def _left_out(unresolved: int) -> str:
    if not unresolved:
        return ""
    return f"; {wording.count(unresolved, 'more was', 'more were')} left out because a server failed to answer"


def _result(decision: Decision, context: ReportContext) -> list[str]:
    """The numbers, and what they mean without statistics."""
    unit = "items" if decision.method == MCNEMAR else "groups of items"
    chance = wording.percent(Fraction(wording.p_text(float(decision.p_value), 2)), 2)
    rows = (
        ("Baseline", f"{wording.points(decision.baseline_ppm or 0)} %"),
        ("Candidate", f"{wording.points(decision.candidate_ppm or 0)} %"),
        ("Gain (positive is better)", f"{wording.points(decision.delta_ppm or 0, sign=True)} pp"),
        (
            f"{wording.percent(Fraction(decision.confidence), 6)} interval",
            wording.interval(decision.lower_ppm or 0, decision.upper_ppm or 0),
        ),
        ("Better / worse / same", f"{decision.wins:,} / {decision.losses:,} / {decision.ties:,}"),
        ("p-value", f"{decision.p_value} ({_METHODS.get(decision.method, decision.method)})"),
        ("Grade", decision.grade or "none: the interval still holds 0"),
    )
    return [
        "## Result",
        "\n".join((f"| {_plain(context.metric)} | |", "|---|---:|", *(f"| {name} | {text} |" for name, text in rows))),
        f"Both programs answered the same items. The candidate did better on {decision.wins:,}, worse on "
        f"{decision.losses:,}; the rest made no difference. Were the two equally good, it would be a fair "
        f"coin's choice which program does better on each of the {unit} that differ, and a result as good as "
        f"this one would come up with a chance of {chance}.",
    ]


def _examples(decision: Decision, items: Sequence[PairedItem], title: str, wanted: Callable[[int], bool]) -> list[str]:
    """The first few rows of one kind, by item digest, so that nobody picks them."""
    rows = sorted((row for row in items if row.resolved), key=lambda row: row.item)
    chosen = [row for row in rows if wanted(gain_of(row, decision.direction))]
    if not chosen:
        return []
    lines = []
    for row in chosen[:EXAMPLES]:
        lines += [
            f"- Asked {_code(_text(row.inputs))}",
            f"  - right answer: {_code(_text(row.label))}",
            f"  - baseline: {_answer(row.baseline_output, row.baseline_error)}",
            f"  - candidate: {_answer(row.candidate_output, row.candidate_error)}",
        ]
    shown = min(EXAMPLES, len(chosen))
    return [f"## {title} ({shown} of {len(chosen):,})", "\n".join(lines)]


def _answer(output: Mapping[str, Any] | None, error: str | None) -> str:
    if error == UNPARSABLE:
        return "an answer that could not be read"
    return _code(_text(output)) if output is not None else "none"


def _power(view: Mapping[str, Any]) -> list[str]:
    """What this holdout could show; the same words before and after."""
    sentence = wording.detectable_sentence(view["detectable_ppm"], view["power_ppm"], view["planned_discordance_ppm"])
    if view["effective_n"] < view["n"]:
        sentence += (
            f" The items come in {wording.count(view['groups'], 'group')}, counted as "
            f"{view['effective_n']:,} independent items at the least."
        )
    rule = (
        f"DeltaOne asks for a gain of at least {wording.points(view['threshold_ppm'])} pp that chance does "
        "not explain. Until it is reached, no score of the holdout is shown: scores that are looked at are "
        "sooner or later fitted to."
    )
    return ["## What this holdout can show", f"{sentence}", rule]


def _text(value: Mapping[str, Any] | None) -> str:
    """A record's only text as it is, anything else as JSON; one line, cut to length."""
    if value is not None and len(value) == 1 and isinstance(only := next(iter(value.values())), str):
        text = only
    else:
        text = json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    text = re.sub(r"\s+", " ", text).strip()
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _code(text: str) -> str:
    """A code span that its own backticks cannot close."""
    fence = "`" * (1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    pad = " " if not text or text[0] in "` " or text[-1] in "` " else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _plain(name: str) -> str:
    """A name with the characters that Markdown and HTML would read escaped."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", re.sub(r"\s+", " ", name))
