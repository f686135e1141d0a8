"""The rule: from the paired scores of one look to DeltaOne, or to the reason against it.

The order of the reasons is part of the rule. What can be judged without
comparing scores comes first, so that a comparison that cannot certify is not
also a peek: rows, programs, labels, missing answers, size, guardrails that read
no label. Only then the gain and its test; and last what must hold of a gain that
stands: guardrails that read labels, and the number of regressions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from telefine_assets.deltaone import guardrails, wording
from telefine_assets.deltaone.pairs import Pairs, interval_ppm, pairs_of
from telefine_assets.deltaone.power import detectable_gain, effective_n
from telefine_assets.deltaone.records import Decision, Look, PairedItem, Rules
from telefine_assets.deltaone.refusals import (
    Reason,
    not_significant,
    same_program,
    too_many_regressions,
    too_many_unresolved,
    too_small,
    unfit_labels,
    untrusted_rows,
)
from telefine_assets.deltaone.statistics import (
    MCNEMAR,
    FlipResult,
    group_sums,
    mcnemar_below,
    mcnemar_p,
    sign_flip_test,
    spent_alpha,
)

REACHED = "reached"
BELOW_THRESHOLD = "below_threshold"
NOT_SIGNIFICANT = "not_significant"
NOT_REACHED = "not_reached"
"""The public code of every refusal that rests on scores; see ``public_view``."""

PUBLIC_CODES = frozenset(
    {
        "no_items",
        "duplicate_items",
        "score_out_of_range",
        "inconsistent_scores",
        "same_program",
        "self_labels",
        "unknown_labels",
        "too_many_unresolved",
        "too_few_items",
        "too_few_groups",
        guardrails.MISSING,
        guardrails.FAILED,
        REACHED,
    }
)
"""The codes that may be published; any other is shown as ``not_reached``."""


def decide(items: Sequence[PairedItem], rules: Rules, look: Look) -> Decision:
    """Decide whether DeltaOne is reached; the same rows in any order give the same decision.

    Reached if and only if the mean gain in the metric's good direction is at
    least ``rules.threshold_ppm``, compared as integers, and the one-sided p-value is
    strictly below alpha / (k (k + 1)), every guardrail holds and no more items than
    ``rules.max_regressions`` got worse. Pairs of one ``group`` are not taken for
    independent: if any group holds several, the test and the interval count groups.
    An unparsable answer counts as the worst score, which for a loss is the largest.

    The interval has the level 1 - 2 alpha_k, so that a lower end above 0 (or at
    least the threshold), on which the grade rests, errs about as rarely as the
    test, over all looks.

    Args:
        items: one row per holdout item.
        rules: fixed before the look.
        look: as the ledger recorded it before the look.

    Returns:
        The decision with every number that it rests on. Refusals before the test
        carry no p-value and no interval.
    """
    alpha = spent_alpha(rules.alpha, look.number)
    untrusted = untrusted_rows(items, rules)
    pairs = Pairs() if untrusted else pairs_of(items, rules)
    decision = _described(pairs, rules, look, alpha)
    if not untrusted:
        decision = replace(decision, unresolved=len(items) - pairs.n)
    refusal = (
        untrusted
        or same_program(look)
        or unfit_labels([row.label_source for row in items])
        or too_many_unresolved(len(items), pairs.n, rules)
        or too_small(pairs.group_sizes, rules, look, look.number + 1)
    )
    if refusal:
        return _with_reason(decision, refusal)
    outcomes = guardrails.measured(items, rules)
    decision = replace(decision, guardrails=outcomes)
    refusal = guardrails.first_broken(outcomes, rules, public=True)
    if refusal:
        return _with_reason(decision, refusal)
    tested, reason = _tested(decision, pairs, rules, look, alpha)
    reason = reason or guardrails.first_broken(outcomes, rules, public=False) or too_many_regressions(pairs, rules)
    return _with_reason(tested, reason) if reason else _reached(tested, rules, alpha)


def _described(pairs: Pairs, rules: Rules, look: Look, alpha: Fraction) -> Decision:
    """The tallies, before anything is tested. Rows that cannot be trusted are not tallied."""
    n, wins, losses = pairs.n, pairs.wins, pairs.losses
    old, new, gain = sum(pairs.baseline), sum(pairs.candidate), sum(pairs.gains)
    independent = effective_n(pairs.group_sizes)
    return Decision(
        reached=False,
        code="",
        sentence="",
        n=n,
        unresolved=0,
        groups=len(pairs.group_sizes),
        effective_n=independent,
        wins=wins,
        losses=losses,
        ties=n - wins - losses,
        baseline_sum_ppm=old,
        candidate_sum_ppm=new,
        baseline_ppm=old // n if n else None,
        candidate_ppm=new // n if n else None,
        delta_sum_ppm=gain,
        delta_ppm=_toward_zero(gain, n) if n else None,
        lower_ppm=None,
        upper_ppm=None,
        confidence="",
        p_value="",
        alpha_k=str(alpha),
        k=look.number,
        method="",
        permutations=0,
        grade="",
        detectable_ppm=detectable_gain(
            independent, rules.planned_discordance_ppm, alpha, rules.threshold_ppm, rules.power_ppm
        ),
        required_n=None,
        threshold_ppm=rules.threshold_ppm,
        direction=rules.direction,
        planned_discordance_ppm=rules.planned_discordance_ppm,
        power_ppm=rules.power_ppm,
    )


def _tested(
    decision: Decision, pairs: Pairs, rules: Rules, look: Look, alpha: Fraction
) -> tuple[Decision, Reason | None]:
    """The test and the interval, and what they have against the gain."""
    test = _test(pairs, rules, alpha)
    lower, upper = interval_ppm(pairs, alpha)
    measured = replace(
        decision,
        lower_ppm=lower,
        upper_ppm=upper,
        confidence=str(1 - 2 * alpha),
        p_value=wording.p_text(test.p),
        method=test.method,
        permutations=test.permutations,
    )
    # The mean gain against the threshold without a division: exactly +1.00 pp is enough.
    if sum(pairs.gains) < pairs.n * rules.threshold_ppm:
        return measured, _below_threshold(measured, pairs)
    return measured, None if test.below else not_significant(pairs, rules, look, alpha, test.p)


def _test(pairs: Pairs, rules: Rules, alpha: Fraction) -> FlipResult:
    """The one-sided test that the scores and groups call for."""
    if pairs.binary and not pairs.clustered:
        return FlipResult(
            p=mcnemar_p(pairs.wins, pairs.losses),
            below=mcnemar_below(pairs.wins, pairs.losses, alpha),
            method=MCNEMAR,
            permutations=0,
        )
    return sign_flip_test(group_sums(pairs.gains, pairs.groups), alpha, rules.permutations, rules.seed)


def _reached(decision: Decision, rules: Rules, alpha: Fraction) -> Decision:
    reached = replace(decision, reached=True, code=REACHED, grade=_grade(decision.lower_ppm or 0, rules))
    return replace(reached, sentence=_reached_sentence(reached, alpha))


def _grade(lower_ppm: int, rules: Rules) -> str:
    """How much of the gain is certain. Empty when the test passes and the interval still holds 0."""
    if lower_ppm >= rules.threshold_ppm:
        return f"improved by at least {wording.whole_points(rules.threshold_ppm)} pp"
    return "improved" if lower_ppm > 0 else ""


def _below_threshold(decision: Decision, pairs: Pairs) -> Reason:
    gain = wording.points(_toward_zero(sum(pairs.gains), pairs.n), sign=True)
    return Reason(
        BELOW_THRESHOLD,
        f"The observed gain of {gain} pp on {wording.count(pairs.n, 'pair')} is below the threshold of "
        f"{wording.points(decision.threshold_ppm)} pp. More items will not cure that: choose a better "
        "candidate on validation.",
    )


def _reached_sentence(decision: Decision, alpha: Fraction) -> str:
    gain = wording.points(decision.delta_ppm or 0)
    ends = wording.interval(decision.lower_ppm or 0, decision.upper_ppm or 0)
    confidence = wording.percent(Fraction(decision.confidence), 4)
    p = wording.p_text(float(decision.p_value), 2)
    return (
        f"DeltaOne is reached: the candidate is better by {gain} pp ({confidence} interval {ends}) on "
        f"{wording.count(decision.n, 'pair')}; p = {p}, below {wording.percent(alpha)}, the level of look "
        f"{decision.k}."
    )


def _with_reason(decision: Decision, reason: Reason) -> Decision:
    return replace(decision, code=reason.code, sentence=reason.sentence, required_n=reason.required_n)


def _toward_zero(total: int, n: int) -> int:
    """The mean in whole ppm, rounded toward zero, so that neither side is flattered."""
    return total // n if total >= 0 else -(-total // n)


def decided(record: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a decision's record that decides: words and plans may be put better one day."""
    return {key: value for key, value in record.items() if key not in ("sentence", "required_n", "detectable_ppm")}


def public_view(decision: Decision) -> dict[str, Any]:
    """What may be published: everything once reached, and next to nothing before.

    Before, it holds no score and nothing computed from one, and it does not tell
    the reasons apart that rest on scores: a gain below the threshold, one that is
    not significant, a guardrail that reads labels, too many regressions. Each
    would be a bit on the candidate's score, and votes over such bits rebuild the
    labels (see the simulation in the tests). When every failure looks alike, the
    candidates of a run up to its first success are a sequence fixed beforehand, and
    the union bound over the looks holds against any adversary who sees only this
    (after Blum and Hardt 2015, arXiv 1502.04585).
    """
    if decision.reached:
        return decision.to_record()
    code = decision.code if decision.code in PUBLIC_CODES else NOT_REACHED
    return {
        "reached": False,
        "code": code,
        "sentence": _public_sentence(decision, code),
        "n": decision.n,
        "unresolved": decision.unresolved,
        "groups": decision.groups,
        "effective_n": decision.effective_n,
        "k": decision.k,
        "alpha_k": decision.alpha_k,
        "detectable_ppm": decision.detectable_ppm,
        "power_ppm": decision.power_ppm,
        "planned_discordance_ppm": decision.planned_discordance_ppm,
        "threshold_ppm": decision.threshold_ppm,
        "guardrails": [outcome for outcome in decision.guardrails if not outcome["reads_label"]],
    }


def _public_sentence(decision: Decision, code: str) -> str:
    """The decision's sentence, rewritten where it would tell of scores."""
    could = wording.detectable_sentence(decision.detectable_ppm, decision.power_ppm, decision.planned_discordance_ppm)
    rewritten = {
        NOT_REACHED: f"DeltaOne is not reached: {wording.count(decision.n, 'resolved pair')} at look {decision.k} did "
        f"not show a gain of {wording.points(decision.threshold_ppm)} pp beyond chance, with all else that the rules "
        f"ask for. {could} Choose a better candidate on validation, or collect more held-out items.",
        "score_out_of_range": "A score lies outside the metric's scale. Bring the metric to a scale from 0 to 1.",
        "inconsistent_scores": "The score and the error of an answer contradict each other. Evaluate again.",
    }
    return rewritten.get(code, decision.sentence)
