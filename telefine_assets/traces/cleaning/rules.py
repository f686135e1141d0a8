"""The rules, in the order in which they are tried: the first that objects to a trace names the reason.

The first ones look at one trace alone, the others at the day: each sees only
what the ones before it left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from telefine_assets.traces.cleaning.candidate import Candidate


def _failed(each: Candidate) -> bool:
    return each.row.status not in each.program.settings.statuses


def _inputs_too_long(each: Candidate) -> bool:
    return len(each.row.inputs or "") > each.program.settings.max_input_characters


def _inputs_missing(each: Candidate) -> bool:
    return not isinstance(each.logged, dict) or any(name not in each.logged for name in each.program.fields.inputs)


def _inputs_empty(each: Candidate) -> bool:
    lacks = each.program.types.lacks
    blank = (name for name, value in each.inputs.items() if isinstance(value, str) and not value.strip())
    return any(lacks(name, None) for name in blank) or any(lacks(*item) for item in each.inputs.items())


def _inputs_wrong_type(each: Candidate) -> bool:
    return not all(each.program.types.fits(name, value) for name, value in each.inputs.items())


def _label_wrong_type(each: Candidate) -> bool:
    label = each.expected
    return label is not None and not all(each.program.types.fits(name, value) for name, value in label.values.items())


def _outcome_out_of_range(each: Candidate) -> bool:
    return any(outcome.out_of_range for outcome in each.outcomes)


def _outcome_missing(each: Candidate) -> bool:
    declared = each.program.settings.outcomes
    pairs = zip(declared, each.outcomes, strict=True)
    return any(settings.missing == "drop" and outcome.ppm is None for settings, outcome in pairs)


def _raters_disagree(each: Candidate) -> bool:
    allowed = each.program.max_disagreement_ppm
    return allowed is not None and each.disagreement_ppm is not None and each.disagreement_ppm > allowed


TRACE_RULES: Final[Mapping[str, Callable[[Candidate], bool]]] = {
    "failed": _failed,
    "inputs_too_long": _inputs_too_long,
    "inputs_missing": _inputs_missing,
    "inputs_empty": _inputs_empty,
    "inputs_wrong_type": _inputs_wrong_type,
    "label_wrong_type": _label_wrong_type,
    "outcome_out_of_range": _outcome_out_of_range,
    "outcome_missing": _outcome_missing,
    "raters_disagree": _raters_disagree,
}
"""Whether a rule objects to a trace, for those that need no other trace."""

RULES: Final[Mapping[str, str]] = {
    "failed": "its status is none of those that are wanted",
    "inputs_too_long": "its inputs have more characters than allowed",
    "inputs_missing": "its inputs cannot be read as an object with all of the program's input fields",
    "inputs_empty": "an input is none or blank, and its type does not allow that",
    "inputs_wrong_type": "an input does not fit its type in the signature",
    "label_wrong_type": "the expected value does not fit the output's type in the signature",
    "outcome_out_of_range": "a score lies outside of its declared range, and the settings refuse that",
    "outcome_missing": "a score that the settings require is missing",
    "raters_disagree": "its raters are farther apart than allowed",
    "unlabelled": "no expectation says what is right for one or more of its outputs, and no score accepts them",
    "outputs_missing": "its output was accepted but lacks one of the program's output fields",
    "outputs_wrong_type": "its output was accepted but does not fit its type in the signature",
    "untrusted_label": "its contributor's labels were found wrong too often, and nobody checked this one",
    "outlier": "its latency, tokens or lengths are far from the day's other traces",
    "constant_output": "too large a share of the day's traces has the same answer",
    "straddles_splits": "it resembles inputs that stand on another side of the split",
    "over_cap": "its category already has as many inputs in the trainset as it may",
}
"""All rules, in order, each with what it says of the traces that it drops."""
