"""Metrics that compare an answer with its label. Functions by DSPy's convention, options as keywords."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

from telefine_assets.programs.metrics.scores import CannotJudge
from telefine_assets.programs.metrics.values import labels_of, normal_form, plain_value, words_of
from telefine_assets.strangers_json import parse

Fields = Sequence[str] | None
"""Names of the outputs that count; None for every labelled one."""


def exact_match(
    example: Any, prediction: Any, trace: object = None, *, fields: Fields = None, case_sensitive: bool = False
) -> bool:
    """Whether every labelled output is right, compared by :func:`values.normal_form`."""
    return all(
        normal_form(label, case_sensitive) == normal_form(prediction.get(name), case_sensitive)
        for name, label in labels_of(example, fields).items()
    )


def f1(example: Any, prediction: Any, trace: object = None, *, fields: Fields = None) -> Fraction:
    """Token F1 of the labelled outputs, averaged over them.

    Source: Rajpurkar et al., SQuAD, 2016 (arXiv:1606.05250), with DSPy's
    ``normalize_text``: case, ASCII punctuation and English articles do not
    count, and white space parts the tokens (so it does not suit languages that
    write without). Where neither side has a token, the answer is right if the
    texts are the same; SQuAD 2.0 would also take "A" for an empty answer.
    """
    scores = [
        _f1(words_of(label), words_of(prediction.get(name))) for name, label in labels_of(example, fields).items()
    ]
    return sum(scores, Fraction()) / len(scores)


def _f1(expected: str, answered: str) -> Fraction:
    from dspy.evaluate import normalize_text

    one, other = (Counter(normalize_text(text).split()) for text in (expected, answered))
    if not one and not other:
        return Fraction(normal_form(expected) == normal_form(answered))
    # 2PR / (P + R), without the division by zero where they share nothing.
    return Fraction(2 * (one & other).total(), one.total() + other.total())


def contains(
    example: Any, prediction: Any, trace: object = None, *, fields: Fields = None, case_sensitive: bool = False
) -> bool:
    """Whether every label stands in its output, as whole words. An empty label is only in an empty output."""
    return all(
        _stands_in(_line(label, case_sensitive), _line(prediction.get(name), case_sensitive))
        for name, label in labels_of(example, fields).items()
    )


def _line(value: Any, case_sensitive: bool) -> str:
    text = " ".join(unicodedata.normalize("NFC", words_of(value)).split())
    return text if case_sensitive else text.casefold()


def _stands_in(expected: str, answered: str) -> bool:
    if not expected:
        return not answered
    return re.search(rf"(?<!\w){re.escape(expected)}(?!\w)", answered) is not None


def numeric(
    example: Any,
    prediction: Any,
    trace: object = None,
    *,
    field: str | None = None,
    absolute: str = "0",
    relative: str = "0",
) -> bool:
    """Whether the number is within ``absolute`` of its label, or within ``relative`` times the label's size.

    Both bounds are included, and computed without rounding. Text that is a
    number counts as one; an answer that is none is wrong.

    Raises:
        CannotJudge: when the label is no number, or several are labelled and none is named.
    """
    labels = labels_of(example, [field] if field else None)
    if len(labels) > 1:
        raise CannotJudge(f"several outputs are labelled ({', '.join(labels)}); name one: metric.field")
    ((name, label),) = labels.items()
    expected, answered = _number(label), _number(prediction.get(name))
    if expected is None:
        raise CannotJudge(f"the label of {name} is no number")
    allowed = max(Fraction(absolute), Fraction(relative) * abs(expected))
    return answered is not None and abs(answered - expected) <= allowed


# Longer numbers and larger exponents are no measurements, and an answer of nine characters could fill the memory.
_LONGEST = 400


def _number(value: Any) -> Fraction | None:
    plain = plain_value(value)
    if isinstance(plain, bool) or not isinstance(plain, (int, float, str)):
        return None
    text = plain.strip() if isinstance(plain, str) else repr(plain)
    try:
        number = Decimal(text) if len(text) <= _LONGEST else Decimal("NaN")
    except InvalidOperation:
        return None
    return Fraction(number) if number.is_finite() and abs(number.adjusted()) <= _LONGEST else None


def json_match(
    example: Any,
    prediction: Any,
    trace: object = None,
    *,
    fields: Fields = None,
    mode: str = "exact",
    ordered: bool = True,
    case_sensitive: bool = False,
) -> bool | Fraction:
    """Compare structures; text that holds a JSON object or list is read as one.

    ``exact``: both are the same. ``subset``: every expected value stands at its
    place, and there may be more. ``share``: how many values agree, of those
    expected or of those answered, whichever are more; the mean over outputs.
    Unless ``ordered``, a list is a bag whose elements agree as a whole or not.
    """
    compare = _Structures(ordered, case_sensitive, containers=mode != "share")
    pairs = [
        (compare.values_of(label), compare.values_of(prediction.get(name)))
        for name, label in labels_of(example, fields).items()
    ]
    if mode == "exact":
        return all(expected == answered for expected, answered in pairs)
    if mode == "subset":
        return all(expected <= answered for expected, answered in pairs)
    shares = [Fraction((one & other).total(), max(one.total(), other.total())) for one, other in pairs]
    return sum(shares, Fraction()) / len(shares)


@dataclass(frozen=True)
class _Structures:
    """Takes structures apart into values, each with its place."""

    ordered: bool
    case_sensitive: bool
    containers: bool
    """Whether each object and list counts itself: an empty one is then part of a full one."""

    def values_of(self, value: Any) -> Counter[tuple[str, str]]:
        return Counter(self._walk(_structure(plain_value(value)), ""))

    def _walk(self, value: Any, place: str) -> Iterator[tuple[str, str]]:
        if isinstance(value, (dict, list)) and (self.containers or not value):
            yield place, "{}" if isinstance(value, dict) else "[]"
        if isinstance(value, dict):
            for key, item in value.items():
                yield from self._walk(item, f"{place}/{json.dumps(key)}")
        elif isinstance(value, list) and self.ordered:
            for at, item in enumerate(value):
                yield from self._walk(item, f"{place}/{at}")
        elif isinstance(value, list):
            yield from ((f"{place}/", self._form(self._sorted(item))) for item in value)
        else:
            yield place, self._form(value)

    def _sorted(self, value: Any) -> Any:
        """Every list in ``value`` in one order: a bag within a bag."""
        if isinstance(value, dict):
            return {key: self._sorted(item) for key, item in value.items()}
        return sorted(map(self._sorted, value), key=self._form) if isinstance(value, list) else value

    def _form(self, value: Any) -> str:
        return normal_form(value, self.case_sensitive)


def _structure(value: Any) -> Any:
    """What a text holds, where that is a JSON object or list; else the value itself."""
    if isinstance(value, str) and value.strip()[:1] in ("{", "["):
        try:
            return parse(value)
        except ValueError:
            return value
    return value
