"""Shapley weights: who is paid for what a compiled program's demos are worth.

The players are the content clusters of the demos, so exact copies are no players
of their own. A coalition is worth what the program with only its demos scores on
the validation split (never the holdout). Then:

1. A cluster's value is its Shapley value (Shapley 1953): exact if the budget covers
   all coalitions, which it does for six players and fewer; else by KernelSHAP
   (``telefine_assets.attribution.kernel``).
2. A value's standard error: an exact value carries only the noise of the answers,
   which the caller states. A fitted one carries, if larger, the spread of the
   pairs around the fit too: the least-squares covariance of the paired differences
   of Covert and Lee 2021 (https://arxiv.org/abs/2012.01536), with one variance for
   all pairs, and with the efficiency constraint of Lundberg and Lee 2017
   (https://arxiv.org/abs/1705.07874). Their own errors come from the spread between
   independent draws; here, most of the weight lies on coalitions that are not drawn.
   Noise cannot be told from interactions of three players and more, so where those
   are strong the errors tend to be too wide, and fewer are paid.
3. A cluster is paid only if its value is above ``z`` standard errors. Negative values
   are clipped and listed, and so are those within the noise.
4. The values paid are shared out as parts per million, and each cluster's parts go
   to its first submitter, as with usage weights.

Nothing here asks a model: ``utility`` does, once per coalition. Whoever has the
answers (see ``telefine_assets.attribution.trials``) can recompute the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from math import comb, factorial, isqrt

from telefine_assets.attribution.allocation import largest_remainder
from telefine_assets.attribution.kernel import fit, least_budget, plan
from telefine_assets.attribution.usage import NOTHING_USED, Arrival, AttributionError, UsedDemo, usage_weights
from telefine_assets.attribution.weights import FULL_PPM, WeightTable

METHOD = "shapley"
EXACT = "exact"
KERNEL = "kernel"
NOTHING_HELPS = "no_positive_value"
WITHIN_NOISE = "within_noise"
EXACT_PLAYERS = 6

Utility = Callable[[frozenset[str]], int]


@dataclass(frozen=True)
class ShapleyRules:
    """How values are found and what is paid.

    Attributes:
        budget: at most so many coalitions are asked for; at least 64, so that six
            players and fewer are exact.
        seed: of the draw of coalitions.
        noise_ppm: standard deviation of one answer of ``utility`` if it were asked
            again, in its own unit; 0 for answers that repeat themselves.
        z_ppm: how many standard errors a value must exceed, in millionths; the
            default is the one-sided 5 % point of the normal distribution.

    Raises:
        AttributionError: on construction, for a number out of range.
    """

    budget: int = 400
    seed: int = 0
    noise_ppm: int = 0
    z_ppm: int = 1_645_000

    def __post_init__(self) -> None:
        for name, low in (("budget", 2**EXACT_PLAYERS), ("noise_ppm", 0), ("z_ppm", 0)):
            if getattr(self, name) < low:
                raise AttributionError(f"{name}: expected {low} or more, found {getattr(self, name)}. Raise it.")


@dataclass(frozen=True)
class PlayerValue:
    """What a cluster is worth.

    Attributes:
        cluster: the player.
        value_ppm: its Shapley value in the utility's unit, negative if it harms.
        error_ppm: the standard error, rounded up, in the same unit.
    """

    cluster: str
    value_ppm: int
    error_ppm: int


@dataclass(frozen=True)
class ShapleyValues:
    """The values of a game.

    Attributes:
        method: ``exact`` or ``kernel``.
        lines: one per player, ascending by cluster; the values sum to exactly ``total_ppm``.
        total_ppm: what all players together are worth more than none.
        coalitions: how many answers the values rest on.
    """

    method: str
    lines: tuple[PlayerValue, ...]
    total_ppm: int
    coalitions: int


@dataclass(frozen=True)
class ShapleyWeights:
    """Who is paid, and which clusters are not.

    Attributes:
        table: the weights, or the reason why there are none.
        negative: clusters with a value below 0, ascending: clipped.
        within_noise: other clusters whose value is not beyond the noise, ascending.
    """

    table: WeightTable
    negative: tuple[str, ...]
    within_noise: tuple[str, ...]


def coalition_count(players: int, rules: ShapleyRules) -> int:
    """How many coalitions are asked for so many players, one or more; none of them is listed.

    Raises:
        AttributionError: the budget is too small for so many players.
    """
    if rules.budget < least_budget(players):
        raise AttributionError(
            f"budget: {players} clusters need {least_budget(players)} coalitions or more, found {rules.budget}. "
            "Raise it, or weigh by usage."
        )
    return 2**players if _method(players, rules) == EXACT else 2 + 2 * ((rules.budget - 2) // 2)


def coalitions(players: Iterable[str], rules: ShapleyRules) -> list[frozenset[str]]:
    """What has to be asked to value the players, each coalition once; the empty and the full one come first.

    They depend on the players, the budget and the seed alone: neither on the
    players' order nor on any answer.

    Raises:
        AttributionError: the budget is too small for so many players.
    """
    names = sorted(set(players))
    if not names:
        return []
    coalition_count(len(names), rules)
    return [_named(mask, names) for mask in _masks(_method(len(names), rules), len(names), rules)]


def shapley_values(players: Iterable[str], utility: Utility, rules: ShapleyRules) -> ShapleyValues:
    """Value the players of a game.

    Args:
        players: clusters, in any order, repeats allowed.
        utility: what a coalition is worth: the sum of parts per million over the
            validation items. Asked once for each of ``coalitions``.
        rules: budget, seed, noise.

    Raises:
        AttributionError: an answer is no integer; the budget is too small for so
            many players.
    """
    names = sorted(set(players))
    asked = coalitions(names, rules)
    if not names:
        return ShapleyValues(EXACT, (), 0, 0)
    method = _method(len(names), rules)
    masks = _masks(method, len(names), rules)
    worth = {mask: _checked(utility(each), each) for mask, each in zip(masks, asked, strict=True)}
    total = worth[(1 << len(names)) - 1] - worth[0]
    estimate = _exact if method == EXACT else _fitted
    values, variances = estimate(len(names), worth, rules)
    whole = _whole(values, total)
    lines = (PlayerValue(name, whole[i], root(variances[i])) for i, name in enumerate(names))
    return ShapleyValues(method, tuple(lines), total, len(masks))


def shapley_weights(
    values: ShapleyValues,
    demos: Iterable[UsedDemo],
    arrivals: Iterable[Arrival],
    rules: ShapleyRules,
    withdrawn: Collection[str] = (),
) -> ShapleyWeights:
    """Pay the clusters whose value is beyond the noise, each to its first submitter.

    Args:
        values: of the clusters of ``demos``.
        demos: the demos of the program, in any order, repeats allowed; their
            quality does not count here.
        arrivals: every trace of the clusters concerned; others do no harm.
        rules: the standard errors that a value must exceed.
        withdrawn: clusters whose feedback did not stand; their parts are held.

    Raises:
        AttributionError: values and demos are not of the same clusters; or as for
            ``usage_weights``.
    """
    used = list(demos)
    if sorted({demo.cluster for demo in used}) != [line.cluster for line in values.lines]:
        raise AttributionError("values: must be of exactly the demos' clusters. Value this program's own clusters.")
    positive = {line.cluster: line.value_ppm for line in values.lines if line.value_ppm > 0}
    paid = {line.cluster: line.value_ppm for line in values.lines if _beyond_noise(line, rules)}
    negative = tuple(line.cluster for line in values.lines if line.value_ppm < 0)
    within = tuple(line.cluster for line in values.lines if line.value_ppm >= 0 and line.cluster not in paid)
    if not paid:
        reason = NOTHING_USED if not used else WITHIN_NOISE if positive else NOTHING_HELPS
        return ShapleyWeights(WeightTable(METHOD, (), (), reason), negative, within)
    return ShapleyWeights(_table(paid, used, arrivals, withdrawn), negative, within)


def _table(
    paid: Mapping[str, int], used: Iterable[UsedDemo], arrivals: Iterable[Arrival], withdrawn: Collection[str]
) -> WeightTable:
    # Parts as qualities already sum to the full million, so usage weights hand them on unchanged.
    parts = largest_remainder(FULL_PPM, paid)
    worth = [replace(demo, quality_ppm=parts.get(demo.cluster, 0)) for demo in used]
    return replace(usage_weights(worth, arrivals, withdrawn), method=METHOD)


def _beyond_noise(line: PlayerValue, rules: ShapleyRules) -> bool:
    return line.value_ppm > 0 and line.value_ppm * FULL_PPM > rules.z_ppm * line.error_ppm


def _masks(method: str, players: int, rules: ShapleyRules) -> list[int]:
    """The coalitions to ask for, as bits over the sorted players; the two that decide the total come first."""
    full = (1 << players) - 1
    if method == EXACT:
        return [0, full, *range(1, full)]
    pairs = plan(players, rules.budget, rules.seed).masks
    return [0, full, *(side for mask in pairs for side in (mask, full ^ mask))]


def _method(players: int, rules: ShapleyRules) -> str:
    return EXACT if 2**players <= rules.budget else KERNEL


def _named(mask: int, names: list[str]) -> frozenset[str]:
    return frozenset(name for i, name in enumerate(names) if mask >> i & 1)


def _checked(answer: object, coalition: frozenset[str]) -> int:
    if isinstance(answer, bool) or not isinstance(answer, int):
        raise AttributionError(
            f"utility: expected an integer for the coalition {sorted(coalition)}, found {answer!r}. "
            "Return the sum of parts per million."
        )
    return answer


def _exact(players: int, worth: Mapping[int, int], rules: ShapleyRules) -> tuple[list[Fraction], list[Fraction]]:
    """Shapley's formula over all coalitions, and the variance that noisy answers leave."""
    orders = [factorial(size) * factorial(players - size - 1) for size in range(players)]
    values = []
    for i in range(players):
        without = [mask for mask in worth if not mask >> i & 1]
        gains = sum(orders[mask.bit_count()] * (worth[mask | 1 << i] - worth[mask]) for mask in without)
        values.append(Fraction(gains, factorial(players)))
    spread = Fraction(
        2 * sum(comb(players - 1, size) * order**2 for size, order in enumerate(orders)), factorial(players) ** 2
    )
    return values, [spread * rules.noise_ppm**2] * players


def _fitted(players: int, worth: Mapping[int, int], rules: ShapleyRules) -> tuple[list[Fraction], list[Fraction]]:
    """KernelSHAP, and the variance that noise, interactions and the draw leave."""
    full = (1 << players) - 1
    design = plan(players, rules.budget, rules.seed)
    gains = [worth[mask] - worth[full ^ mask] for mask in design.masks]
    fitted = fit(design, gains, worth[full] - worth[0])
    stated = Fraction(2 * rules.noise_ppm**2)
    variance = max(stated, fitted.residual or stated)
    return list(fitted.values), [spread * variance for spread in fitted.spreads]


def _whole(values: list[Fraction], total: int) -> list[int]:
    """Whole numbers with the same sum: rounded down, what is left to the largest remainders, ties to the first."""
    whole = [value.numerator // value.denominator for value in values]
    order = sorted(range(len(values)), key=lambda i: (whole[i] - values[i], i))
    for i in order[: total - sum(whole)]:
        whole[i] += 1
    return whole


def root(variance: Fraction) -> int:
    """The square root of a variance, rounded up."""
    ceiling = -(-variance.numerator // variance.denominator)
    return isqrt(ceiling - 1) + 1 if ceiling else 0
