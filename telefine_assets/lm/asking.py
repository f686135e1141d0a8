"""The two ends of a question: DSPy's model that programs call, and the one that sends it.

Between them stands ``journal.JournalEngine``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal
from typing import Any

import dspy
from dspy.clients.backend_selection import select_backend
from dspy.clients.call_result import usage_dict
from dspy.clients.capabilities import resolve
from dspy.clients.costs import estimate_cost
from dspy.clients.engines.lm15_engine import LM15Engine, timeouts_for
from dspy.clients.errors import error_boundary
from dspy.lm15 import LM15Error, Message, Response, RouterConfig, TextPart, Usage
from dspy.utils.exceptions import LMUnsupportedFeatureError

from telefine_assets.lm.budget import MICROS, Spent
from telefine_assets.settings.lm import PriceSettings


@dataclass(frozen=True)
class Sample:
    """Which of several answers to one prompt is asked for."""

    rollout: Any = None
    """DSPy's ``rollout_id``: its optimisers copy a model with another one to get another sample."""
    candidates: Iterator[int] = field(default_factory=itertools.count)
    """Numbers of the answers within one call that asks for several (``n``)."""


_sample: ContextVar[Sample | None] = ContextVar("telefine_sample", default=None)


def sample_number() -> tuple[Any, int]:
    """Rollout, and number of the candidate, of the request that DSPy is making in this thread."""
    sample = _sample.get()
    return (None, 0) if sample is None else (sample.rollout, next(sample.candidates))


class LM(dspy.LM):
    """The model that programs call: its engine learns which sample is asked for.

    DSPy keeps ``rollout_id`` and ``n`` from engines, for no provider knows them.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """As DSPy's."""
        rollout = {**self.kwargs, **kwargs}.get("rollout_id")
        token = _sample.set(Sample(rollout))
        try:
            return super().__call__(*args, **kwargs)
        finally:
            _sample.reset(token)

    def dump_state(self) -> dict[str, Any]:
        """A program's state names its model; how it is reached is the deployment's matter."""
        return {"model": self.model}


class Wire:
    """Sends a request, once, and tells what it came to.

    DSPy's own way of sending chooses the engine, looks up the price list and
    writes a history anew for each call, which costs a millisecond or two. Where
    its native engine serves the model, that is asked directly; else, and for
    requests that it refuses, DSPy finds the way.
    """

    def __init__(self, model: str, price: PriceSettings | None, **options: Any) -> None:
        """Reach ``model`` as ``dspy.LM(model, **options)`` would; its price is ``price``, or that of DSPy's list."""
        self.lm = dspy.LM(model, **options)
        self._price = price
        self._route = _route(self.lm)
        self.has_price = price is not None or self._cost(_one_token(self._route), None) is not None
        self._native = _native_engine(self.lm)

    def send(self, request: Any) -> tuple[Any, Spent]:
        """The response to a ``dspy.lm15.Request``, and what it cost.

        Raises:
            dspy.utils.exceptions.LMError: when there is none.
        """
        if self._native is not None:
            with suppress(LMUnsupportedFeatureError):
                with error_boundary(self.lm.model, provider=self._route.provider, unexpected=True):
                    response = self._native.complete(request)
                return response, self._spent(response, request)
        # A program's callbacks have seen the question already, and an answer comes whole or not at all.
        with dspy.context(callbacks=[], send_stream=None, disable_history=True, usage_tracker=None):
            response = self.lm(request)
        return response, self._spent(response, request)

    def _spent(self, response: Any, request: Any) -> Spent:
        used = usage_dict(response, self._route and self._route.provider)
        tokens_in, tokens_out = used.get("prompt_tokens"), used.get("completion_tokens")
        cost: Decimal | None = None
        if self._price is None:
            cost = self._cost(response, request) if self.has_price else None
        elif tokens_in is not None and tokens_out is not None:
            # Dollars for a million tokens are micro-dollars for one.
            cost = tokens_in * Decimal(self._price.input_per_million)
            cost += tokens_out * Decimal(self._price.output_per_million)
        whole = None if cost is None else int(cost.to_integral_value(ROUND_CEILING))
        return Spent(calls=1, input_tokens=tokens_in, output_tokens=tokens_out, cost_micros=whole)

    def _cost(self, response: Any, request: Any) -> Decimal | None:
        """Micro-dollars by DSPy's price list; None when it does not know."""
        if self._route is None:
            return None
        known = {"provider": self._route.provider, "requested_model": self._route.model, "request": request}
        dollars, _ = estimate_cost(response, **known)
        return None if dollars is None else Decimal(str(dollars)) * MICROS


def _route(model: dspy.LM) -> Any:
    """Where DSPy's native engine would send requests (provider and model), or None."""
    try:
        return resolve(model)
    except LM15Error:
        return None


def _native_engine(model: dspy.LM) -> LM15Engine | None:
    """DSPy's engine for a model, as it would choose it itself; None when it would take another."""
    selection = select_backend(model)
    if not selection.native or selection.resolution.declared:
        return None
    provider, clients = selection.resolution.provider, selection.clients
    config = RouterConfig(
        api_keys={provider: clients["api_key"]} if "api_key" in clients else None,
        base_urls={provider: clients["api_base"]} if "api_base" in clients else None,
        timeouts=timeouts_for(clients["timeout"]),
    )
    return LM15Engine(config, model_type=model.model_type)


def _one_token(route: Any) -> Response:
    """A response that has a price if any has."""
    message = Message(role="assistant", parts=(TextPart("."),))
    usage = Usage(input_tokens=1, output_tokens=1)
    return Response(id="1", model=route.model if route else "", message=message, finish_reason="stop", usage=usage)
