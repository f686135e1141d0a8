"""Why a comparison cannot certify, whatever its scores say: the reasons before the test.

Each function returns a ``Reason`` or None. A refusal names what is wrong and
what would cure it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from telefine_assets.deltaone import wording
from telefine_assets.deltaone.pairs import Pairs, observed_discordance, worst_score
from telefine_assets.deltaone.power import required_n, rule_power
from telefine_assets.deltaone.records import PPM, UNPARSABLE, Look, PairedItem, Rules
from telefine_assets.deltaone.statistics import spent_alpha

_SELF_LABELS = ("output:", "baseline")


@dataclass(frozen=True)
class Reason:
    """Why a decision is what it is.

    Attributes:
        code: stable reason code.
        sentence: the same in plain words, with the cure.
        required_n: pairs that the sentence's plan asks for, if it has one.
    """

    code: str
    sentence: str
    required_n: int | None = None


def untrusted_rows(items: Sequence[PairedItem], rules: Rules) -> Reason | None:
    """Rows that cannot be tallied: none, twice the same, or scores that contradict themselves."""
    if not items:
        return Reason("no_items", "There are no held-out items to compare on. Collect labelled traces first.")
    twice = sorted(item for item, times in Counter(row.item for row in items).items() if times > 1)
    if twice:
        return Reason(
            "duplicate_items",
            f"{wording.count(len(twice), 'item')} stand in the comparison more than once, the first is "
            f"{twice[0]}. Keep one row per content cluster.",
        )
    for row in sorted(items, key=lambda row: row.item):
        for side, score, error in (
            ("baseline", row.baseline_ppm, row.baseline_error),
            ("candidate", row.candidate_ppm, row.candidate_error),
        ):
            problem = _untrusted_score(score, error, rules)
            if problem:
                return Reason(problem[0], f"The {side} of item {row.item} {problem[1]}")
    return None


def _untrusted_score(score: int | None, error: str | None, rules: Rules) -> tuple[str, str] | None:
    if score is not None and not 0 <= score <= PPM:
        return "score_out_of_range", (
            f"has a score of {score} ppm. Bring the metric to a scale from 0 to 1 (0 to 1,000,000 ppm)."
        )
    if error == UNPARSABLE and score not in (0, worst_score(rules.direction)):
        return "inconsistent_scores", (
            f"could not be read and has a score of {score}. An unreadable answer is a wrong answer: score it 0."
        )
    if error and error != UNPARSABLE and score is not None:
        return "inconsistent_scores", (
            f"failed with {error!r} and has a score all the same. An infrastructure error is no answer: "
            "ask again, or leave the score out."
        )
    return None


def same_program(look: Look) -> Reason | None:
    """A program compared with itself."""
    if look.baseline_version != look.candidate_version:
        return None
    return Reason(
        "same_program",
        "Baseline and candidate are the same program version. Compile a candidate that differs.",
    )


def unfit_labels(items: Sequence[PairedItem]) -> Reason | None:
    """Labels that the program gave itself, or whose source nobody knows."""
    sources = [row.label_source.strip().casefold() for row in items]
    own = sum(source.startswith(_SELF_LABELS) for source in sources)
    if own:
        return Reason(
            "self_labels",
            f"{wording.count(own, 'label')} of {len(items):,} come from the program's own outputs, with which "
            "it would agree. Label these items by an expectation (a correction, a ground truth), or score "
            "them by a metric that needs no label.",
        )
    unknown = sum(not source for source in sources)
    if unknown:
        return Reason(
            "unknown_labels",
            f"{wording.count(unknown, 'label')} of {len(items):,} do not say where they come from. "
            "Record the source of every label.",
        )
    return None


def too_many_unresolved(total: int, resolved: int, rules: Rules) -> Reason | None:
    """More pairs lost to infrastructure errors than the rules allow."""
    missing = total - resolved
    if missing * PPM <= rules.max_unresolved_ppm * total:
        return None
    return Reason(
        "too_many_unresolved",
        f"{missing:,} of {wording.count(total, 'pair')} have no answer from one side or both because of "
        f"infrastructure errors; the rules allow {wording.chance(rules.max_unresolved_ppm)}. Ask again when "
        "the model's server is well: nothing can be said of a comparison with holes.",
    )


def too_small(pairs: Pairs, rules: Rules, look: Look, alpha: Fraction) -> Reason | None:
    """Too few pairs, or too few groups of pairs, for the gain that the rules plan for.

    The power takes the pairs for independent, so that it refuses only what is
    surely too small.
    """
    n, planned = pairs.n, rules.planned_discordance_ppm
    power = rule_power(n, planned, rules.target_gain_ppm, alpha, rules.threshold_ppm)
    if n < rules.min_items or power * PPM < rules.min_power_ppm:
        return _too_few_items(pairs, rules, look)
    groups = len(pairs.group_sizes)
    if Fraction(1, 2**groups) >= alpha:
        return Reason(
            "too_few_groups",
            f"The {wording.count(n, 'pair')} come from only {wording.count(groups, 'independent group')}; "
            f"even if all of them improved, chance could not be ruled out at the level of look "
            f"{look.number} ({wording.percent(alpha)}). Collect items from more sessions or contributors.",
        )
    return None


def _too_few_items(pairs: Pairs, rules: Rules, look: Look) -> Reason:
    needed, basis = _larger_plan(pairs, rules, look.number + 1)
    plan = wording.plan_sentence(needed, rules.target_gain_ppm, basis, rules, look.number + 1)
    return Reason(
        "too_few_items",
        f"{wording.count(pairs.n, 'resolved pair')} are too few to certify anything at look {look.number}. {plan}",
        needed,
    )


def _larger_plan(pairs: Pairs, rules: Rules, next_look: int) -> tuple[int | None, str]:
    """The number that satisfies both the observed discordance and the rules, and what it rests on."""
    power = max(rules.power_ppm, rules.min_power_ppm)
    level = spent_alpha(rules.alpha, next_look)
    planned = rules.planned_discordance_ppm
    by_rules = required_n(planned, rules.target_gain_ppm, level, rules.threshold_ppm, power)
    observed = planned_n(pairs, rules.target_gain_ppm, rules, next_look)
    if by_rules is None or observed is None:
        return None, ""
    least = max(by_rules, rules.min_items)
    if observed > least:
        return observed, _basis(pairs)
    if least > by_rules:
        return least, "the least that the rules judge"
    return least, f"from the planned discordance of {wording.chance(planned)}"


def _basis(pairs: Pairs) -> str:
    observed = observed_discordance(pairs)
    if not observed:
        return "from the planned discordance"
    return f"from the observed discordance of {wording.chance(observed)}"


def not_significant(pairs: Pairs, rules: Rules, look: Look, alpha: Fraction, p: float) -> Reason:
    """A gain of at least the threshold that chance could explain, and how many pairs would settle it."""
    gain = sum(pairs.gains) // pairs.n
    needed = planned_n(pairs, gain, rules, look.number + 1)
    plan = wording.plan_sentence(needed, gain, _basis(pairs), rules, look.number + 1)
    return Reason(
        "not_significant",
        f"The observed gain of {wording.points(gain)} pp may be chance: its p-value of "
        f"{wording.p_text(p, 2)} is not below {wording.percent(alpha)}, the level of look {look.number}. {plan}",
        needed,
    )


def planned_n(pairs: Pairs, gain_ppm: int, rules: Rules, next_look: int) -> int | None:
    """Pairs that the next look needs to find ``gain_ppm`` with the rules' power, or None.

    From the observed discordance, or the planned one where nothing differed. Beyond
    100 % (pairs of a group that move together) the number grows in proportion.
    """
    discordance = observed_discordance(pairs) or rules.planned_discordance_ppm
    needed = required_n(
        min(discordance, PPM),
        gain_ppm,
        spent_alpha(rules.alpha, next_look),
        rules.threshold_ppm,
        rules.power_ppm,
    )
    return None if needed is None else -(-needed * max(discordance, PPM) // PPM)
