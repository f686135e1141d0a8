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


def self_labels(own: int, total: int) -> Reason:
    """``own`` of ``total`` labels that the program gave itself."""
    return Reason(
        "self_labels",
        f"{wording.count(own, 'label')} of {total:,} come from the program's own outputs, with which "
        "it would agree. Label these items by an expectation (a correction, a ground truth), or score "
        "them by a metric that needs no label.",
    )


def unfit_labels(label_sources: Sequence[str]) -> Reason | None:
    """Labels that the program gave itself, or whose source nobody knows."""
    sources = [source.strip().casefold() for source in label_sources]
    own = sum(source.startswith(_SELF_LABELS) for source in sources)
    if own:
        return self_labels(own, len(sources))
    unknown = sum(not source for source in sources)
    if unknown:
        return Reason(
            "unknown_labels",
            f"{wording.count(unknown, 'label')} of {len(sources):,} do not say where they come from. "
            "Record the source of every label.",
        )
    return None


def holdout_reused(fresh: int, retired: int, rules: Rules) -> Reason:
    """Too few fresh items, because earlier looks that reached DeltaOne retired theirs.

    Args:
        fresh: held-out items that have not retired.
        retired: held-out items that have.
        rules: their ``min_items`` is what a look needs.
    """
    return Reason(
        "holdout_reused",
        f"{wording.count(fresh, 'held-out item is', 'held-out items are')} fresh, and a look needs "
        f"{rules.min_items:,}; {retired:,} more retired when DeltaOne was reached on them, and cannot show a "
        "second gain. Label traces that came in since.",
        rules.min_items,
    )


def before_scoring(sizes: Sequence[int], label_sources: Sequence[str], look: Look, rules: Rules) -> Reason | None:
    """Why a look could not certify whatever its scores, with a plan; None when it could.

    Args:
        sizes: items in each independent group.
        label_sources: where each label comes from.
        look: with the number that it would have.
        rules: of the claim.
    """
    return same_program(look) or unfit_labels(label_sources) or too_small(sizes, rules, look, look.number)


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


def too_small(sizes: Sequence[int], rules: Rules, look: Look, next_look: int) -> Reason | None:
    """Too few pairs, or too few groups of pairs, for the gain that the rules plan for.

    The power takes the pairs for independent, so that it refuses only what is
    surely too small.

    Args:
        sizes: pairs in each independent group.
        rules: of the claim.
        look: judged at the level of its number.
        next_look: the look that the plan is for: this one again if it was not scored.
    """
    n, groups, alpha = sum(sizes), len(sizes), spent_alpha(rules.alpha, look.number)
    power = rule_power(n, rules.planned_discordance_ppm, rules.target_gain_ppm, alpha, rules.threshold_ppm)
    if n < rules.min_items or power * PPM < rules.min_power_ppm:
        return _too_few_items(n, rules, look, next_look)
    if Fraction(1, 2**groups) >= alpha:
        return Reason(
            "too_few_groups",
            f"The {wording.count(n, 'pair')} come from only {wording.count(groups, 'independent group')}; "
            f"even if all of them improved, chance could not be ruled out at the level of look "
            f"{look.number} ({wording.percent(alpha)}). Collect items from more sessions or contributors.",
        )
    return None


def _too_few_items(n: int, rules: Rules, look: Look, next_look: int) -> Reason:
    """The plan rests on the rules alone and on no score, so that it may be published."""
    planned, gain, level = rules.planned_discordance_ppm, rules.target_gain_ppm, spent_alpha(rules.alpha, next_look)
    needed = required_n(planned, gain, level, rules.threshold_ppm, max(rules.power_ppm, rules.min_power_ppm))
    basis = f"from the planned discordance of {wording.chance(planned)}"
    if needed is not None and needed < rules.min_items:
        needed, basis = rules.min_items, "the least that the rules judge"
    plan = wording.plan_sentence(needed, gain, basis, rules, next_look)
    return Reason(
        "too_few_items",
        f"{wording.count(n, 'resolved pair')} are too few to certify anything at look {look.number}. {plan}",
        needed,
    )


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


def too_many_regressions(pairs: Pairs, rules: Rules) -> Reason | None:
    """More items that got worse than the rules allow."""
    if rules.max_regressions is None or pairs.losses <= rules.max_regressions:
        return None
    return Reason(
        "too_many_regressions",
        f"The candidate is worse on {wording.count(pairs.losses, 'item')}; the rules allow "
        f"{rules.max_regressions:,} (max_regressions). Choose a candidate that keeps more of what the baseline "
        "gets right.",
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
