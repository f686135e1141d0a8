"""What differs between two versions: instructions by words, demos by what they show, settings by name."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

from telefine_assets.canonical import digest_of
from telefine_assets.programs.versions import Version

_WORD = re.compile(r"\s+|\S+")

Fate = Literal["same", "moved", "changed", "added", "removed"]


@dataclass(frozen=True)
class Piece:
    """A stretch of instructions."""

    side: Literal["both", "a", "b"]
    text: str


@dataclass(frozen=True)
class DemoChange:
    """What became of one demo."""

    fate: Fate
    """``moved``: its order among the demos that both versions have is another; making room is no move."""
    at_a: int | None
    at_b: int | None
    a: dict[str, Any] | None
    b: dict[str, Any] | None


@dataclass(frozen=True)
class PredictorDiff:
    """What differs in one predictor."""

    name: str
    instructions: list[Piece]
    fields: list[tuple[Any, Any]]
    """How the prompt presents a field, where that differs."""
    demos: list[DemoChange]
    """In the order of ``b``, what was removed at the place that it had in ``a``."""

    @property
    def differs(self) -> bool:
        """Whether anything does."""
        said = any(piece.side != "both" for piece in self.instructions)
        return said or bool(self.fields) or any(demo.fate != "same" for demo in self.demos)


@dataclass(frozen=True)
class VersionDiff:
    """What differs between two versions."""

    a: str
    b: str
    settings: list[tuple[str, Any, Any]]
    """(name, value in ``a``, value in ``b``); None where a version lacks it."""
    predictors: list[PredictorDiff]

    @property
    def differs(self) -> bool:
        """Whether anything does."""
        return bool(self.settings) or any(each.differs for each in self.predictors)

    def to_record(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)


def diff_versions(a: Version, b: Version) -> VersionDiff:
    """Compare two versions of one program."""
    one, other = json.loads(a.document), json.loads(b.document)
    facts = [dict(_leaves({key: value for key, value in each.items() if key != "state"})) for each in (one, other)]
    settings = [
        (name, facts[0].get(name), facts[1].get(name))
        for name in sorted(facts[0].keys() | facts[1].keys())
        if facts[0].get(name) != facts[1].get(name)
    ]
    names = list(dict.fromkeys([*one["state"], *other["state"]]))
    return VersionDiff(a.digest, b.digest, settings, [_predictor(name, one, other) for name in names])


def diff_words(a: str, b: str) -> list[Piece]:
    """Two texts in stretches; those of ``a`` and both are ``a``, those of ``b`` and both are ``b``."""
    one, other = _WORD.findall(a), _WORD.findall(b)
    pieces = []
    for kind, a1, a2, b1, b2 in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if kind == "equal":
            pieces.append(Piece("both", "".join(one[a1:a2])))
        else:
            pieces += [Piece("a", "".join(one[a1:a2])), Piece("b", "".join(other[b1:b2]))]
    return [piece for piece in pieces if piece.text]


def diff_demos(a: Sequence[dict[str, Any]], b: Sequence[dict[str, Any]], inputs: Sequence[str]) -> list[DemoChange]:
    """Compare two lists of demos; demos that show the same ``inputs`` are one demo, the n-th with the n-th."""
    pairs = _paired(_keys(a, inputs), _keys(b, inputs))
    in_order = _longest_rising([pairs[at] for at in sorted(pairs)])
    changes = [DemoChange("removed", at, None, demo, None) for at, demo in enumerate(a) if at not in pairs.values()]
    rest: list[DemoChange] = []
    for at, demo in enumerate(b):
        before = pairs.get(at)
        if before is None:
            rest.append(DemoChange("added", None, at, None, demo))
            continue
        fate: Fate = "changed" if a[before] != demo else "same" if before in in_order else "moved"
        rest.append(DemoChange(fate, before, at, a[before], demo))
    return _merged(changes, rest)


def _predictor(name: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> PredictorDiff:
    empty = {"signature": {"instructions": "", "fields": []}, "demos": []}
    a, b = one["state"].get(name, empty), other["state"].get(name, empty)
    sides = (one if name in one["signatures"] else other)["signatures"][name]
    inputs, outputs = ([field["name"] for field in sides[side]] for side in ("inputs", "outputs"))
    demos = [[_in_order(demo, [*inputs, *outputs]) for demo in part["demos"]] for part in (a, b)]
    fields = zip(a["signature"]["fields"], b["signature"]["fields"], strict=False)
    return PredictorDiff(
        name,
        diff_words(a["signature"].get("instructions", ""), b["signature"].get("instructions", "")),
        [(before, after) for before, after in fields if before != after],
        diff_demos(demos[0], demos[1], inputs),
    )


def _in_order(demo: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """A demo with its fields in the signature's order, the rest behind."""
    return {name: demo[name] for name in [*names, *sorted(demo.keys() - set(names))] if name in demo}


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, each in value.items():
            yield from _leaves(each, f"{path}.{key}" if path else key)
    else:
        yield path, value


def _keys(demos: Sequence[Mapping[str, Any]], inputs: Sequence[str]) -> list[tuple[str, int]]:
    """What each demo shows, and how many before it show the same."""
    seen: dict[str, int] = defaultdict(int)
    keys = []
    for demo in demos:
        shown = digest_of({name: demo.get(name) for name in inputs})
        keys.append((shown, seen[shown]))
        seen[shown] += 1
    return keys


def _paired(a: Sequence[tuple[str, int]], b: Sequence[tuple[str, int]]) -> dict[int, int]:
    """Position in ``b`` -> position in ``a``."""
    places = {key: at for at, key in enumerate(a)}
    return {at: places[key] for at, key in enumerate(b) if key in places}


def _longest_rising(numbers: Sequence[int]) -> set[int]:
    """The members of a longest rising subsequence of different numbers (patience sorting)."""
    tails: list[int] = []
    before: dict[int, int | None] = {}
    for number in numbers:
        at = bisect_left(tails, number)
        before[number] = tails[at - 1] if at else None
        tails[at : at + 1] = [number]
    members, each = set(), tails[-1] if tails else None
    while each is not None:
        members.add(each)
        each = before[each]
    return members


def _merged(removed: Sequence[DemoChange], rest: Sequence[DemoChange]) -> list[DemoChange]:
    """``rest`` in its order, each removed demo before the first that stood behind it in ``a``."""
    merged, waiting = [], list(removed)
    for each in rest:
        if each.fate != "moved" and each.at_a is not None:
            while waiting and (waiting[0].at_a or 0) < each.at_a:
                merged.append(waiting.pop(0))
        merged.append(each)
    return merged + waiting
