"""What a report tells once DeltaOne is reached: every number, and what the items say.

Nothing here may be called for a holdout that is still in use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction

from telefine_assets.deltaone import wording
from telefine_assets.deltaone.breakdown import (
    SIDES,
    Calibration,
    Slice,
    Spread,
    by,
    calibration,
    category_key,
    category_of,
    spent,
)
from telefine_assets.deltaone.figures import reliability_diagram
from telefine_assets.deltaone.pairs import gain_of, scores_of, worst_case
from telefine_assets.deltaone.records import HIGHER, PPM, UNPARSABLE, Decision, PairedItem, Rules
from telefine_assets.deltaone.sections import About, amount, is_share, money
from telefine_assets.deltaone.statistics import FLIPS_EXACT, FLIPS_SAMPLED, MCNEMAR
from telefine_assets.pages.page import (
    Block,
    Example,
    Examples,
    Forest,
    Mark,
    Number,
    Picture,
    Prose,
    Section,
    Table,
    named,
    quoted,
)

EXAMPLES = 3
_WALLET = 12
_METHODS = {
    MCNEMAR: "exact McNemar test",
    FLIPS_EXACT: "sign-flip test by groups, every pattern counted",
    FLIPS_SAMPLED: "sign-flip test by groups, seeded random patterns",
}
_EXPLORATORY = (
    "To look around in, not to conclude from: nothing here was tested. Among many rows, some look good or bad by luck."
)


def numbers(decision: Decision) -> tuple[Number, ...]:
    """The numbers at the top."""
    scores = (wording.points(each or 0) for each in (decision.baseline_ppm, decision.candidate_ppm))
    return (
        Number("Gain", f"{wording.points(decision.delta_ppm or 0, sign=True)} pp", _interval_note(decision)),
        Number("Baseline → candidate", " → ".join(scores), "mean score, %"),
        Number("Held-out items", f"{decision.n:,}", "answered by both programs"),
        Number("Luck alone", _one_in(float(decision.p_value)), f"p = {_p(decision)}, look {decision.k}"),
    )


def _interval_note(decision: Decision) -> str:
    return wording.interval(decision.lower_ppm or 0, decision.upper_ppm or 0)


def _p(decision: Decision) -> str:
    return wording.p_text(float(decision.p_value), 2)


def _one_in(p: float) -> str:
    """A small chance as people say it, never smaller than it is."""
    if p <= 1e-9:
        return "below 1 in a billion"
    times = int(1 / p)
    digits = max(0, len(str(times)) - 2)
    return f"1 in {times // 10**digits * 10**digits:,}"


def grade(decision: Decision) -> str:
    """The grade in words."""
    least = wording.whole_points(decision.threshold_ppm)
    if decision.grade == "improved":
        return f"Grade: improved. That it is better is established; that it is better by {least} pp or more is not."
    if decision.grade:
        return f"Grade: {decision.grade}. Even the cautious end of the interval is that high."
    return "Grade: none. The test is passed, but the interval still holds no change at all."


def result(decision: Decision, items: Sequence[PairedItem], about: About) -> Section:
    """The numbers, and what they mean without statistics."""
    unit = "items" if decision.method == MCNEMAR else "groups of items"
    rows = [
        ("Baseline", f"{wording.points(decision.baseline_ppm or 0)} %"),
        ("Candidate", f"{wording.points(decision.candidate_ppm or 0)} %"),
        ("Gain (positive is better)", f"{wording.points(decision.delta_ppm or 0, sign=True)} pp"),
        (f"{wording.percent(Fraction(decision.confidence), 4)} interval", _interval_note(decision)),
        ("Better / worse / same", f"{decision.wins:,} / {decision.losses:,} / {decision.ties:,}"),
        ("p-value", f"{decision.p_value} ({_METHODS.get(decision.method, decision.method)})"),
        ("Grade", decision.grade or "none: the interval still holds 0"),
    ]
    if decision.unresolved and items:
        worst = wording.points(worst_case(items, about.rules), sign=True)
        rows.append((f"Had all {decision.unresolved:,} left out gone against the candidate", f"{worst} pp"))
    return Section(
        "Result",
        (
            Table((about.metric, ""), tuple(rows)),
            Prose(
                f"Both programs answered the same items. The candidate did better on {decision.wins:,}, worse on "
                f"{decision.losses:,}; the rest made no difference. Were the two equally good, it would be a fair "
                f"coin's choice which program does better on each of the {unit} that differ, and a result as good as "
                f"this one would come up with a chance of {wording.percent(Fraction(_p(decision)), 2)}."
            ),
        ),
    )


def forest(decision: Decision, slices: Sequence[Slice], rules: Rules) -> Forest:
    """Overall, then categories, then guardrails."""
    overall = Mark(
        "overall",
        "All items",
        f"{wording.points(decision.delta_ppm or 0, sign=True)} pp",
        decision.delta_ppm,
        decision.lower_ppm,
        decision.upper_ppm,
    )
    marks = [overall, *(_slice_mark(each) for each in slices)]
    higher = {rail.name: rail.direction == HIGHER for rail in rules.guardrails}
    for each in decision.guardrails:
        both = each["baseline"], each["candidate"]
        gain = None
        if is_share(each["measure"]) and None not in both:
            gain = (both[1] - both[0]) * (1 if higher.get(each["name"], True) else -1)
        marks.append(Mark("guardrail", each["name"], amount(each["measure"], both[1]), gain, held=each["held"]))
    return Forest(tuple(marks), decision.threshold_ppm)


def _slice_mark(each: Slice) -> Mark:
    text = f"{wording.points(each.gain_ppm, sign=True)} pp of {each.n:,}"
    return Mark("slice", _slice_name(each), text, each.gain_ppm, each.lower_ppm, each.upper_ppm)


def _slice_name(each: Slice) -> str:
    if each.rest:
        return f"{each.rest:,} others"
    return "none named" if each.name is None else quoted(each.name, 60)


def categories(items: Sequence[PairedItem], setting: str | None, decision: Decision, rules: Rules) -> list[Slice]:
    """The rows by category; empty where there is no field to divide by."""
    name = category_of(items, setting)
    return by(items, category_key(name), rules, Fraction(decision.alpha_k)) if name else []


def category_table(slices: Sequence[Slice]) -> Section | None:
    """The categories as a table."""
    return (
        Section("By category", (Prose(_EXPLORATORY, quiet=True), _slices_table("Category", slices))) if slices else None
    )


def contributors(items: Sequence[PairedItem], decision: Decision, rules: Rules) -> Section | None:
    """By who gave the trace; nothing where nobody is named."""
    if not any(row.contributor for row in items if row.resolved):
        return None
    slices = by(items, _wallet, rules, Fraction(decision.alpha_k))
    return Section("By contributor", (Prose(_EXPLORATORY, quiet=True), _slices_table("Contributor", slices)))


def _wallet(row: PairedItem) -> str | None:
    """A contributor's short name: both ends of an address."""
    who = row.contributor
    return who if who is None or len(who) <= 2 * _WALLET else f"{who[:8]}…{who[-6:]}"


def _slices_table(what: str, slices: Sequence[Slice]) -> Table:
    return Table(
        (what, "Items", "Better", "Worse", "Same", "Gain", "Interval"),
        tuple(
            (
                _slice_name(each),
                *(f"{value:,}" for value in (each.n, each.wins, each.losses, each.ties)),
                f"{wording.points(each.gain_ppm, sign=True)} pp",
                _slice_interval(each),
            )
            for each in slices
        ),
    )


def _slice_interval(each: Slice) -> str:
    if each.lower_ppm is None or each.upper_ppm is None:
        return "too few"
    return wording.interval(each.lower_ppm, each.upper_ppm)


def examples(items: Iterable[PairedItem], about: About) -> Section:
    """Items of each kind, the first by digest, so that nobody picks them; those that got worse in full."""
    rows = sorted((row for row in items if row.resolved), key=lambda row: row.item)
    kinds: tuple[tuple[str, Callable[[int], bool], bool], ...] = (
        ("Where the candidate is better", lambda gain: gain > 0, False),
        ("Where it is worse", lambda gain: gain < 0, True),
        ("Where it makes no difference", lambda gain: gain == 0, False),
    )
    blocks: list[Block] = [Prose("Nobody picked these: they are the first by the digest of their content.", quiet=True)]
    for title, wanted, in_full in kinds:
        found = [row for row in rows if wanted(gain_of(row, about.rules.direction))]
        every = [_example(row, about) for row in (found if in_full else found[:EXAMPLES])]
        if every:
            full = tuple(every) if len(every) > EXAMPLES else ()
            blocks.append(Examples(title, len(found), tuple(every[:EXAMPLES]), full))
    return Section("Better, worse and the same", tuple(blocks))


def _example(row: PairedItem, about: About) -> Example:
    scores = scores_of(row, about.rules.direction)
    sides = (
        ("Baseline", row.baseline_output, row.baseline_error),
        ("Candidate", row.candidate_output, row.candidate_error),
    )
    return Example(
        quoted(row.inputs),
        quoted(row.label) if row.label else None,
        tuple(
            (who, _answer(output, error), _worth(score, about.rules))
            for (who, output, error), score in zip(sides, scores, strict=True)
        ),
    )


def _answer(output: dict[str, object] | None, error: str | None) -> str:
    if error == UNPARSABLE:
        return "an answer that could not be read"
    return "none" if output is None else quoted(output)


def _worth(score: int, rules: Rules) -> str:
    if score in (0, PPM):
        return "right" if (score == PPM) == (rules.direction == HIGHER) else "wrong"
    return f"{wording.points(score)} %"


def calibrations(items: Sequence[PairedItem], name: str | None, rules: Rules) -> Section | None:
    """How far each program's own probabilities can be believed."""
    found = {side: made for side in SIDES if (made := calibration(items, side, rules)) is not None}
    if name is None or not found:
        return None
    rows = tuple(
        (
            side.capitalize(),
            f"{each.n:,}",
            f"{wording.points(each.ece_ppm)} pp",
            f"{wording.points(each.brier_ppm)} %",
        )
        for side, each in found.items()
    )
    light, dark = (reliability_diagram(found, dark=each) for each in (False, True))
    return Section(
        "Calibration: does it know when it is right?",
        (
            Prose(
                f"Each program says how sure it is, in its output {named(name)}. Of the answers that it is 80 % sure "
                "of, 80 % should be right: then the points lie on the line."
            ),
            Picture(light, dark, _said(found)),
            Table(("Program", "Answers", "Mean distance from the line", "Brier score (0 % is best)"), rows),
        ),
    )


def _said(found: dict[str, Calibration]) -> str:
    """The reliability diagram in words."""
    parts = [
        f"{side}: " + ", ".join(f"said {_whole(each.said_ppm)}, was {_whole(each.was_ppm)}" for each in made.bins)
        for side, made in found.items()
    ]
    return "Reliability diagram. " + "; ".join(parts) + "."


def _whole(ppm: int) -> str:
    return f"{round(ppm / 10_000)} %"


def spending(items: Sequence[PairedItem]) -> Section | None:
    """Latency, tokens and cost of both sides."""
    latency, tokens, cost = (spent(items, name) for name in ("latency_ms", "tokens", "cost_micros"))
    if not any(each for found in (latency, tokens, cost) for each in found.values()):
        return None
    rows = (
        (
            "Latency, half of the answers within",
            *(_per(latency[side], lambda it: f"{it.median:,} ms") for side in SIDES),
        ),
        ("Latency, 95 % of the answers within", *(_per(latency[side], lambda it: f"{it.p95:,} ms") for side in SIDES)),
        (
            "Tokens, mean of an answer",
            *(_per(tokens[side], lambda it: f"{it.total / it.known:,.0f}") for side in SIDES),
        ),
        ("Cost of 1,000 answers, in the currency of the prices", *(_per(cost[side], _thousand) for side in SIDES)),
    )
    return Section(
        "Cost and latency",
        (
            Table(("", "Baseline", "Candidate"), rows),
            Prose(
                "Of the answers that count, as they were when first asked: the language model's part only, without "
                "retries and waiting.",
                quiet=True,
            ),
        ),
    )


def _thousand(spread: Spread) -> str:
    return money(Fraction(spread.total, 1_000 * spread.known))


def _per(spread: Spread | None, words: Callable[[Spread], str]) -> str:
    if spread is None:
        return "not known"
    partly = f" (of {spread.known:,})" if spread.known < spread.n else ""
    return words(spread) + partly
