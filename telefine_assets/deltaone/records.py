"""What DeltaOne is told, and what it answers: the records of a paired comparison.

A record holds only what JSON can carry without loss: integers, strings,
booleans and None. Scores and shares are integers in parts per million (ppm) of
the metric's scale, so that a gain of exactly 1.00 percentage point (10,000 ppm)
is never lost to a float; p-values and levels are decimal or fraction strings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from fractions import Fraction
from typing import Any, Self

from telefine_assets.errors import TelefineError

PPM = 1_000_000
"""The whole scale: a metric of 1.0, or 100 %."""

UNPARSABLE = "unparsable"
"""The one error of an item that is an answer: the model replied, and the reply could not be read."""

UNJUDGED = "unjudged"
"""How the error of an answer begins that the metric could not judge; the metric's outcome follows a colon."""

_DECIMAL = re.compile(r"[0-9]{0,9}\.?[0-9]{1,60}([eE]-?[0-9]{1,3})?|[0-9]{1,18}/[1-9][0-9]{0,17}")

HIGHER = "higher"
LOWER = "lower"


class RecordError(TelefineError):
    """A row, rule or look holds something that a decision cannot rest on."""


class _Record:
    """Conversion to and from plain dictionaries, shared by the records below."""

    def to_record(self) -> dict[str, Any]:
        """Return the fields as a dictionary that ``canonical_json`` accepts."""
        return asdict(self)  # type: ignore[call-overload]

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Rebuild from a dictionary with exactly these fields.

        Raises:
            RecordError: for a missing or unknown field, or one of a wrong type or value.
        """
        known = {f.name for f in fields(cls)}  # type: ignore[arg-type]
        missing, unknown = sorted(known - set(record)), sorted(set(record) - known)
        if missing or unknown:
            raise RecordError(
                f"{cls.__name__}: missing fields {missing}, unknown fields {unknown}. "
                "Write the record again with the version of Telefine that reads it."
            )
        return cls(**record)


def _require_int(owner: str, name: str, value: object, low: int | None, high: int | None = None) -> None:
    """Refuse anything but an integer from ``low`` to ``high``; a bool is not a number here."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise RecordError(f"{owner}.{name} must be an integer, not {value!r}: convert scores to ppm first.")
    if (low is not None and value < low) or (high is not None and value > high):
        raise RecordError(f"{owner}.{name} is {value}; it must be from {low} to {high}.")


def _require_str(owner: str, name: str, value: object) -> None:
    """Refuse anything but a string that is not empty."""
    if not isinstance(value, str) or not value:
        raise RecordError(f"{owner}.{name} must be a string that is not empty, not {value!r}.")


@dataclass(frozen=True)
class PairedItem(_Record):
    """One holdout item, answered by the baseline and by the candidate.

    Attributes:
        item: digest of the item's content cluster; unique in a comparison.
        trace_id: the trace that the item came from.
        group: what may not be treated as independent of other items: a session
            or a contributor, else the item itself.
        inputs: what both programs were asked.
        label: what the answers were scored against.
        label_source: where the label came from, such as ``expectation:<id>``.
            ``output:...`` and ``baseline...`` name answers of the program itself.
        baseline_output: the baseline's answer; None when there is none.
        candidate_output: the candidate's answer; None when there is none.
        baseline_ppm: the baseline's score in ppm of the metric's scale; None
            when an infrastructure error left the item unresolved.
        candidate_ppm: the same for the candidate.
        baseline_error: error code or None. ``unparsable`` is a wrong answer and
            has a score of 0; ``unjudged: ...`` is an answer that the metric could
            not judge; any other error is no answer. Neither of these has a score.
        candidate_error: the same for the candidate.
        contributor: who is paid for the trace, if anyone.
        baseline_measures: further integers of the baseline's answer by name, such
            as ``latency_ms``; what was not measured has no entry.
        candidate_measures: the same for the candidate.
    """

    item: str
    trace_id: str
    group: str
    inputs: dict[str, Any]
    label: dict[str, Any]
    label_source: str
    baseline_output: dict[str, Any] | None
    candidate_output: dict[str, Any] | None
    baseline_ppm: int | None
    candidate_ppm: int | None
    baseline_error: str | None = None
    candidate_error: str | None = None
    contributor: str | None = None
    baseline_measures: dict[str, int] = field(default_factory=dict)
    candidate_measures: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse rows whose types a decision cannot rest on; values are judged by ``decide``."""
        _require_str("PairedItem", "item", self.item)
        _require_str("PairedItem", "group", self.group)
        if not isinstance(self.label_source, str):
            raise RecordError(f"PairedItem.label_source must be a string, not {self.label_source!r}.")
        for name in ("baseline_ppm", "candidate_ppm"):
            if getattr(self, name) is not None:
                _require_int("PairedItem", name, getattr(self, name), None)
        for side in ("baseline_measures", "candidate_measures"):
            for name, value in getattr(self, side).items():
                _require_int("PairedItem", f"{side}.{name}", value, 0)

    @property
    def resolved(self) -> bool:
        """Whether both programs have a score."""
        return self.baseline_ppm is not None and self.candidate_ppm is not None

    @property
    def answered(self) -> bool:
        """Whether both programs answered, be it badly; known before anything is scored."""
        return _is_answer(self.baseline_error) and _is_answer(self.candidate_error)


def _is_answer(error: str | None) -> bool:
    return error is None or error == UNPARSABLE or error.startswith(UNJUDGED)


MEAN, P95 = "mean", "p95"


@dataclass(frozen=True)
class Guardrail(_Record):
    """A bound on something other than the score; a missing value breaks it.

    Attributes:
        name: what the settings call it.
        measure: the entry of ``candidate_measures`` that it bounds.
        statistic: ``mean``, or ``p95`` (nearest rank), over the pairs that both
            programs answered, whether or not the metric could judge them.
        direction: ``higher`` when more of the measure is better.
        at_least: least allowed value of the candidate, in the measure's unit; or None.
        at_most: greatest allowed value, or None.
        max_worse: by how much the candidate may be worse than the baseline, or None.
        reads_label: whether the measure depends on the holdout's labels. What came
            of such a guardrail is published only once DeltaOne is reached.
        digest: of the metric that gives the measure; empty for a built-in measure.
    """

    name: str
    measure: str
    statistic: str = MEAN
    direction: str = HIGHER
    at_least: int | None = None
    at_most: int | None = None
    max_worse: int | None = None
    reads_label: bool = False
    digest: str = ""

    def __post_init__(self) -> None:
        """Refuse a guardrail that bounds nothing."""
        _require_str("Guardrail", "name", self.name)
        _require_str("Guardrail", "measure", self.measure)
        if self.statistic not in (MEAN, P95):
            raise RecordError(f"Guardrail.statistic is {self.statistic!r}; it must be 'mean' or 'p95'.")
        if self.direction not in (HIGHER, LOWER):
            raise RecordError(f"Guardrail.direction is {self.direction!r}; it must be 'higher' or 'lower'.")
        bounds = {name: getattr(self, name) for name in ("at_least", "at_most", "max_worse")}
        for name, bound in bounds.items():
            if bound is not None:
                _require_int("Guardrail", name, bound, 0)
        if all(bound is None for bound in bounds.values()):
            raise RecordError(f"Guardrail {self.name} bounds nothing: set at_least, at_most or max_worse.")
        more_is_wanted = self.at_least is not None or (self.max_worse is not None and self.direction == HIGHER)
        if self.statistic == P95 and more_is_wanted:
            raise RecordError(
                f"Guardrail {self.name}: a floor under p95 lets 95 % of the answers be bad; use the mean."
            )


@dataclass(frozen=True)
class Rules(_Record):
    """What must hold before DeltaOne is declared; fixed before the look.

    Attributes:
        threshold_ppm: the least gain in ppm; 10,000 is 1.00 percentage point.
        alpha: error spent over all looks on one holdout, as a decimal string.
        direction: ``higher`` when a higher score is better, ``lower`` for a loss.
        min_items: fewest resolved pairs that are judged at all.
        max_unresolved_ppm: largest share of unresolved pairs.
        planned_discordance_ppm: share of items on which the two programs are
            expected to differ. Published power figures rest on this and never on
            the share observed, which would tell something of the holdout's scores.
        target_gain_ppm: the gain that the holdout should be able to show.
        min_power_ppm: least chance of showing ``target_gain_ppm`` with the
            resolved pairs at this look, below which n is too small.
        power_ppm: the chance at which detectable gains and needed n are quoted.
        permutations: fewest random sign flips of a sampled test.
        seed: seed of the sign flips.
        guardrails: what must hold beside the gain.
        score_reads_label: whether the metric compares with a label; else a guardrail
            on the answers may be the score under another name.
        max_regressions: most items on which the candidate may be worse; None for any number.
    """

    threshold_ppm: int = 10_000
    alpha: str = "0.05"
    direction: str = HIGHER
    min_items: int = 100
    max_unresolved_ppm: int = 20_000
    planned_discordance_ppm: int = 200_000
    target_gain_ppm: int = 100_000
    min_power_ppm: int = 500_000
    power_ppm: int = 800_000
    permutations: int = 10_000
    seed: int = 0
    guardrails: tuple[Guardrail, ...] = ()
    max_regressions: int | None = None
    score_reads_label: bool = True

    def to_record(self) -> dict[str, Any]:
        """Return the fields as a dictionary that ``canonical_json`` accepts."""
        return {**super().to_record(), "guardrails": [each.to_record() for each in self.guardrails]}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Rebuild from a dictionary with exactly these fields.

        Raises:
            RecordError: for a missing or unknown field, or one of a wrong type or value.
        """
        rails = record.get("guardrails")
        if not isinstance(rails, list):
            raise RecordError(f"Rules.guardrails must be a list, not {rails!r}.")
        return super().from_record({**record, "guardrails": tuple(Guardrail.from_record(rail) for rail in rails)})

    def __post_init__(self) -> None:
        """Refuse rules under which nothing, or everything, would be certified."""
        for name, low, high in (
            ("threshold_ppm", 1, PPM),
            ("min_items", 1, None),
            ("max_unresolved_ppm", 0, PPM),
            ("planned_discordance_ppm", 1, PPM),
            ("target_gain_ppm", 1, PPM),
            ("min_power_ppm", 0, PPM - 1),
            ("power_ppm", 1, PPM - 1),
            # What is read may come from a stranger, and is worked through.
            ("permutations", 100, 10_000_000),
            ("seed", 0, None),
        ):
            _require_int("Rules", name, getattr(self, name), low, high)
        if self.max_regressions is not None:
            _require_int("Rules", "max_regressions", self.max_regressions, 0)
        names = [rail.name for rail in self.guardrails]
        if len(set(names)) < len(names):
            raise RecordError(f"Rules.guardrails: {names} names one twice.")
        if self.direction not in (HIGHER, LOWER):
            raise RecordError(f"Rules.direction is {self.direction!r}; it must be 'higher' or 'lower'.")
        # Exponents are short: 1e-999999999 as a fraction fills the memory.
        if not isinstance(self.alpha, str) or not _DECIMAL.fullmatch(self.alpha):
            raise RecordError(f'Rules.alpha must be a decimal string such as "0.05", not {self.alpha!r}.')
        if not 0 < Fraction(self.alpha) < Fraction(1, 2):
            raise RecordError(f"Rules.alpha is {self.alpha}; it must lie between 0 and 0.5.")


@dataclass(frozen=True)
class Look(_Record):
    """One look at a holdout, as the ledger recorded it before anything was scored.

    Attributes:
        number: k, the how-manieth look at this holdout; the first is 1.
        holdout_digest: digest of the holdout's items.
        baseline_version: version digest of the baseline program.
        candidate_version: version digest of the candidate program.
        metric_digest: digest of the metric.
    """

    number: int
    holdout_digest: str
    baseline_version: str
    candidate_version: str
    metric_digest: str

    def __post_init__(self) -> None:
        """Refuse a look that does not say what it looks at."""
        _require_int("Look", "number", self.number, 1)
        for name in ("holdout_digest", "baseline_version", "candidate_version", "metric_digest"):
            _require_str("Look", name, getattr(self, name))


@dataclass(frozen=True)
class Decision(_Record):
    """The answer of ``decide``. It holds scores: publish ``public_view`` of it, not this.

    A gain is counted in the metric's good direction: positive is better, for a
    loss too. Fields that were not computed are None or the empty string.

    Attributes:
        reached: whether DeltaOne is reached.
        code: stable reason code; ``reached`` or the first thing that stood against it.
        sentence: the same in plain words, with what would cure it.
        n: resolved pairs.
        unresolved: pairs left out because an infrastructure error hit either side.
        groups: independent groups among the resolved pairs.
        effective_n: independent pairs that they are worth at the least: n, or fewer
            when a group holds several.
        wins: pairs on which the candidate is better.
        losses: pairs on which it is worse.
        ties: pairs on which both score the same.
        baseline_sum_ppm: exact sum of the baseline's scores over the n pairs.
        candidate_sum_ppm: exact sum of the candidate's.
        baseline_ppm: mean score, rounded toward zero.
        candidate_ppm: mean score, rounded toward zero.
        delta_sum_ppm: exact sum of the gains; the gain is ``delta_sum_ppm / n``.
        delta_ppm: mean gain, rounded toward zero.
        lower_ppm: lower end of the interval of the gain, rounded down.
        upper_ppm: upper end, rounded up.
        confidence: the interval's two-sided level, 1 - 2 alpha_k, as a fraction.
        p_value: one-sided, six significant digits, rounded up.
        alpha_k: the level of this look as an exact fraction.
        k: number of the look.
        method: ``mcnemar_exact``, ``sign_flip_exact``, ``sign_flip_sampled`` or "".
        permutations: random flips of a sampled test, else 0.
        grade: "improved", "improved by at least 1 pp" (the threshold) or "".
        detectable_ppm: smallest gain that ``effective_n`` could have shown with the rules'
            power, at the planned discordance; None if there is none.
        required_n: pairs that the plan in ``sentence`` asks for, if it has one;
            rests on observed discordance.
        threshold_ppm: the rule's least gain.
        direction: the metric's good direction.
        planned_discordance_ppm: what ``detectable_ppm`` rests on.
        power_ppm: the power of ``detectable_ppm`` and ``required_n``.
        guardrails: what came of each, in the order of the rules: ``name``, ``measure``,
            ``statistic``, ``baseline`` and ``candidate`` (the statistic, rounded against
            the candidate; None when a value is missing), ``bound`` (in words), ``held``
            and ``reads_label``. Empty when they were not judged.
    """

    reached: bool
    code: str
    sentence: str
    n: int
    unresolved: int
    groups: int
    effective_n: int
    wins: int
    losses: int
    ties: int
    baseline_sum_ppm: int
    candidate_sum_ppm: int
    baseline_ppm: int | None
    candidate_ppm: int | None
    delta_sum_ppm: int
    delta_ppm: int | None
    lower_ppm: int | None
    upper_ppm: int | None
    confidence: str
    p_value: str
    alpha_k: str
    k: int
    method: str
    permutations: int
    grade: str
    detectable_ppm: int | None
    required_n: int | None
    threshold_ppm: int
    direction: str
    planned_discordance_ppm: int
    power_ppm: int
    guardrails: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuse a stored decision whose parts contradict one another."""
        if self.reached != (self.code == "reached"):
            raise RecordError(f"Decision: reached is {self.reached} and the code is {self.code!r}.")
        if self.wins + self.losses + self.ties != self.n:
            raise RecordError("Decision: wins, losses and ties do not add up to n.")
