"""Whether something shows what is held out.

A program that learns from its own train items never sees a held-out input. What
another program knows is another matter: its demos, instructions and code may hold
inputs that this one holds out. So these are looked for: whole inputs and their
near-copies, long texts wherever they may stand, short ones where they are the whole
of an input. A text that stands in what the student may see anyway tells nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from telefine_assets.programs.alike import Alike
from telefine_assets.programs.shown_texts import ENOUGH_CHARACTERS, ShownTexts, words_of
from telefine_assets.programs.values import leaves, plain
from telefine_assets.settings.traces import NearDuplicateSettings
from telefine_assets.traces.clusters import cluster_of, text_of
from telefine_assets.traces.records import CleanedTrace

_AS_SETTINGS_LEAVE_IT = NearDuplicateSettings()


class HeldOut:
    """The held-out inputs of a window."""

    def __init__(
        self,
        cleaned: Iterable[CleanedTrace],
        own: Any = (),
        near: NearDuplicateSettings = _AS_SETTINGS_LEAVE_IT,
    ) -> None:
        """Learn the inputs of a window's cleaned traces.

        Args:
            cleaned: of the whole window.
            own: a JSON value with the texts of the student's first version, which are nobody's secret.
            near: which of the student's inputs are near-copies.
        """
        self._held: list[dict[str, Any]] = []
        self._known: list[dict[str, Any]] = []
        seen = [leaf for leaf in leaves(own) if isinstance(leaf, str)]
        for trace in cleaned:
            inputs = plain(json.loads(trace.inputs))
            if trace.split == "holdout":
                self._held.append(inputs)
            else:
                self._known.append(inputs)
                seen += map(str, leaves([inputs, plain(json.loads(trace.label))]))
        self._near = near
        self._seen = seen
        self._contents: dict[frozenset[str], tuple[set[str], set[str]]] = {}
        self._names = frozenset(name for inputs in self._held for name in inputs)
        held = set(_texts(self._held))
        self._short = {words for words in held if len(" ".join(words)) < ENOUGH_CHARACTERS} - set(_texts(self._known))
        self._long = ShownTexts()
        for words in held:
            if len(" ".join(words)) >= ENOUGH_CHARACTERS:
                self._long.add(words)
        self._told = self._long.found_in(seen)

    def __deepcopy__(self, memo: Any) -> HeldOut:
        """Itself: it never changes, and DSPy copies programs with all that they hold."""
        return self

    def quoted_in(self, value: Any, besides: Any = ()) -> bool:
        """Whether a long text stands anywhere in a JSON value, and not in ``besides``."""
        return bool(self._quotes(value) - self._told - self._quotes(besides))

    def shown_by(self, demo: Mapping[str, Any], inputs: Iterable[str]) -> bool:
        """Whether a demo shows a held-out input, or a text of one.

        Args:
            demo: the fields and values of a predictor's demo.
            inputs: names of those that the predictor reads.
        """
        shown = plain(dict(demo))
        asked = {name: shown[name] for name in inputs if name in shown}
        return (
            not self._short.isdisjoint(_texts(asked))
            or self.quoted_in(shown)
            or self._is_held({name: value for name, value in asked.items() if name in self._names})
            or self._resembles(shown)
        )

    def _quotes(self, value: Any) -> set[bytes]:
        return self._long.found_in(str(leaf) for leaf in leaves(value))

    def _is_held(self, inputs: dict[str, Any]) -> bool:
        """Whether inputs are a held-out item or a near-copy of one; or a part that only held-out items have."""
        if not inputs:
            return False
        content, whole = cluster_of(inputs), inputs.keys() == self._names
        held, known = self._contents_of(frozenset(inputs))
        if content in held:
            return whole or content not in known
        return whole and content not in known and bool(self._held_items.among([text_of(inputs)]))

    def _resembles(self, value: Any) -> bool:
        """Whether a long text is a near-copy of one of a held-out input, and of none that the student may see."""
        alike = self._held_texts.among(_long(leaves(value)))
        return bool(alike - (self._seen_texts.among(sorted(alike)) if alike else set()))

    def _contents_of(self, names: frozenset[str]) -> tuple[set[str], set[str]]:
        """Digests of what held-out items have in these fields, and of what the others have."""
        if names not in self._contents:
            self._contents[names] = _digests(self._held, names), _digests(self._known, names)
        return self._contents[names]

    @cached_property
    def _held_items(self) -> Alike:
        return Alike(map(text_of, self._held), self._near)

    @cached_property
    def _held_texts(self) -> Alike:
        return Alike(_long(leaves(self._held)), self._near)

    @cached_property
    def _seen_texts(self) -> Alike:
        return Alike(_long(self._seen), self._near)


def _texts(value: Any) -> Iterator[tuple[str, ...]]:
    """The words of each value that has some."""
    return (words for leaf in leaves(value) if leaf is not None and (words := words_of(str(leaf))))


def _long(values: Iterable[Any]) -> list[str]:
    """The long texts among values, normalised."""
    texts = (text_of({"text": value}) for value in values if isinstance(value, str))
    return [text for text in texts if len(text) >= ENOUGH_CHARACTERS]


def _digests(items: Iterable[dict[str, Any]], names: frozenset[str]) -> set[str]:
    return {cluster_of({name: each[name] for name in names if name in each}) for each in items}
