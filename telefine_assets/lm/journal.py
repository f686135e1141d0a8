"""A language model that never asks the same thing twice.

Every answer is kept under the digest of its request and of the model's
identity. A run that was killed goes on where it stopped; a partition that is
run again gets the same answers, and so the same bytes.
"""

from __future__ import annotations

import json
import threading
from typing import Any, Protocol

# The serialisation of requests and responses is not part of DSPy's public
# names yet; this is the one place that reaches for it.
from dspy._vendor.lm15.serde import request_to_dict, response_from_dict, response_to_dict

from telefine_assets.canonical import sha256_hex
from telefine_assets.lm.opening import BudgetSpent


class AnswerJournal(Protocol):
    """Where answers are kept (``ledger.answers.Answers``)."""

    def find(self, request_key: str) -> str | None:
        """The answer to a request, or None."""
        ...

    def keep(self, request_key: str, response: str) -> str:
        """Keep an answer; returns the one that stands."""
        ...


class JournalEngine:
    """A DSPy engine (``complete(Request) -> Response``) in front of a ``dspy.LM``.

    Errors are passed on and never kept: a call that failed is asked again.
    """

    def __init__(self, inner: Any, identity: str, journal: AnswerJournal, max_calls: int | None = None) -> None:
        """Ask ``inner`` what ``journal`` does not know, at most ``max_calls`` times.

        ``identity`` is the digest of the model's identity.
        """
        self._inner = inner
        self._max_calls = max_calls
        self._identity = identity
        self._journal = journal
        self._lock = threading.Lock()
        self.asked = 0
        self.remembered = 0
        self.refused = 0

    def complete(self, request: Any) -> Any:
        """Answer from the journal, or ask and remember."""
        text = json.dumps(request_to_dict(request), sort_keys=True, ensure_ascii=False)
        key = sha256_hex(f"{self._identity}\n{text}".encode(errors="surrogatepass"))
        kept = self._journal.find(key)
        self._count(kept is not None)
        if kept is None:
            response = response_to_dict(self._inner(request))
            kept = self._journal.keep(key, json.dumps(response, sort_keys=True))
        return response_from_dict(json.loads(kept))

    def _count(self, remembered: bool) -> None:
        with self._lock:
            if remembered:
                self.remembered += 1
            elif self._max_calls is not None and self.asked >= self._max_calls:
                self.refused += 1
                raise BudgetSpent(f"the budget of {self._max_calls} calls is spent")
            else:
                self.asked += 1
