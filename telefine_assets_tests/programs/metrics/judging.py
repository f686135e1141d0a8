"""What the tests of the metrics share."""

from typing import Any

import dspy
from hypothesis import strategies as st

TEXTS = st.text(max_size=8)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def labelled(**labels: Any) -> dspy.Example:
    """An item with these labels."""
    return dspy.Example(ticket="my card was charged", **labels).with_inputs("ticket")


def compared(function: Any, label: Any, answer: Any, **options: Any) -> Any:
    """What a metric says of one output."""
    return function(labelled(value=label), dspy.Prediction(value=answer), **options)
