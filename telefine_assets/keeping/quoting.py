"""Instructions that quote a person in part: an optimiser writes them from many people's texts.

What is quoted whole is found as any other words are (``words``). Here a run of words is enough, as long
as nobody else says it and it is no other text of that program; and nothing is removed by that alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from telefine_assets.programs.shown_texts import words_of
from telefine_assets.strangers_json import parse

RUN = 8
"""So many words in a row are hardly said twice by chance."""


@dataclass(frozen=True)
class Instructions:
    """What a version's instructions say, with how its fields are described.

    Attributes:
        program: of which program the version is.
        texts: what is said.
    """

    program: str
    texts: tuple[str, ...]


class Quoting:
    """Versions whose instructions quote one person."""

    def __init__(self, instructions: Mapping[str, Instructions], texts: Iterable[str]) -> None:
        """Look in ``instructions``, by version, for runs of words of the person's ``texts``."""
        self._versions: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for version, said in instructions.items():
            for run in _runs(said.texts):
                self._versions[run].add(version)
        self._quoted = self._known(texts)

    def forget(self, texts: Iterable[str]) -> None:
        """Others say these as well."""
        if self._quoted:
            self._quoted -= self._known(texts)

    def versions(self) -> frozenset[str]:
        """Digests of the versions in which a run of words stands that the person alone says."""
        return frozenset(version for run in self._quoted for version in self._versions[run])

    def _known(self, texts: Iterable[str]) -> set[tuple[str, ...]]:
        return {run for run in _runs(texts) if run in self._versions} if self._versions else set()


def instructions_in(content: bytes) -> Instructions | None:
    """What a file of evidence says, if it is a version of a program."""
    if b'"instructions"' not in content or b'"state"' not in content:
        return None
    try:
        version = parse(content)
        return Instructions(str(version["program"]), tuple(_texts(version["state"])))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _texts(state: Mapping[str, Any]) -> Iterator[str]:
    for predictor in state.values():
        signature = predictor["signature"]
        yield str(signature["instructions"])
        yield from (str(text) for each in signature.get("fields", ()) for text in each.values())


def _runs(texts: Iterable[str]) -> Iterator[tuple[str, ...]]:
    for text in texts:
        words = words_of(text)
        yield from (words[at : at + RUN] for at in range(len(words) - RUN + 1))
