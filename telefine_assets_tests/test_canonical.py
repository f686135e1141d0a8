"""Canonical bytes: the same facts, the same digest; and nothing that two readers could read differently."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rfc8785 import CanonicalizationError

from telefine_assets.canonical import canonical_json, canonical_lines, digest_of, sha256_hex

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SCALARS = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e12, 1e12) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=12
)


def test_the_example_of_the_standard():
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": '\u20ac$\u000f\nA\'B"\\\\"/',
        "literals": [None, True, False],
    }
    assert canonical_json(value).decode() == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


@given(st.dictionaries(TEXTS, VALUES, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_matter(value, random):
    keys = list(value)
    random.shuffle(keys)
    assert digest_of({key: value[key] for key in keys}) == digest_of(value)


@given(VALUES)
def test_canonical_json_says_the_same_as_the_value(value):
    assert json.loads(canonical_json(value)) == value


@given(VALUES)
def test_canonicalising_again_changes_nothing(value):
    assert canonical_json(json.loads(canonical_json(value))) == canonical_json(value)


def test_values_that_differ_only_in_type_have_other_digests():
    assert len({digest_of(value) for value in (1, "1", True, [1], {"1": 1}, None, "")}) == 7


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 2**53, -(2**53), 10**21])
@pytest.mark.parametrize("place", [lambda value: value, lambda value: [value], lambda value: {"a": {"b": value}}])
def test_numbers_that_readers_disagree_about_are_refused(value, place):
    with pytest.raises(CanonicalizationError):
        canonical_json(place(value))


@pytest.mark.parametrize("value", [{1: "a"}, {"a": object()}, b"bytes", {"a"}])
def test_what_json_does_not_have_is_refused(value):
    with pytest.raises(CanonicalizationError):
        canonical_json(value)


def test_amounts_travel_as_strings():
    amount = str(2**256 - 1)
    assert json.loads(canonical_json({"amount": amount})) == {"amount": amount}


@given(st.lists(st.dictionaries(TEXTS, VALUES, max_size=3), max_size=5))
def test_lines_are_one_row_each(rows):
    content = canonical_lines(rows)
    assert [json.loads(line) for line in content.split(b"\n")[:-1]] == rows
    assert content == b"" if not rows else content.endswith(b"\n")


def test_a_digest_is_the_sha256_of_the_canonical_bytes():
    assert sha256_hex(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert digest_of({"b": 2, "a": 1}) == hashlib.sha256(b'{"a":1,"b":2}').hexdigest()
