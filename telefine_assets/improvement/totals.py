"""Sums over a period, each made in one place: the page, the summary and the record say the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from telefine_assets.improvement.comparing import Change, Shift, mean_change, share_change, shift
from telefine_assets.improvement.gathering import Compile, Day, Gathered, Look, Period
from telefine_assets.ledger.records import Spending
from telefine_assets.traces.cleaning.report import NOBODY


@dataclass(frozen=True)
class Cost:
    """What questions to language models came to; tokens and money are None when for any of them they are not known."""

    calls: int = 0
    remembered: int = 0
    tokens: int | None = 0
    cost_micros: int | None = 0
    took_ms: int = 0

    def __add__(self, other: Cost | Spending) -> Cost:
        """Both together."""
        return Cost(
            self.calls + other.calls,
            self.remembered + other.remembered,
            None if self.tokens is None or other.tokens is None else self.tokens + other.tokens,
            None if self.cost_micros is None or other.cost_micros is None else self.cost_micros + other.cost_micros,
            self.took_ms + other.took_ms,
        )


@dataclass
class Contributor:
    """What one gave and got: traces, usable ones, demos in candidates, and grants by token and its decimals."""

    given: int = 0
    usable: int = 0
    demos: int = 0
    granted: dict[tuple[str, int], int] = field(default_factory=dict)


@dataclass(frozen=True)
class Drift:
    """What moved: the share of usable traces, the mean of the scores, and how these are distributed."""

    usable: Change
    score: Change
    shift: Shift | None

    @property
    def moved(self) -> list[str]:
        """Names of what moved beyond chance."""
        changes = [each.name for each in (self.usable, self.score) if each.moved]
        return changes + (["how scores are distributed"] if self.shift and self.shift.moved else [])


def drift(found: Gathered) -> Drift:
    """This period against the one before."""
    this, before = found.this, found.before
    return Drift(
        share_change("usable share", (this.usable, this.traces), (before.usable, before.traces)),
        mean_change("mean score", this.scores, before.scores),
        shift(this.scores, before.scores),
    )


def cost(spent: Iterable[Spending]) -> Cost:
    """What some work came to."""
    total = Cost()
    for each in spent:
        total += each
    return total


def cost_by_stage(period: Period) -> dict[str, Cost]:
    """What each stage came to, in the order of their names."""
    stages = sorted({each.work.stage for each in period.spent})
    return {stage: cost(each for each in period.spent if each.work.stage == stage) for stage in stages}


def compiles(period: Period) -> list[tuple[str, Compile]]:
    """Day and compile, for the days that had one."""
    return [(each.day, each.compile) for each in period.days if each.compile is not None]


def best_ppm(period: Period) -> int | None:
    """The best validation score of any winner."""
    scores = [
        tried.mean_ppm
        for _, each in compiles(period)
        for tried in each.tried
        if tried.name == each.winner and tried.mean_ppm is not None
    ]
    return max(scores, default=None)


def looks(period: Period) -> list[tuple[str, Look]]:
    """Day and comparison, for the days on which something was compared."""
    return [(each.day, each.look) for each in period.days if each.look is not None and each.look.number is not None]


def reached(period: Period) -> list[tuple[Day, tuple[int, int, int]]]:
    """The days that reached DeltaOne, with gain and interval."""
    return [(each, each.look.gain) for each in period.days if each.look is not None and each.look.gain is not None]


def certified(period: Period) -> list[tuple[Day, int]]:
    """The days of which a gain is in force, with that gain in ppm: less than the look found, where it was corrected."""
    claims = [(day, day.standing.in_force) for day in period.days]
    return [(day, found.claim.decision.delta_ppm) for day, found in claims if found is not None]


def amended(period: Period) -> list[Day]:
    """The days of whose look something was revoked since."""
    return [day for day in period.days if day.standing.amended]


def dropped(period: Period) -> dict[str, int]:
    """Dropped traces by rule, the most frequent first."""
    found: dict[str, int] = {}
    for each in period.made:
        for rule, count in each.dropped.items():
            found[rule] = found.get(rule, 0) + count
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def contributors(period: Period) -> dict[str, Contributor]:
    """Everybody who gave or got something: who got most demos in first, then who gave most."""
    found: dict[str, Contributor] = {}

    def of(name: str) -> Contributor:
        return found.setdefault(name, Contributor())

    for day in period.days:
        for name, (given, usable) in (day.volume.contributors if day.volume else {}).items():
            of(name).given += given
            of(name).usable += usable
        for name, demos in (day.compile.demos if day.compile and day.compile.candidate else {}).items():
            of(name).demos += demos
        if day.paid:
            token = (day.paid.token, day.paid.decimals)
            for name, units in day.paid.wallets.items():
                of(name).granted[token] = of(name).granted.get(token, 0) + units
    return dict(sorted(found.items(), key=lambda item: (-item[1].demos, -item[1].usable, item[0])))


def weights(period: Period) -> tuple[str, Mapping[str, int]] | None:
    """The day and the weights of the newest candidate that has any."""
    weighed = [(day.day, day.weights) for day in period.days if day.weights]
    return weighed[-1] if weighed else None


def named_ones(period: Period) -> list[Contributor]:
    """The contributors that have a name: what nobody is named for is nobody's."""
    return [each for name, each in contributors(period).items() if name != NOBODY]


def granted(period: Period) -> Mapping[tuple[str, int], int]:
    """What was granted to wallets and escrow together, by token and its decimals."""
    found: dict[tuple[str, int], int] = {}
    for day in period.days:
        if day.paid:
            token = (day.paid.token, day.paid.decimals)
            found[token] = found.get(token, 0) + sum(day.paid.wallets.values()) + day.paid.escrow
    return found
