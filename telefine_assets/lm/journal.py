"""A language model that never asks the same thing twice, and counts what it asks.

Every answer is kept, before anybody sees it, under the digest of its request,
of the model's identity, and of the sample that was asked for. A run that was
killed goes on where it stopped; a partition that is run again gets the same
answers, and so the same bytes.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any, Protocol

import dspy

# The serialisation of requests and responses is not part of DSPy's public
# names yet; this is the one place that reaches for it.
from dspy._vendor.lm15.serde import request_to_dict, response_from_dict, response_to_dict
from dspy.utils.exceptions import (
    ContextWindowExceededError,
    LMError,
    LMInvalidRequestError,
    LMUnsupportedFeatureError,
)

from telefine_assets.canonical import sha256_hex
from telefine_assets.lm.asking import Wire, sample_number
from telefine_assets.lm.budget import Bill, Budget, JournalBroken, Meter, Spent, Unreachable, taken
from telefine_assets.lm.retrying import Retrying
from telefine_assets.lm.watching import Unwatched, Watch

LABEL, BILL = "telefine_counted_under", "telefine_bill"
"""DSPy hands its settings, and so these, on to the threads that it starts; context variables it does not."""


class AnswerJournal(Protocol):
    """Where answers are kept (``ledger.answers.Answers``)."""

    def find(self, request_key: str) -> str | None:
        """The answer to a request, or None."""
        ...

    def keep(self, request_key: str, response: str) -> str:
        """Keep an answer; returns the one that stands."""
        ...


class JournalEngine:
    """A DSPy engine (``complete(Request) -> Response``) in front of a model on the wire.

    Two rollouts of one prompt are two questions, and so are the candidates of one
    call that asks for several; each gets its own answer back when it is asked
    again. The same question without a rollout is one question however often it is
    asked, at any temperature: its second answer is the first one, from the journal.
    Threads that ask the same at once wait for one call.

    Errors are passed on and never kept: a call that failed is asked again.
    """

    def __init__(
        self,
        wire: Wire,
        identity: str,
        journal: AnswerJournal | None,
        budget: Budget,
        retrying: Retrying,
        watch: Watch | None = None,
    ) -> None:
        """Ask ``wire`` what ``journal`` does not know; without a journal, ask everything.

        ``identity`` is the digest of the model's identity; ``watch`` is told of every request.
        """
        self._wire = wire
        self._identity = identity
        self._journal = journal
        self._budget = budget
        self._retrying = retrying
        self.watch: Watch = watch or Unwatched()
        self._flights = Flights()
        self._charged: set[str] = set()
        self._unreachable: Unreachable | None = None
        self._broken: JournalBroken | None = None
        self.meter = Meter()

    def __deepcopy__(self, memo: dict[int, Any]) -> JournalEngine:
        """Itself: a copied program asks the same model, at the same expense."""
        return self

    @cached_property
    def _hints(self) -> Any:
        from dspy.clients.capabilities import capabilities

        return capabilities(self._wire.lm)

    @property
    def supports_function_calling(self) -> bool:
        """What DSPy knows of the model behind; this and the next three decide how adapters ask."""
        return bool(self._hints.function_calling)

    @property
    def supports_reasoning(self) -> bool:
        """See ``supports_function_calling``."""
        return bool(self._hints.reasoning)

    @property
    def supports_response_schema(self) -> bool:
        """See ``supports_function_calling``."""
        return bool(self._hints.response_schema)

    @property
    def supported_params(self) -> frozenset[str]:
        """See ``supports_function_calling``."""
        return frozenset(self._hints.params)

    def complete(self, request: Any) -> Any:
        """Answer from the journal, or ask and remember."""
        label, bill = dspy.settings.get(LABEL) or "", dspy.settings.get(BILL)
        rollout, candidate = sample_number()
        text = json.dumps(request_to_dict(request), sort_keys=True, ensure_ascii=False)
        sample = json.dumps([rollout, candidate], default=repr)
        key = sha256_hex(f"{self._identity}\n{sample}\n{text}".encode(errors="surrogatepass"))
        try:
            if self._journal is None:
                self._budget.start()
                response, took = self._ask(request, key, label)
            else:
                kept, mine = self._flights.join(key, lambda: self._known(request, key, label))
                if not mine:
                    self._remembered(label)
                with self._journalled(key):
                    row = json.loads(kept)
                    response, took = response_from_dict(row["response"]), dict(row["took"])
        except LMError as error:
            self._note(error, label)
            _bill(bill, {})  # what it took to be refused, nobody remembers
            raise
        _bill(bill, took)
        return response

    def check(self) -> None:
        """Raise what DSPy may have swallowed since the last check.

        Raises:
            BudgetSpent: see ``Budget.check``; so are BudgetUnknown and DeadlinePassed.
            Unreachable: when a question got no answer.
            JournalBroken: see ``intact``.
        """
        self.intact()
        self._budget.check()
        unreachable, self._unreachable = self._unreachable, None
        if unreachable:
            raise unreachable

    def intact(self) -> None:
        """Refuse to go on once an answer could not be kept or read: DSPy takes that for a failed call.

        Raises:
            JournalBroken: again at each call.
        """
        if self._broken:
            raise JournalBroken(*self._broken.args)

    @contextmanager
    def _journalled(self, key: str) -> Iterator[None]:
        """Around everything that is done with the journal."""
        try:
            yield
        except Exception as error:
            said = str(error).partition("\n")[0]
            self._broken = JournalBroken(
                f"the journal of answers cannot be used at row {key} ({type(error).__name__}: {said}); see that the "
                "ledger is well, then run again: what was answered is not asked twice"
            )
            raise self._broken from error

    def _known(self, request: Any, key: str, label: str) -> str:
        assert self._journal is not None
        self._charge(key)
        with self._journalled(key):
            kept = self._journal.find(key)
        if kept is not None:
            self._remembered(label)
            return kept
        response, took = self._ask(request, key, label)
        row = {"response": response_to_dict(response), "took": took}
        with self._journalled(key):
            return self._journal.keep(key, json.dumps(row, sort_keys=True))

    def _charge(self, key: str) -> None:
        """A question counts once, whoever answers it: a run that was killed ends where it would have ended."""
        if key not in self._charged:
            self._budget.start()
            self._charged.add(key)  # one thread at a time has this key

    def _ask(self, request: Any, key: str, label: str) -> tuple[Any, dict[str, int]]:
        """The response, and what the attempt took that it came by."""
        spent = Spent(calls=1)  # one without an answer: nobody says what it used
        try:
            send, once_more = partial(self._send, request), partial(self._again, label)
            response, spent, milliseconds = self._retrying.call(send, key, once_more)
        finally:
            self.meter.add(label, spent)
            self._budget.settle(spent)
        return response, taken(milliseconds, spent)

    def _send(self, request: Any) -> tuple[Any, Spent, int]:
        """One attempt, timed: waiting for one's turn and before another attempt is no time of the model's."""
        begun = self._budget.clock()
        spent, error = None, "interrupted"
        try:
            response, spent = self._wire.send(request)
        except Exception as failure:
            error = type(failure).__name__
            raise
        finally:
            seconds = self._budget.clock() - begun
            self.watch.attempted(seconds, None if spent else error, spent)
        return response, spent, round(seconds * 1000)

    def _again(self, label: str) -> None:
        self.meter.add(label, Spent(retried=1))
        self.watch.retried()

    def _remembered(self, label: str) -> None:
        remembered = Spent(remembered=1)
        self.meter.add(label, remembered)
        self._budget.settle(remembered)
        self.watch.remembered()

    def _note(self, error: LMError, label: str) -> None:
        """Remember that the model was out of reach, unless the question itself was at fault."""
        if not is_the_questions_fault(error):
            self.meter.add(label, Spent(failed=1))
            reason = str(error).splitlines()[0]
            self._unreachable = Unreachable(
                f"the language model did not answer ({type(error).__name__}: {reason}); see that it can be reached "
                "and that its key is right, then run again: every answer is kept"
            )


def _bill(bill: Bill | None, took: dict[str, int]) -> None:
    if bill is not None:
        bill.add(took)


class Flights:
    """Work under way, by key: whoever wants the same waits for it."""

    def __init__(self) -> None:
        """Begin with none."""
        self._lock = threading.Lock()
        self._under_way: dict[str, Future[str]] = {}

    def join(self, key: str, work: Callable[[], str]) -> tuple[str, bool]:
        """The result of ``work``, or that of another thread's with the same key; and whether it was this thread's.

        What the work raises, everybody gets who waits for it.
        """
        with self._lock:
            flight = self._under_way.get(key)
            mine = flight is None
            if flight is None:
                flight = self._under_way[key] = Future()
        if not mine:
            return flight.result(), False
        try:
            flight.set_result(work())
        except BaseException as error:
            flight.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._under_way[key]
        return flight.result(), True


def is_the_questions_fault(error: LMError) -> bool:
    """Whether the model was there and refused this question: too long, malformed, against its rules."""
    if isinstance(error, LMInvalidRequestError):
        return isinstance(error, ContextWindowExceededError) or error.status in (400, 413, 422)
    return isinstance(error, LMUnsupportedFeatureError)
