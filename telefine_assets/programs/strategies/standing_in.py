"""A teacher in the student's clothes: DSPy's optimisers take a teacher only if it has the student's own predictors."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dspy

from telefine_assets.programs.held_out import HeldOut
from telefine_assets.programs.values import plain_fields
from telefine_assets.traces.clusters import cluster_of


@dataclass(frozen=True)
class Asked:
    """Who answers. DSPy looks for predictors in lists, mappings and modules, and must not find this one's."""

    module: Any
    """A ``dspy.Module`` or a predictor of one; asked, never changed."""
    takes: tuple[str, ...]
    """Inputs that it is called with."""
    held: HeldOut | None = None
    """What no answer may show."""


class Withheld(Exception):
    """An answer shows what the student holds out.

    To an optimiser it is as one that cannot be parsed: it costs this demo, and
    nothing else. A ``TelefineError`` would end the whole strategy.
    """


class StandIn(dspy.Predict):
    """A predictor of the student that another program answers.

    It is called with the student's inputs and returns the student's outputs, so
    whoever watches (an optimiser, a witness) sees a run of the student.
    """

    asked: Asked

    def forward(self, **inputs: Any) -> Any:
        """Ask, without those of its demos that show the very question: they would give the label away.

        Raises:
            Withheld: when what it was asked, or answers, shows what is held out.
        """
        asked = self.asked.module.deepcopy()
        inputs = {name: inputs[name] for name in self.signature.input_fields if name in inputs}
        for predictor in asked.predictors():
            predictor.demos = [demo for demo in predictor.demos if not _shows(demo, inputs)]
        with dspy.context(trace=None):
            answer = asked(**{name: value for name, value in inputs.items() if name in self.asked.takes})
        given = {name: answer[name] for name in self.signature.output_fields if name in answer}
        held = self.asked.held
        if held is not None and held.shown_by({**inputs, **given}, self.signature.input_fields):
            raise Withheld("the teacher's answer shows an input that is held out")
        return self._forward_postprocess([given], self.signature, **inputs)


def stand_in(predictor: Any, asked: Asked) -> Any:
    """``predictor`` of a student, answered by another program; it has no demos of its own."""
    made = copy.copy(predictor)
    made.__class__ = StandIn
    made.asked = asked
    made.reset()
    return made


def _shows(demo: Mapping[str, Any], inputs: Mapping[str, Any]) -> bool:
    """Whether what a demo has of a question's inputs is the question's own."""
    names = [name for name in inputs if name in demo]
    return bool(names) and cluster_of(plain_fields(names, demo)) == cluster_of(plain_fields(names, inputs))
