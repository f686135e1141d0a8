"""KernelSHAP: Shapley values of many players from a budget of coalitions.

Shapley values are the weighted least-squares fit of an additive game to all
coalitions, with efficiency as a constraint and the weight
``(n - 1) / (C(n, s) s (n - s))`` for a coalition of ``s`` of ``n`` players
(Lundberg and Lee 2017, theorem 2: https://arxiv.org/abs/1705.07874). A coalition
is asked with its complement and enters as the difference of the two (paired
sampling, Covert and Lee 2021: https://arxiv.org/abs/2012.01536), which cancels
the noise of all interactions of an even order, pairs of players first of all.

As in the authors' own program, sizes are taken from the smallest up and asked
completely while a size's fair share of the budget covers all of it; the rest of
the budget is drawn from the other sizes, here without replacement and with fixed
numbers per size, and those coalitions carry the rest of the weight evenly.

Everything is integers and fractions, so that a stranger who recomputes a weight
gets the same bytes on any machine; floating-point solvers do not promise that.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import chain, combinations
from math import comb, lcm

from telefine_assets.attribution.allocation import largest_remainder

Matrix = list[list[int]]


@dataclass(frozen=True)
class Group:
    """Pairs of complementary coalitions of one weight.

    Attributes:
        weight: of each pair, in whole units that all groups of a design share.
        masks: one coalition of each pair; bit ``i`` stands for player ``i``.
    """

    weight: int
    masks: tuple[int, ...]


@dataclass(frozen=True)
class Design:
    """The coalitions to ask, besides the empty and the full one.

    Attributes:
        players: how many there are.
        groups: the pairs, each pair once.
    """

    players: int
    groups: tuple[Group, ...]

    @property
    def masks(self) -> tuple[int, ...]:
        """One coalition of each pair, in the order in which ``fit`` takes their gains."""
        return tuple(chain.from_iterable(group.masks for group in self.groups))


@dataclass(frozen=True)
class Fit:
    """The fitted game.

    Attributes:
        values: per player; they sum to exactly the total.
        spreads: the variance of each value, per unit of variance of a pair's gain.
        residual: the variance of a pair's gain around the fit: what interactions
            of odd order and noisy answers leave. None if nothing is left over to
            tell it from.
    """

    values: tuple[Fraction, ...]
    spreads: tuple[Fraction, ...]
    residual: Fraction | None


def least_budget(players: int) -> int:
    """The fewest coalitions, the empty and the full one included, that tell values and errors apart."""
    return min(2**players, 4 * players + 2)


def plan(players: int, budget: int, seed: int) -> Design:
    """Choose the coalitions: the same for the same numbers, whatever the answers will be.

    Args:
        players: one or more.
        budget: at most so many coalitions, the empty and the full one included;
            at least ``least_budget``.
        seed: of the draw.
    """
    left = (budget - 2) // 2
    groups: list[tuple[Fraction, list[int]]] = []
    sizes = list(range(1, players // 2 + 1))
    mass = {size: _weight(players, size) * _pairs(players, size) for size in sizes}
    # Single players are always asked: without them the fit may have no solution.
    while sizes and (sizes[0] == 1 or left * mass[sizes[0]] >= _pairs(players, sizes[0]) * _sum(mass, sizes)):
        size = sizes.pop(0)
        groups.append((_weight(players, size), _all_of(players, size)))
        left -= _pairs(players, size)
    if sizes and left:
        groups.append((_sum(mass, sizes) / left, _drawn(players, {s: mass[s] for s in sizes}, left, seed)))
    scale = lcm(*(weight.denominator for weight, _ in groups))
    return Design(players, tuple(Group(int(weight * scale), tuple(masks)) for weight, masks in groups))


def fit(design: Design, gains: Sequence[int], total: int) -> Fit:
    """Fit the additive game to the gains, with efficiency as a constraint.

    With ``x = 1`` for a player inside and ``-1`` outside, minimise
    ``sum(weight (gain - x . value)^2)`` subject to ``sum(value) = total``.

    Args:
        design: the pairs asked.
        gains: per pair of ``design.masks``, the coalition's answer less its complement's.
        total: the full coalition's answer less the empty one's.
    """
    solution = _solution(design)
    target = _target(design, gains)
    values = [
        _dot(line, target) + own * solution.det * total for line, own in zip(solution.solve, solution.sums, strict=True)
    ]
    freedom = len(gains) - 2 * (design.players - 1) + solution.moved
    residual = _residual(design, gains, values, solution.unit) / freedom if freedom > 0 else None
    return Fit(tuple(Fraction(value, solution.unit) for value in values), solution.spreads, residual)


@dataclass(frozen=True)
class _Solution:
    """What of a fit depends on the design alone; values are in parts of ``unit``."""

    solve: Matrix
    sums: list[int]
    det: int
    unit: int
    spreads: tuple[Fraction, ...]
    moved: Fraction
    """By how much the fit moves with the noise: the residuals hold more of it than counting parameters tells."""


@lru_cache(maxsize=2)
def _solution(design: Design) -> _Solution:
    players = range(design.players)
    columns = _columns(design)
    # Adding the constraint as one more row changes no solution and makes the matrix invertible for two players.
    inverse, det = _adjugate([[each + 1 for each in row] for row in _gram(columns, design, 1)])
    sums = [sum(row) for row in inverse]
    whole = sum(sums)
    unit = det * whole
    solve = [[whole * inverse[i][j] - sums[i] * sums[j] for j in players] for i in players]
    noise = _gram(columns, design, 2)
    halfway = [[_dot(line, row) for line in noise] for row in solve]
    spread = [
        [_dot(one, row) + sums[i] * sums[j] * det**2 for j, row in enumerate(solve)] for i, one in enumerate(halfway)
    ]
    moved = sum(_dot(one, row) for one, row in zip(_gram(columns, design, 0), spread, strict=True))
    spreads = tuple(Fraction(spread[i][i], unit**2) for i in players)
    return _Solution(solve, sums, det, unit, spreads, Fraction(moved, unit**2))


def _weight(players: int, size: int) -> Fraction:
    """The Shapley kernel, without the factor that all sizes share."""
    return Fraction(1, comb(players, size) * size * (players - size))


def _pairs(players: int, size: int) -> int:
    """How many complementary pairs have one side of ``size``."""
    return comb(players, size) // (2 if 2 * size == players else 1)


def _sum(mass: dict[int, Fraction], sizes: list[int]) -> Fraction:
    return sum((mass[size] for size in sizes), Fraction(0))


def _all_of(players: int, size: int) -> list[int]:
    masks = [sum(1 << i for i in chosen) for chosen in combinations(range(players), size)]
    return masks[: _pairs(players, size)]


def _drawn(players: int, mass: dict[int, Fraction], pairs: int, seed: int) -> list[int]:
    """Draw distinct pairs, with numbers per size in proportion to the sizes' mass."""
    # Of random.Random only random() is promised to be the same in every version of Python.
    rng = random.Random(seed)  # noqa: S311
    shares = largest_remainder(pairs, {f"{size:06d}": part for size, part in mass.items()})
    drawn: dict[int, None] = {}
    for size in mass:
        end = len(drawn) + shares[f"{size:06d}"]
        while len(drawn) < end:
            keys = [rng.random() for _ in range(players)]
            mask = sum(1 << i for i in sorted(range(players), key=keys.__getitem__)[:size])
            # Halves are the complements of halves: take the side with the first player.
            drawn[mask if 2 * size < players or mask & 1 else mask ^ ((1 << players) - 1)] = None
    return list(drawn)


def _columns(design: Design) -> list[int]:
    """Per player the pairs whose first side has him, as bits."""
    columns = [0] * design.players
    for position, mask in enumerate(design.masks):
        for i in range(design.players):
            columns[i] |= (mask >> i & 1) << position
    return columns


def _gram(columns: list[int], design: Design, power: int) -> Matrix:
    """The sum over pairs of ``weight ** power`` times the outer product of ``x`` with itself."""
    gram = [[0] * design.players for _ in columns]
    start = 0
    for group in design.groups:
        count, weight = len(group.masks), group.weight**power
        window = ((1 << count) - 1) << start
        for i, one in enumerate(columns):
            for j, other in enumerate(columns):
                gram[i][j] += weight * (count - 2 * ((one ^ other) & window).bit_count())
        start += count
    return gram


def _target(design: Design, gains: Sequence[int]) -> list[int]:
    """The sum over pairs of weight times gain times ``x``."""
    target = [0] * design.players
    weights = chain.from_iterable([group.weight] * len(group.masks) for group in design.groups)
    for mask, weight, gain in zip(design.masks, weights, gains, strict=True):
        for i in range(design.players):
            target[i] += weight * gain if mask >> i & 1 else -weight * gain
    return target


def _residual(design: Design, gains: Sequence[int], values: list[int], unit: int) -> Fraction:
    """The sum of squared residuals; ``values`` in parts of ``unit``."""
    total = sum(values)
    squares = 0
    for mask, gain in zip(design.masks, gains, strict=True):
        inside = sum(value for i, value in enumerate(values) if mask >> i & 1)
        squares += (gain * unit - 2 * inside + total) ** 2
    return Fraction(squares, unit**2)


def _dot(left: Sequence[int], right: Sequence[int]) -> int:
    return sum(a * b for a, b in zip(left, right, strict=True))


def _adjugate(matrix: Matrix) -> tuple[Matrix, int]:
    """The inverse times the determinant, and the determinant, of a positive definite matrix.

    Elimination in integers: every division is exact (Bareiss 1968).
    """
    size = len(matrix)
    rows = [[*row, *(int(i == j) for j in range(size))] for i, row in enumerate(matrix)]
    previous = 1
    for k, pivot_row in enumerate(rows):
        pivot = pivot_row[k]
        for i, row in enumerate(rows):
            if i != k:
                factor = row[k]
                rows[i] = [(pivot * a - factor * b) // previous for a, b in zip(row, pivot_row, strict=True)]
        previous = pivot
    return [row[size:] for row in rows], previous
