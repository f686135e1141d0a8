"""Who stands behind what an optimiser makes: seen while it runs.

Optimisers keep no trace ids. A witness is a DSPy callback that sees every call
while they work, and so knows two things afterwards. *Demos*: during the call of
a program on an item, whatever an inner predictor reads and answers comes from
that item. *Instructions*: a language model that is asked while no program runs
on an item is asked for instructions (COPRO, MIPROv2, SIMBA, GEPA), and the
items whose texts stand in its prompt are those it was shown.

Calls are told apart by DSPy's own call ids, which follow nested modules, tools,
``dspy.Parallel``, copied contexts and async tasks. Work that leaves all of that
is not seen, and its demos are refused later. Only digests are kept.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from dspy import Predict, Prediction
from dspy.utils.callback import ACTIVE_CALL_ID, BaseCallback
from pydantic_core import PydanticUndefined, to_jsonable_python

from telefine_assets.programs.datasets import Item
from telefine_assets.programs.shown_texts import ENOUGH_CHARACTERS, ShownTexts, words_of
from telefine_assets.programs.values import demo_digest, leaves, plain, plain_fields
from telefine_assets.traces.clusters import cluster_of

_aside: ContextVar[list[tuple[Any, ...]] | None] = ContextVar("telefine_witness_aside", default=None)


@dataclass(frozen=True)
class _Call:
    """A call that is under way."""

    item: Item | None = None
    predictor: Any = None
    values: Mapping[str, Any] = field(default_factory=dict)
    asks: bool = False
    """Whether it is a call of a language model."""


class Witness(BaseCallback):
    """Sees an optimiser at work on the items of a compile; give it to the context that the work runs in."""

    def __init__(self, trainset: Sequence[Item], valset: Sequence[Item] = ()) -> None:
        """Know the items by what a program is called with. Only items of ``trainset`` are credited with demos."""
        self._lock = threading.Lock()
        self._calls: dict[str, _Call] = {}
        self._items: dict[str, Item] = {}
        self._credited: dict[str, Item] = {}
        self._called_with = {frozenset(item.inputs) for item in (*trainset, *valset)}
        self._trained_on = frozenset(item.content for item in trainset)
        self._texts = ShownTexts()
        self._shown_by: dict[frozenset[bytes], set[str]] = {}
        self._shown: set[str] = set()
        for item in sorted([*trainset, *valset], key=lambda each: each.arrival):
            inputs = plain_fields(item.inputs, item.example())
            self._items.setdefault(cluster_of(inputs), item)
            for texts in [[text] for text in _long(inputs)] or [_texts(inputs)]:
                self._look_for(item, texts)

    def behind(self, demo: Mapping[str, Any]) -> Item | None:
        """The item of the trainset whose run made an inner demo; of several, the first to arrive.

        ``demo`` is one of a dumped state.
        """
        return self._credited.get(demo_digest(demo))

    def shown(self, items: Iterable[Item]) -> list[Item]:
        """Those of the items that a proposer of instructions was shown, in the order given.

        An item was shown when one of its inputs of ``ENOUGH_CHARACTERS`` or more
        stood in a prompt; or all of them, if none is so long; or all such texts
        that an inner predictor read in a run on it, or answered, if it read
        none. So that none is left out, items that have the same texts count
        together, and one without a word in it always counts.
        """
        return [item for item in items if item.content in self._shown]

    @contextmanager
    def aside(self) -> Iterator[Callable[[], None]]:
        """What is credited in the block is so only once the function that it gives was called.

        For work ahead that may be thrown away: how much there is of it depends on
        how many calls are in flight, and who is credited must not.
        """
        seen: list[tuple[Any, ...]] = []
        token = _aside.set(seen)

        def credit() -> None:
            for each in seen:
                self._credit(*each)

        try:
            yield credit
        finally:
            _aside.reset(token)

    def on_module_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        """Begin the run of a program on an item, or go on with it."""
        values = inputs.get("kwargs", inputs)
        self._calls[call_id] = _Call(self._outer.item or self._item_of(values), instance, values)

    def on_module_end(self, call_id: str, outputs: Any, exception: BaseException | None = None) -> None:
        """Credit the item with what an inner predictor read and answered."""
        call = self._leave(call_id)
        if call.item is not None and isinstance(call.predictor, Predict) and isinstance(outputs, Prediction):
            signature = call.predictor.signature
            demo = _as_demo(signature, call.values, outputs)
            seen = (call.item, {name: demo[name] for name in signature.input_fields if name in demo}, demo)
            aside = _aside.get()
            if aside is None:
                self._credit(*seen)
            else:
                aside.append(seen)

    def on_lm_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        """Note what a proposer is shown: a model that is asked outside any run on an item."""
        outer = self._outer
        self._calls[call_id] = _Call(outer.item, asks=True)
        if outer.item is None and not outer.asks:
            asked = to_jsonable_python([inputs.get("prompt"), inputs.get("messages")], fallback=str)
            self._note([text for text in leaves(asked) if isinstance(text, str)])

    def on_lm_end(self, call_id: str, outputs: Any, exception: BaseException | None = None) -> None:
        """A model has answered."""
        self._leave(call_id)

    def _within(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        """What may call modules or models itself passes the item on."""
        self._calls[call_id] = _Call(self._outer.item)

    def _without(self, call_id: str, outputs: Any, exception: BaseException | None = None) -> None:
        self._leave(call_id)

    on_tool_start = on_adapter_format_start = on_adapter_parse_start = _within
    on_interpreter_execute_start = on_interpreter_tool_call_start = _within
    on_tool_end = on_adapter_format_end = on_adapter_parse_end = _without
    on_interpreter_execute_end = on_interpreter_tool_call_end = _without

    @property
    def _outer(self) -> _Call:
        """The call that the present one is made in."""
        return self._calls.get(ACTIVE_CALL_ID.get() or "", _Call())

    def _leave(self, call_id: str) -> _Call:
        return self._calls.pop(call_id, _Call())

    def _item_of(self, values: Mapping[str, Any]) -> Item | None:
        # Proposers are modules too, and are called with whole programs: only
        # what has an item's fields is looked at.
        return self._items.get(cluster_of(plain(dict(values)))) if frozenset(values) in self._called_with else None

    def _credit(self, item: Item, read: dict[str, Any], demo: dict[str, Any]) -> None:
        digest = demo_digest(demo)
        with self._lock:
            if texts := _long(read) or _long(demo):
                self._look_for(item, texts)
            if item.content in self._trained_on:
                known = self._credited.get(digest, item)
                self._credited[digest] = min(known, item, key=lambda each: each.arrival)

    def _look_for(self, item: Item, texts: Iterable[Sequence[str]]) -> None:
        """From now on, a prompt with all these texts shows the item."""
        self._shown_by.setdefault(frozenset(map(self._texts.add, texts)), set()).add(item.content)

    def _note(self, prompt: Sequence[str]) -> None:
        with self._lock:
            found = self._texts.found_in(prompt)
            for texts, items in self._shown_by.items():
                if texts <= found:
                    self._shown |= items


def _texts(values: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The words of each value that has some."""
    return [words for leaf in leaves(values) if (words := words_of(str(leaf)))]


def _long(values: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [words for words in _texts(values) if len(" ".join(words)) >= ENOUGH_CHARACTERS]


def _as_demo(signature: Any, values: Mapping[str, Any], outputs: Any) -> dict[str, Any]:
    """A predictor's call as the demo that an optimiser makes of it."""
    inputs = signature.input_fields.items()
    left_out = {name: each.default for name, each in inputs if each.default is not PydanticUndefined}
    return plain_fields(signature.fields, {**left_out, **values, **outputs})
