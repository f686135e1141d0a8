"""Trials: how a program with only some of its demos did on the validation items, and what follows for each demo.

All scores are kept, so that whoever has them can value the demos again. How sure
the values are is read off the items: Shapley values are linear in the scores, so
the items are dealt into batches, each batch is valued by itself, and the values
spread between batches as they would between other items of the same kind (batch
means; items of one session stay together). The spread of a fit around its design
comes on top.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from telefine_assets.attribution.batches import LEAST_BATCHES, MOST_BATCHES
from telefine_assets.attribution.records import Fields, RecordError
from telefine_assets.attribution.shapley import (
    PlayerValue,
    ShapleyRules,
    ShapleyValues,
    coalition_count,
    coalitions,
    root,
    shapley_values,
)
from telefine_assets.attribution.usage import AttributionError
from telefine_assets.attribution.weights import FULL_PPM

MOST_BUDGET = 10_000
"""Coalitions: what a stranger's file may make a verifier work through."""
T_PPM = {
    1: 1_730_000, 2: 2_094_000, 3: 2_295_000, 4: 2_434_000, 6: 2_626_000, 8: 2_759_000,
    12: 2_944_000, 16: 3_074_000, 24: 3_255_000, 32: 3_383_000, 48: 3_562_000, 64: 3_688_000,
}  # fmt: skip
"""One-sided 5 % points, shared out over so many players (Bonferroni), of Student's t in millionths.

With 19 degrees of freedom, the fewest that there are: ``scipy.stats.t.ppf(1 - 0.05 / players, 19)``, rounded up.
Many demos that do nothing are many chances to look as if they did.
"""

Score = int | None
Ask = Callable[[frozenset[str]], Sequence[Score]]
Progress = Callable[[int, int], None]
_MAX = 2**53 - 1


@dataclass(frozen=True)
class Trials:
    """What every coalition of demos scored.

    Attributes:
        players: the clusters of the program's demos, ascending.
        rules: which coalitions were asked.
        items: (content cluster, group) of each validation item; items of one
            group are not independent of one another.
        scores: per coalition of ``coalitions(players, rules)``, in that order, the
            score of each item in parts per million in the metric's good direction;
            None where it could not be judged.

    Raises:
        RecordError: on construction, for other numbers of coalitions or items.
    """

    players: tuple[str, ...]
    rules: ShapleyRules
    items: tuple[tuple[str, str], ...]
    scores: tuple[tuple[Score, ...], ...]

    def __post_init__(self) -> None:
        if list(self.players) != sorted(set(self.players)) or not self.players:
            raise RecordError("trials.players", "must ascend strictly, and there must be one")
        names = [cluster for cluster, _ in self.items]
        if len(set(names)) != len(names):
            raise RecordError("trials.items", "must be given once each")
        # Told by numbers alone: a stranger's budget must not make a verifier list what it allows.
        if len(self.scores) != coalition_count(len(self.players), self.rules):
            raise RecordError("trials.scores", "must be those of the coalitions that players and rules give")
        if any(len(row) != len(self.items) for row in self.scores):
            raise RecordError("trials.scores", f"must have {len(self.items)} scores for each coalition")

    @property
    def judged(self) -> list[int]:
        """Positions of the items that were judged for every coalition: only those count, for all of them."""
        return [at for at in range(len(self.items)) if all(row[at] is not None for row in self.scores)]

    def to_record(self) -> dict[str, Any]:
        """Canonical JSON form."""
        return {
            "players": list(self.players),
            "budget": self.rules.budget,
            "seed": self.rules.seed,
            "items": [list(item) for item in self.items],
            "scores": [list(row) for row in self.scores],
        }

    @classmethod
    def from_record(cls, value: Mapping[str, Any]) -> Trials:
        """Read ``to_record``'s form.

        Raises:
            RecordError: a field is missing, unknown or wrong.
            AttributionError: more players than can be valued.
        """
        fields = Fields(value, "trials")
        players = fields.texts("players")
        trials = cls(
            players=players,
            rules=rules_of(fields.integer("budget", 64, MOST_BUDGET), fields.integer("seed", 0, _MAX), len(players)),
            items=tuple(_item(each) for each in fields.items("items")),
            scores=tuple(tuple(_score(each) for each in _row(row)) for row in fields.items("scores")),
        )
        fields.done()
        return trials


def rules_of(budget: int, seed: int, players: int) -> ShapleyRules:
    """The rules of trials: answers repeat themselves, and a value must exceed what other items may have given.

    Raises:
        AttributionError: too many players, or too large a budget.
    """
    if players > max(T_PPM) or budget > MOST_BUDGET:
        raise AttributionError(
            f"{players} clusters, {budget} coalitions: at most {max(T_PPM)} and {MOST_BUDGET} can be valued. "
            "Weigh by usage."
        )
    return ShapleyRules(budget, seed, noise_ppm=0, z_ppm=T_PPM[min(step for step in T_PPM if step >= players)])


def hold(
    players: Iterable[str], budget: int, seed: int, items: Sequence[tuple[str, str]], ask: Ask, progress: Progress
) -> Trials:
    """Have every coalition answer the items.

    Args:
        players: clusters of the program's demos, in any order, repeats allowed.
        budget: at most so many coalitions are asked.
        seed: of the draw of coalitions.
        items: (content cluster, group) of each validation item.
        ask: gives a coalition's scores in the order of the items. A model that
            does not answer must raise, not score.
        progress: told how many coalitions have answered, of how many.

    Raises:
        AttributionError: too many players for the budget, or at all.
    """
    names = tuple(sorted(set(players)))
    rules = rules_of(budget, seed, len(names))
    asked = coalitions(names, rules)
    scores: list[tuple[Score, ...]] = []
    for coalition in asked:
        scores.append(tuple(ask(coalition)))
        progress(len(scores), len(asked))
    return Trials(names, rules, tuple(items), tuple(scores))


def valued(trials: Trials) -> ShapleyValues | None:
    """What each cluster is worth, in parts per million summed over the judged items, and how surely.

    Returns:
        The values; None where fewer than ``LEAST_BATCHES`` independent groups of
        items were judged, which leaves how sure they are unknown.
    """
    batches = _batches(trials)
    if len(batches) < LEAST_BATCHES:
        return None
    whole = _values(trials, [at for batch in batches for at in batch])
    parts = [_values(trials, batch) for batch in batches]
    lines = []
    for at, line in enumerate(whole.lines):
        spread = _variance_of_sum([part.lines[at].value_ppm for part in parts])
        lines.append(PlayerValue(line.cluster, line.value_ppm, root(spread + line.error_ppm**2)))
    return replace(whole, lines=tuple(lines))


def _batches(trials: Trials) -> list[list[int]]:
    """The judged items, dealt out by groups, so that batches differ by one group at most."""
    groups: dict[str, list[int]] = {}
    for at in trials.judged:
        groups.setdefault(trials.items[at][1], []).append(at)
    count = min(len(groups), MOST_BATCHES)
    batches: list[list[int]] = [[] for _ in range(count)]
    for number, group in enumerate(sorted(groups)):
        batches[number % count] += groups[group]
    return batches


def _values(trials: Trials, items: Sequence[int]) -> ShapleyValues:
    worth = {
        coalition: sum(row[at] or 0 for at in items)
        for coalition, row in zip(coalitions(trials.players, trials.rules), trials.scores, strict=True)
    }
    return shapley_values(trials.players, worth.__getitem__, trials.rules)


def _variance_of_sum(parts: Sequence[int]) -> Fraction:
    """Of the sum of so many independent parts, from their own spread."""
    count, total = len(parts), sum(parts)
    squares = sum((count * part - total) ** 2 for part in parts)
    return Fraction(squares, count * (count - 1))


def _row(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise RecordError("trials.scores", f"expected lists, found {type(value).__name__}")
    return value


def _item(value: object) -> tuple[str, str]:
    if not isinstance(value, list) or len(value) != 2 or not all(isinstance(each, str) and each for each in value):
        raise RecordError("trials.items", f"expected [cluster, group], found {value!r}")
    return value[0], value[1]


def _score(value: object) -> Score:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= FULL_PPM):
        return value
    raise RecordError("trials.scores", f"expected 0 to {FULL_PPM} or null, found {value!r}")
