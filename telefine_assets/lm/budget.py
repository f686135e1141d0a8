"""What may be spent on language models, and what was.

Money is counted in whole micro-dollars (a millionth of a US dollar), rounded up
for each call, so that parts always sum to their total.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from telefine_assets.errors import TelefineError
from telefine_assets.settings.lm import BudgetSettings

MICROS = 1_000_000
AGAIN = "Every answer is kept: a run with a higher cap asks nothing twice"


class BudgetSpent(TelefineError):
    """More was wanted than the budget allows. What was answered is kept."""


class BudgetUnknown(TelefineError):
    """A cap cannot be kept, because the model does not say what a call used."""


class DeadlinePassed(TelefineError):
    """A call was wanted when the time was over. What was answered is kept."""


class Unreachable(TelefineError):
    """A question got no answer for reasons outside the program, after all retries."""


class JournalBroken(TelefineError):
    """An answer could not be kept, or a kept one not read."""


class Halted(TelefineError):
    """More was wanted after somebody stopped the run. What was answered is kept."""


STOPS = (BudgetSpent, BudgetUnknown, DeadlinePassed, Unreachable, JournalBroken, Halted)
"""What stops everything that asks, and is the fault of no program that was asked."""


@dataclass(frozen=True)
class Spent:
    """What questions to a language model came to.

    Tokens and money are None when for any of the calls they are not known.
    """

    calls: int = 0
    """Questions that went to the model, however often each had to be sent."""
    remembered: int = 0
    """Questions that the journal, or another thread's call, answered."""
    failed: int = 0
    """Questions without an answer for reasons outside the program; one that waited for another thread's is one too."""
    retried: int = 0
    """Attempts beyond the first."""
    input_tokens: int | None = 0
    output_tokens: int | None = 0
    cost_micros: int | None = 0

    def __add__(self, other: Spent) -> Spent:
        """Both together; what is unknown of either is unknown of both."""
        return Spent(
            self.calls + other.calls,
            self.remembered + other.remembered,
            self.failed + other.failed,
            self.retried + other.retried,
            _sum(self.input_tokens, other.input_tokens),
            _sum(self.output_tokens, other.output_tokens),
            _sum(self.cost_micros, other.cost_micros),
        )

    @property
    def tokens(self) -> int | None:
        """Tokens in and out."""
        return _sum(self.input_tokens, self.output_tokens)


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


TAKEN = ("latency_ms", "tokens", "cost_micros")


def taken(milliseconds: int, spent: Spent) -> dict[str, int]:
    """What one answer took, by the names of ``TAKEN``; what is not known has no entry."""
    values = dict(zip(TAKEN, (milliseconds, spent.tokens, spent.cost_micros), strict=True))
    return {name: value for name, value in values.items() if value is not None}


class Bill:
    """What answers took when they were first asked for, remembered ones included. Threads may share one.

    Other than what was spent, this does not depend on what the journal knew before.
    """

    def __init__(self) -> None:
        """Start from nothing."""
        self._answers: list[dict[str, int]] = []

    def add(self, took: dict[str, int]) -> None:
        """Add an answer; nothing is known of one that did not come."""
        self._answers.append(took)

    def measures(self) -> dict[str, int]:
        """The sums by the names of ``TAKEN``; one that is not known of every answer has no entry."""
        answers = list(self._answers)
        return {name: sum(each[name] for each in answers) for name in TAKEN if all(name in each for each in answers)}


class Meter:
    """What was spent under each label. Threads may share one."""

    def __init__(self) -> None:
        """Start from nothing."""
        self._lock = threading.Lock()
        self._spent: dict[str, Spent] = {}

    def add(self, label: str, spent: Spent) -> None:
        """Count ``spent`` under ``label``."""
        with self._lock:
            self._spent[label] = self._spent.get(label, Spent()) + spent

    def by_label(self) -> dict[str, Spent]:
        """What was spent under each label so far."""
        with self._lock:
            return dict(self._spent)

    def total(self) -> Spent:
        """The sum over all labels."""
        return sum(self.by_label().values(), Spent())


class Budget:
    """One hard cap for everything that a compile asks of language models.

    Models that are opened with the same budget share its caps. The cap in calls
    is exact, and counts every question once, also one that the journal answers:
    a run that is started again ends where it ended. Those in tokens and money
    are of this run, and known only afterwards: once one is reached no call
    starts, and the calls in flight may finish. A question that had to be sent
    several times is one call. ``max_seconds`` runs from here on;
    a call that is in flight when the time is over may finish.
    """

    def __init__(
        self,
        limits: BudgetSettings | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        """Allow what ``limits`` allow, by ``clock`` (seconds, never going back)."""
        self._halted = threading.Event()
        self.limits = limits or BudgetSettings()
        self.clock = clock
        # By default a nap that ``halt`` ends.
        self._sleep = sleep or self._halted.wait
        self._max_cost = micros(self.limits.max_cost) if self.limits.max_cost is not None else None
        self._deadline = None if self.limits.max_seconds is None else clock() + self.limits.max_seconds
        self._lock = threading.Lock()
        self._started = 0
        self._spent = Spent()
        self._refusal: TelefineError | None = None

    def start(self) -> None:
        """Begin a call.

        Raises:
            BudgetSpent: when a cap is reached.
            BudgetUnknown: when a call before did not say what it used, and a cap depends on it.
            DeadlinePassed: when the time is over.
            Halted: when the run was stopped.
        """
        with self._lock:
            refusal = self._refusal if self._halted.is_set() else self._reached()
            if refusal is None:
                self._started += 1
                return
            self._refusal = self._refusal or refusal
        raise refusal

    def halt(self) -> None:
        """Start nothing more and end all waiting: somebody stopped the run."""
        with self._lock:
            self._refusal = self._refusal or Halted("the run was stopped; start it again, nothing is asked twice")
        self._halted.set()

    def settle(self, spent: Spent) -> None:
        """Count what a question came to, whoever answered it."""
        with self._lock:
            self._spent += spent
            self._refusal = self._refusal or self._unknown()

    def wait(self, seconds: float) -> None:
        """Wait, but not beyond the deadline.

        Raises:
            DeadlinePassed: as soon as the time is over.
            Halted: as soon as the run is stopped.
        """
        left = self.seconds_left
        if left is None or seconds < left:
            if seconds > 0:
                self._sleep(seconds)
            if self._halted.is_set():
                self.check()
            return
        self._sleep(max(left, 0))
        late = self._late()
        with self._lock:
            self._refusal = self._refusal or late
        raise late

    def check(self) -> None:
        """Refuse to go on once anything was refused: DSPy takes a refused call for one that failed.

        Raises:
            BudgetSpent: a cap was reached, and more was wanted.
            BudgetUnknown: a cap cannot be kept.
            DeadlinePassed: the time was over, and more was wanted.
        """
        if self._refusal:
            raise type(self._refusal)(*self._refusal.args)

    @property
    def spent(self) -> Spent:
        """What all models of this budget came to."""
        with self._lock:
            return self._spent

    @property
    def seconds_left(self) -> float | None:
        """Time until the deadline, negative after it; None without one."""
        return None if self._deadline is None else self._deadline - self.clock()

    def left(self) -> dict[str, float]:
        """What is left of each cap that is set: calls, tokens, cost_micros, seconds."""
        with self._lock:
            used = {
                "calls": (self.limits.max_calls, self._started),
                "tokens": (self.limits.max_tokens, self._spent.tokens),
                "cost_micros": (self._max_cost, self._spent.cost_micros),
            }
        caps: dict[str, float] = {
            name: max(cap - (so_far or 0), 0) for name, (cap, so_far) in used.items() if cap is not None
        }
        seconds = self.seconds_left
        return caps if seconds is None else caps | {"seconds": max(seconds, 0.0)}

    def _reached(self) -> TelefineError | None:
        limits, spent = self.limits, self._spent
        if unknown := self._unknown():
            return unknown
        if limits.max_calls is not None and self._started >= limits.max_calls:
            return _spent_error(f"{self._started} language model calls", "max_calls")
        if limits.max_tokens is not None and (spent.tokens or 0) >= limits.max_tokens:
            return _spent_error(f"{limits.max_tokens} tokens", "max_tokens")
        if self._max_cost is not None and (spent.cost_micros or 0) >= self._max_cost:
            return _spent_error(f"{limits.max_cost} US dollars", "max_cost")
        left = self.seconds_left
        return self._late() if left is not None and left <= 0 else None

    def _unknown(self) -> TelefineError | None:
        if self.limits.max_tokens is not None and self._spent.tokens is None:
            return BudgetUnknown(
                "the language model does not report how many tokens it used, so that compile.budget.max_tokens "
                "cannot be kept; set compile.budget.max_calls instead"
            )
        if self._max_cost is not None and self._spent.cost_micros is None:
            return BudgetUnknown(
                "what a call of the language model cost is not known, so that compile.budget.max_cost cannot be kept; "
                "set lm.price (and see that the model reports its tokens), or compile.budget.max_calls instead"
            )
        return None

    def _late(self) -> DeadlinePassed:
        return DeadlinePassed(
            f"the time of {self.limits.max_seconds:g} seconds is over; raise compile.budget.max_seconds. {AGAIN}"
        )


def _spent_error(what: str, setting: str) -> BudgetSpent:
    return BudgetSpent(f"the budget of {what} is spent; raise compile.budget.{setting}. {AGAIN}")


def micros(dollars: str) -> int:
    """Micro-dollars of a decimal number of US dollars, with six decimals at most."""
    return int(Decimal(dollars) * MICROS)
