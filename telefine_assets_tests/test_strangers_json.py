"""JSON from strangers: the same as json.loads, and never a crash."""

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.strangers_json import MAX_DEPTH, parse

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_what_is_no_danger_is_read_as_json_reads_it(value):
    text = json.dumps(value)
    assert parse(text) == parse(text.encode()) == value


@pytest.mark.parametrize("depth", [MAX_DEPTH, MAX_DEPTH + 1])
@pytest.mark.parametrize("opened", ["[", '{"a":'])
def test_nesting_is_allowed_up_to_a_limit(opened, depth):
    text = opened * depth + "1" + ("]" if opened == "[" else "}") * depth
    if depth <= MAX_DEPTH:
        assert parse(text)
    else:
        with pytest.raises(ValueError, match="nested more than 200 deep"):
            parse(text)


def test_a_string_that_never_ends_is_passed_over_once():
    """From each of its quotes it would take minutes."""
    with pytest.raises(ValueError, match="Unterminated"):
        parse("[" + "[]," * (MAX_DEPTH + 1) + '"' + '\\"' * 1_000_000)


def test_brackets_in_strings_are_text():
    text = json.dumps({"code": '[{"' * 5_000})
    assert parse(text) == {"code": '[{"' * 5_000}


def test_deep_nesting_does_not_crash_a_process_with_a_raised_recursion_limit():
    program = (
        "import sys; sys.setrecursionlimit(100_000)\n"
        "from telefine_assets.strangers_json import parse\n"
        "for text in ('[' * 1_000_000, '{\"a\":' * 1_000_000, '\"' + '[' * 1_000_000):\n"
        "    try: parse(text)\n"
        "    except ValueError: print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["refused"] * 3)
