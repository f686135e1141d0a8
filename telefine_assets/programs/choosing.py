"""Who wins a tournament: the best beyond noise, and of those that noise cannot tell apart the cheapest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from telefine_assets.canonical import canonical_json
from telefine_assets.errors import TelefineError
from telefine_assets.programs.nearest import demos_shown
from telefine_assets.programs.provenance import Demo
from telefine_assets.programs.scoring import Answer
from telefine_assets.programs.versions import Version

BASELINE = "baseline"


class TournamentError(TelefineError):
    """No contender could be scored, or none could be made; the champion stays."""


def failure(error: Exception) -> str:
    """An error as a record names it: its kind, and the first line of what it says."""
    return f"{type(error).__name__}: {error}".partition("\n")[0]


@dataclass
class Contender:
    """A program in the tournament."""

    name: str
    strategy: dict[str, Any]
    state: dict[str, Any] | None
    """None when it could not be made."""
    answers: list[Answer] = field(default_factory=list)
    """To the first validation items, in their order; fewer than others have when it was dropped."""
    demos: list[Demo] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    """Traces that were shown to whoever proposed its instructions."""
    version: Version | None = None
    """Where it is one that exists already."""
    claimed_ppm: int | None = None
    """What its optimiser says of it; recorded, and decides nothing."""
    error: str | None = None
    dropped: str | None = None
    """Why it was not asked the remaining items."""

    @property
    def cost(self) -> int:
        """What a call of it costs: bytes of the instructions and of those demos that its prompts carry."""
        state = self.state or {}
        demos = [demo for part in state.values() for demo in part["demos"]]
        carried = demos_shown(state, self.strategy)
        instructions = len(canonical_json([part.get("signature") for part in state.values()]))
        return instructions + len(canonical_json(demos)) * carried // max(1, len(demos))

    @property
    def running(self) -> bool:
        """Whether it was made, and can still win."""
        return self.error is None and self.dropped is None


@dataclass(frozen=True)
class Standing:
    """A contender's result over the items that all who were compared with it got an answer to."""

    name: str
    demos: int
    sum_ppm: int
    n: int
    claimed_ppm: int | None
    dropped: str | None
    error: str | None

    @property
    def scored(self) -> bool:
        """Whether it was made and scored."""
        return self.error is None and self.n > 0

    @property
    def mean_ppm(self) -> int | None:
        """Mean score in parts per million; None without one."""
        return self.sum_ppm // self.n if self.scored else None

    def to_record(self) -> dict[str, Any]:
        """Canonical JSON form."""
        return {**vars(self), "mean_ppm": self.mean_ppm}


def choose(contenders: Sequence[Contender], noise_percent: int) -> Contender:
    """The winner among contenders that were asked the same items.

    The leader has the highest score. Who trails it by what chance explains (see
    :func:`chance_of_lead`) is as good as the leader: among these the cheapest
    wins; the baseline, which is there already, costs nothing.

    Raises:
        TournamentError: when no item was answered for all of them.
    """
    common = common_items(contenders)
    if not common:
        raise TournamentError(
            "no validation item was answered for every contender; check that the language model answers, then run again"
        )
    leader = max(contenders, key=lambda each: total_ppm(each, common))  # the first of equals

    def as_good(each: Contender) -> bool:
        leads = [_ppm(leader, at) - _ppm(each, at) for at in common]
        return chance_of_lead(leads) * 100 >= noise_percent

    equals = [each for each in contenders if each is leader or as_good(each)]
    return min(equals, key=lambda each: (each.name != BASELINE, each.cost))


def chance_of_lead(leads: Sequence[int]) -> float:
    """Probability of such a lead, or a larger one, between two programs that are equally good.

    The one-sided paired t-test of racing algorithms (Maron and Moore 1997, "The
    Racing Algorithm: Model Selection for Lazy Learners"; Birattari et al. 2002).
    Where all differences are nearly alike the t-test is too sure of itself: a
    sign-flip of ``k`` differences can never be less likely than ``2**-k``.

    Args:
        leads: paired differences of scores, one an item.

    Returns:
        A probability; 1.0 when there is no lead.
    """
    from scipy.stats import t

    n, mean = len(leads), sum(leads) / len(leads)
    if mean <= 0:
        return 1.0
    least = 2.0 ** -sum(lead != 0 for lead in leads)
    spread = math.sqrt(sum((lead - mean) ** 2 for lead in leads) / max(1, n - 1) / n)
    return least if n < 2 or spread == 0 else max(least, float(t.sf(mean / spread, n - 1)))


def common_items(contenders: Sequence[Contender]) -> list[int]:
    """Places of the items that every one of them has an answer to."""
    columns = zip(*(each.answers for each in contenders), strict=False)
    return [at for at, column in enumerate(columns) if all(answer.score_ppm is not None for answer in column)]


def total_ppm(contender: Contender, items: Sequence[int]) -> int:
    """Sum of its scores over some items."""
    return sum(_ppm(contender, at) for at in items)


def standing(contender: Contender, finalists: Sequence[Contender]) -> Standing:
    """A contender's result; of one that was dropped, over the items it was asked."""
    mine = [] if contender.error else common_items([contender, *(each for each in finalists if not each.error)])
    return Standing(
        name=contender.name,
        demos=demos_shown(contender.state or {}, contender.strategy),
        sum_ppm=total_ppm(contender, mine),
        n=len(mine),
        claimed_ppm=contender.claimed_ppm,
        dropped=contender.dropped,
        error=contender.error,
    )


def _ppm(contender: Contender, at: int) -> int:
    return contender.answers[at].score_ppm or 0
