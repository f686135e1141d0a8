"""Whether something shows what is held out.

A program that learns from its own train items never sees a held-out text. What
another program knows is another matter: its demos, instructions and code may hold
texts that this one holds out. So these are looked for: long ones wherever they may
stand, short ones where they are the whole of an input.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from telefine_assets.programs.shown_texts import ENOUGH_CHARACTERS, ShownTexts, words_of
from telefine_assets.programs.values import leaves, plain
from telefine_assets.traces.records import CleanedTrace


class HeldOut:
    """The texts of held-out inputs that no train or validation input has, too."""

    def __init__(self, cleaned: Iterable[CleanedTrace]) -> None:
        """Learn the texts of a window's cleaned traces."""
        known: set[tuple[str, ...]] = set()
        held: set[tuple[str, ...]] = set()
        for trace in cleaned:
            (held if trace.split == "holdout" else known).update(_texts(json.loads(trace.inputs)))
        self._short = {words for words in held - known if len(" ".join(words)) < ENOUGH_CHARACTERS}
        self._long = ShownTexts()
        for words in held - known - self._short:
            self._long.add(words)

    def quoted_in(self, value: Any) -> bool:
        """Whether a long one stands anywhere in a JSON value."""
        return bool(self._long.found_in(str(leaf) for leaf in leaves(value)))

    def shown_by(self, demo: Mapping[str, Any], inputs: Iterable[str]) -> bool:
        """Whether a demo shows one: quoted in any field, or as the whole of one of its ``inputs``."""
        shown = plain(dict(demo))
        asked = {words for name in inputs for words in _texts(shown.get(name))}
        return bool(asked & self._short) or self.quoted_in(shown)


def _texts(value: Any) -> Iterator[tuple[str, ...]]:
    """The words of each value that has some."""
    return (words for leaf in leaves(value) if leaf is not None and (words := words_of(str(leaf))))
