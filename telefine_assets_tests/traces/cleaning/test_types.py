"""Types: what fits a field of the program's signature."""

import enum
from typing import Annotated, Any, Literal, Optional

import dspy
import pydantic
import pytest

from telefine_assets.traces.cleaning.annotations import FieldTypes
from telefine_assets.traces.fields import Fields
from telefine_assets_tests.programs.examples import tickets_spec
from telefine_assets_tests.traces.examples import expectation, trace, why

RIGHT = expectation("billing")


class Order(pydantic.BaseModel):
    number: int
    items: list[str] = []


class Fragile(pydantic.BaseModel):
    number: Any

    @pydantic.field_validator("number")
    @classmethod
    def _halved(cls, value):
        return 1 / value["half"]


class Team(enum.Enum):
    BILLING = "billing"


class Unknown:
    """What pydantic cannot judge."""


class Picture(pydantic.BaseModel):
    image: dspy.Image


class Unfinished(pydantic.BaseModel):
    other: "NeverDefined"  # noqa: F821


def types(annotation, side="inputs"):
    return FieldTypes(
        Fields(("x",), (), {"x": annotation}) if side == "inputs" else Fields((), ("x",), {"x": annotation})
    )


@pytest.mark.parametrize(
    ("annotation", "fitting", "others"),
    [
        (str, ["", "text"], [5, True, None, ["a"], {}]),
        (int, [5, "5", 5.0], ["five", 5.5, None, []]),
        (float, [5, 5.5, "5.5"], ["x", None]),
        (bool, [True, "yes", 0], ["maybe", 7]),
        (Literal["a", "b"], ["a"], ["c", None, 1]),
        (list[str], [[], ["a"]], ["a", [1], None]),
        (dict[str, int], [{}, {"a": 1}], [{"a": "x"}, []]),
        (dict, [{"a": []}], [[]]),
        (Optional[int], [None, 5], ["x"]),  # noqa: UP045
        (int | None, [None, 5], ["x"]),
        (int | str, ["x", 5], [[], None]),
        (Annotated[int, pydantic.Field(ge=1)], [1], [0]),
        (Order, [{"number": 1}, {"number": "1", "items": ["a"]}], [{}, {"number": "x"}, "text"]),
        (list[Order], [[{"number": 1}]], [[{}]]),
        (Fragile, [{"number": {"half": 1}}], [{"number": {"half": 0}}, {"number": {}}, {"number": 3}]),
        (Team, ["billing"], ["login"]),
        (Any, [None, 5, "x", [{}]], []),
        (object, [5, "x", [{}]], []),
        (dspy.Image, ["https://example.org/cat.png", {"url": "x"}, 5], []),
        (dspy.History, [{"messages": 5}, "x"], []),
        (list[dspy.Image], ["x", [5]], []),
        (Picture, ["x", {}], []),
        (Optional[dspy.Image], ["x", None], []),  # noqa: UP045
        (Unknown, ["x", 5], []),
        (Unfinished, ["x", 5], []),
        ("NotEvenDefined", ["x", 5], []),
    ],
    ids=str,
)
def test_values_fit_as_json_and_what_cannot_be_judged_fits_anything(annotation, fitting, others):
    judge = types(annotation)
    assert [value for value in fitting if not judge.fits("x", value)] == []
    assert [value for value in others if judge.fits("x", value)] == []
    assert judge.fits("another field", object())


@pytest.mark.parametrize(
    ("annotation", "may_be_none"),
    [
        (str, False),
        (Any, False),
        (str | None, True),
        (Optional[dspy.Image], True),  # noqa: UP045
        (Annotated[int | None, "x"], True),
        (Literal["x", None], True),
        (Literal["None"], False),
    ],
)
def test_a_field_may_be_none_where_its_type_says_so(annotation, may_be_none):
    fields = Fields(("ticket",), ("team",), {"ticket": annotation})
    assert types(annotation).lacks("x", None) is not may_be_none
    assert why(trace(1, RIGHT, inputs={"ticket": None}), fields=fields) == (None if may_be_none else "inputs_empty")
    assert not types(annotation).lacks("x", 0)


@pytest.mark.parametrize(
    ("annotation", "is_free"),
    [(str, True), (str | None, True), (Annotated[str, "x"], True), (Literal["a"], False), (int, False), (Any, False)],
)
def test_free_text_is_what_may_be_any_text(annotation, is_free):
    assert types(annotation, "outputs").free_text == (("x",) if is_free else ())


def test_an_input_of_a_wrong_type_costs_the_trace_and_so_does_a_label():
    fields = Fields(("ticket",), ("team",), {"ticket": list[str], "team": Literal["billing", "login"]})
    good = {"ticket": ["a"]}
    assert why(trace(1, RIGHT, inputs=good), fields=fields) is None
    assert why(trace(1, RIGHT, inputs={"ticket": "a"}), fields=fields) == "inputs_wrong_type"
    assert why(trace(1, expectation("praise"), inputs=good), fields=fields) == "label_wrong_type"


def test_the_types_are_those_of_the_programs_signature():
    spec = tickets_spec()
    assert set(spec.fields.types) == {"ticket", "team"}
    right, wrong = (trace(1, expectation(team), inputs={"ticket": "x"}) for team in ("billing", "nobody"))
    assert why(right, fields=spec.fields) is None
    assert why(wrong, fields=spec.fields) == "label_wrong_type"
