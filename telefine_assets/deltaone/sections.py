"""What stands on a report's page, whether or not DeltaOne is reached.

Nothing here is given a score, a row or a decision: it is made of the public
record, so it cannot tell anything of a holdout that is still in use. What may
be told once DeltaOne is reached is in ``results``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from telefine_assets.deltaone import wording
from telefine_assets.deltaone.breakdown import too_many_regressions
from telefine_assets.deltaone.power import rule_power
from telefine_assets.deltaone.records import HIGHER, PPM, Rules
from telefine_assets.pages.page import (
    Bars,
    Block,
    Code,
    Example,
    Examples,
    Facts,
    Line,
    Number,
    Prose,
    Section,
    Table,
    named,
    quoted,
)

SHORT = 12
_GAINS = (1, 2, 3, 5, 7, 10, 15, 20)
"""True gains, in thresholds, whose chance is shown."""
_UNITS = {"latency_ms": "ms", "tokens": "tokens", "cost_micros": "millionths"}
_LONG = 2_000


@dataclass(frozen=True)
class About:
    """What is compared, in names that are fit to be shown, and under which rules."""

    program: str
    metric: str
    rules: Rules

    @property
    def better(self) -> str:
        """Which way is good."""
        return "higher is better" if self.rules.direction == HIGHER else "lower is better"


def compared(record: Mapping[str, Any], about: About) -> Section:
    """Versions, metric, items, labels, model and look."""
    view, asked = record["public"], record.get("asked_with") or {}
    rows: list[tuple[str, Line]] = [
        ("Baseline", (*_version(record.get("baseline")), ", the program in use")),
        ("Candidate", (*_version(record["candidate"]), ", compiled to replace it")),
        ("Metric", (about.metric, f" ({about.better})")),
    ]
    if "n" in view:
        rows.append(("Items", (_items_sentence(view),)))
    if record.get("labels"):
        rows.append(("What is right", tuple(_label_sources(record["labels"]))))
    if asked.get("lm"):
        rows.append(("Model", _model(asked["lm"])))
    if "k" in view:
        rows.append(("Look", (_look_sentence(view),)))
    return Section("What was compared", (Facts(tuple(rows)),))


def _version(digest: str | None) -> Line:
    return (Code(digest[:SHORT]),) if digest else ("unknown",)


def _items_sentence(view: Mapping[str, Any]) -> str:
    items = f"{wording.count(view['n'], 'held-out item')}, which no compilation has seen, answered by both programs"
    if view["unresolved"]:
        items += (
            f"; {wording.count(view['unresolved'], 'more was', 'more were')} left out on both sides because a "
            "server did not answer or the metric could not judge"
        )
    return f"{items}."


def _look_sentence(view: Mapping[str, Any]) -> str:
    return (
        f"Number {view['k']} at this holdout. Each further look must be more convincing than the last; this one "
        f"needed a p-value below {wording.percent(Fraction(view['alpha_k']))}."
    )


def _label_sources(labels: Mapping[str, int]) -> list[str]:
    """The sources in words, most frequent first."""
    parts: list[str] = []
    for source, number in sorted(labels.items(), key=lambda each: (-each[1], each[0])):
        kind, _, who = source.partition(":")
        parts.append(("; " if parts else "") + f"{number:,} ")
        if kind == "expectation":
            people = {"HUMAN": "said by people", "LLM_JUDGE": "said by a judge model", "CODE": "said by code"}
            parts += [people[who]] if who in people else ["recorded as an expectation, ", quoted(who or "unnamed")]
        elif kind == "metric":
            parts += ["scored by ", quoted(who), ", a metric that needs no label"]
        else:
            parts += ["from ", quoted(source), ", the program's own answers, which certify nothing"]
    return parts


def _model(identity: Any) -> Line:
    if isinstance(identity, Mapping) and "model" in identity:
        rest = ", ".join(f"{key} {value}" for key, value in sorted(identity.items()) if key != "model")
        return (quoted(str(identity["model"])), " with ", quoted(rest))
    return (quoted(identity),)


def public_numbers(view: Mapping[str, Any]) -> tuple[Number, ...]:
    """The numbers at the top while nothing may be told of the scores."""
    if "n" not in view:
        return ()
    could, often = view["detectable_ppm"], wording.chance(view["power_ppm"])
    shown = (f"{wording.points(could)} pp", f"a true gain of this size, {often} of the time") if could else ("nothing",)
    return (
        Number("Held-out items", f"{view['n']:,}", "answered by both programs"),
        Number("Look", str(view["k"]), f"needs p below {wording.percent(Fraction(view['alpha_k']))}"),
        Number("Could have shown", *shown),
    )


def guardrails(measured: Sequence[Mapping[str, Any]]) -> Section | None:
    """What came of the guardrails that may be told."""
    if not measured:
        return None
    rows = tuple(
        (
            named(each["name"]),
            "held" if each["held"] else "broken",
            *(amount(each["measure"], each[side]) for side in ("baseline", "candidate")),
            {"mean": "mean", "p95": "95th percentile"}[each["statistic"]],
            named(each["bound"]),
        )
        for each in measured
    )
    return Section(
        "Guardrails",
        (
            Prose("What must hold beside the gain, whatever the gain is. A missing value breaks a guardrail."),
            Table(("Guardrail", "Outcome", "Baseline", "Candidate", "Statistic", "Bound"), rows),
        ),
    )


def is_share(measure: str) -> bool:
    """Whether a measure is a share of the whole, in ppm."""
    return measure not in _UNITS


def amount(measure: str, value: int | None) -> str:
    """A measured value with its unit."""
    if value is None:
        return "missing"
    if is_share(measure):
        return f"{wording.points(value)} %"
    return f"{value:,} {_UNITS[measure]}"


def money(value: Fraction) -> str:
    """An amount with at least two decimals, and as many as it takes to show two digits of it."""
    digits = 2
    while value and digits < 8 and value * 10**digits < 10:
        digits += 1
    return f"{float(value):,.{digits}f}"


def regressions(found: Mapping[str, Any] | None, limit: int | None) -> Section | None:
    """What got worse on items of earlier, retired holdouts: these may be shown."""
    if found is None:
        return None
    lost = tuple(_lost(each) for each in found["regressed"])
    blocks: list[Block] = [
        Prose(
            f"{wording.count(found['asked'], 'item')} of earlier, retired holdouts were asked again. The candidate "
            f"does worse than the program in use on {found['losses']:,} and better on {found['wins']:,}."
        ),
        Prose(too_many_regressions(found, limit) or "That is within what the rules allow.", quiet=True),
    ]
    if lost:
        blocks.append(Examples("Where the candidate is worse", found["count"], lost[:3], lost if len(lost) > 3 else ()))
    return Section("What worked before", tuple(blocks))


def _lost(item: Mapping[str, Any]) -> Example:
    answers = (("Baseline", item["baseline_output"], "better"), ("Candidate", item["candidate_output"], "worse"))
    return Example(
        quoted(item["inputs"]),
        quoted(item["label"]) if item["label"] else None,
        tuple(
            (who, "no answer that could be read" if output is None else quoted(output), worth)
            for who, output, worth in answers
        ),
    )


def power(view: Mapping[str, Any]) -> Section | None:
    """What this holdout can show; the same before and after."""
    if "n" not in view:
        return None
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
    return Section("What this holdout can show", (Prose(sentence), _chances(view), Prose(rule, quiet=True)))


def _chances(view: Mapping[str, Any]) -> Bars:
    alpha, threshold = Fraction(view["alpha_k"]), view["threshold_ppm"]
    gains = [times * threshold for times in _GAINS if times * threshold <= PPM]
    chances = [
        rule_power(view["effective_n"], view["planned_discordance_ppm"], gain, alpha, threshold) for gain in gains
    ]
    return Bars(
        tuple(
            (f"{wording.whole_points(gain)} pp better", round(PPM * chance), f"{100 * chance:.0f} %")
            for gain, chance in zip(gains, chances, strict=True)
        ),
        ("If the candidate is", "it is found"),
    )


def looks(history: Sequence[Mapping[str, Any]]) -> Section | None:
    """The looks at this holdout so far: pass or fail, and nothing else."""
    if not history:
        return None
    outcome = {True: "reached", False: "not reached", None: "not ended"}
    rows = tuple(
        (str(each["k"]), each["day"], Code(str(each["candidate"])[:SHORT]), outcome[each["reached"]])
        for each in history
    )
    return Section("Looks at this holdout so far", (Table(("Look", "Day", "Candidate", "Outcome"), rows),))


def digests(record: Mapping[str, Any]) -> Section | None:
    """What was compared, to the byte; evidence only once reached, since its digests depend on the scores."""
    asked = record.get("asked_with") or {}
    names = {"dataset": "Items", "metric": "Metric", "code": "Program's code"}
    rows = [(words, (Code(asked[name]),)) for name, words in names.items() if asked.get(name)]
    rows += [
        (f"Guardrail {named(name)}", (Code(digest),))
        for name, digest in sorted((asked.get("guardrails") or {}).items())
    ]
    rows += [(f"Judge {named(name)}", (quoted(judge),)) for name, judge in sorted((asked.get("judges") or {}).items())]
    if record["reached"]:
        rows += [(name, (Code(digest),)) for name, digest in sorted(record["evidence"].items())]
    return Section("To the byte", (Facts(tuple(rows)),), folded=True) if rows else None


def how_to_read(threshold_ppm: int) -> Section:
    """The words of the report for who has never met them."""
    least = wording.whole_points(threshold_ppm)
    rows = (
        ("Percentage point (pp)", "From 80 % right to 83 % right is 3 percentage points."),
        (
            "Held-out item",
            "A real request, with what is right, that was kept from every compilation. A program cannot have learnt "
            "it by heart.",
        ),
        (
            "DeltaOne",
            f"The candidate is at least {least} pp better than the program in use on the same held-out items, and "
            "luck is a poor explanation of it. Both must hold.",
        ),
        (
            "p-value",
            "How often two equally good programs would differ by this much or more, by luck alone. Small is "
            "convincing. For answers that are right or wrong it is McNemar's exact test: only the items on which the "
            "two programs differ count, and each is a coin toss between equals.",
        ),
        (
            "Interval",
            "The gain was measured on some items, not on all that will ever be asked. The true gain is most likely "
            "between the two ends.",
        ),
        (
            "Look",
            "One comparison on this holdout. Trying often enough, anybody gets lucky once: so each further look must "
            "be more convincing, and after a success the items retire.",
        ),
        ("Guardrail", "Something that must hold beside the gain, such as speed, cost or readable answers."),
        (
            "Why no scores before",
            "While a holdout is in use its scores stay hidden. Whoever sees them starts, knowingly or not, to fit "
            "programs to them, and then they prove nothing.",
        ),
    )
    return Section("How to read this", (Facts(tuple((name, (text,)) for name, text in rows)),), folded=True)


def sentence_of(record: Mapping[str, Any]) -> str:
    """The record's sentence, whatever it quotes."""
    return named(record["sentence"], _LONG)
