"""One trace while it is judged: each part is worked out when the first rule asks for it, and once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final, NamedTuple

from telefine_assets.attribution.addresses import resolve_contributor
from telefine_assets.settings.traces import CleaningSettings
from telefine_assets.traces.cleaning.annotations import FieldTypes
from telefine_assets.traces.cleaning.labels import Label, expectations_on, expected_label, output_label
from telefine_assets.traces.cleaning.outcomes import PPM, Notes, Outcome, OutcomeReader
from telefine_assets.traces.cleaning.reading import read_json, read_object
from telefine_assets.traces.cleaning.scale import score, settled_scales
from telefine_assets.traces.fields import Fields
from telefine_assets.traces.records import Assessment


class Row(NamedTuple):
    """What cleaning reads of a stored trace."""

    trace_id: str
    request_time_ms: int
    duration_ms: int | None
    status: str
    inputs: str | None
    outputs: str | None
    session: str | None
    version: str | None
    tokens: int | None
    tags: str
    assessments: str
    digest: str


class Contributor(NamedTuple):
    """Who a tag names."""

    address: str | None
    reason: str | None
    who: str | None
    """The wallet in its one spelling, or else the tag's own text; None without a tag."""


class Program:
    """What all traces of a program are judged by."""

    def __init__(self, fields: Fields, settings: CleaningSettings) -> None:
        """Prepare for the traces of a day."""
        self.fields: Final = fields
        self.settings: Final = settings
        self.types: Final = FieldTypes(fields)
        self.readers: Final = tuple(OutcomeReader(each) for each in settings.outcomes)
        self.notes: Final = Notes()
        self.accept_ppm: Final = None if settings.accept_outputs_at is None else round(settings.accept_outputs_at * PPM)
        allowed = settings.outliers.max_disagreement
        self.max_disagreement_ppm: Final = None if allowed is None else round(allowed * PPM)
        self.settled: Final = settled_scales(settings)
        self._contributors: dict[Any, Contributor] = {}

    def contributor(self, tag: Any) -> Contributor:
        """Who a tag names; most traces come from few, and a wallet's checksum takes its time."""
        if not isinstance(tag, str | None):
            tag = str(tag)
        known = self._contributors.get(tag)
        if known is None:
            found = resolve_contributor(tag)
            text = (tag or "").strip() or None
            known = Contributor(found.address, found.reason and str(found.reason), found.address or text)
            self._contributors[tag] = known
        return known


def assessed(text: str) -> list[Assessment]:
    """The assessments of a stored trace that nothing overrides."""
    found = [] if text == "[]" else read_json(text)
    return [Assessment(**each) for each in found if each["valid"]] if isinstance(found, list) else []


class Candidate:
    """A trace and what its texts say."""

    def __init__(self, row: Row, program: Program) -> None:
        """Take up a trace; nothing is parsed yet."""
        self.row = row
        self.program = program

    @cached_property
    def tags(self) -> dict[str, Any]:
        """The tags by name."""
        return read_object(self.row.tags)

    @cached_property
    def contributor(self) -> Contributor:
        """Who sent the trace."""
        return self.program.contributor(self.tags.get(self.program.settings.contributor_tag))

    @cached_property
    def logged(self) -> Any:
        """The inputs as they were logged."""
        return read_json(self.row.inputs)

    @cached_property
    def inputs(self) -> dict[str, Any]:
        """The program's own input fields; rules ask once it is sure that they are there."""
        return {name: self.logged[name] for name in self.program.fields.inputs}

    @cached_property
    def outputs(self) -> Any:
        """The outputs as they were logged."""
        return read_json(self.row.outputs)

    @cached_property
    def assessed(self) -> list[Assessment]:
        """The assessments that nothing overrides."""
        return assessed(self.row.assessments)

    @cached_property
    def expectations(self) -> dict[str, Sequence[tuple[Assessment, Any]]]:
        """What people expect of each output field."""
        program = self.program
        return {
            name: expectations_on(self.assessed, name, program.settings, program.types)
            for name in program.fields.outputs
        }

    @cached_property
    def expected(self) -> Label | None:
        """The label that expectations give."""
        return expected_label(self.expectations, self.program.settings.audit)

    @cached_property
    def outcomes(self) -> list[Outcome]:
        """What was said under the name of each outcome."""
        return [reader.outcome(self.assessed, self.program.notes) for reader in self.program.readers]

    @property
    def values(self) -> list[int | None]:
        """The outcomes' values."""
        return [outcome.ppm for outcome in self.outcomes]

    @property
    def disagreement_ppm(self) -> int | None:
        """The widest spread between raters of one outcome."""
        return max((outcome.spread for outcome in self.outcomes if outcome.spread is not None), default=None)

    @cached_property
    def label(self) -> Label | None:
        """The one label that the trace can have, whatever the day's other traces say; None for none.

        An output is only accepted by what somebody said of it: an imputed value is nobody's word.
        """
        program = self.program
        if self.expected is not None:
            return self.expected
        if program.accept_ppm is None or not self.said or not program.fields.outputs:
            return None
        if program.settled is not None and (score(program.settled, self.values) or 0) < program.accept_ppm:
            return None
        return output_label(self.outputs, program.fields, self.said)

    @property
    def said(self) -> list[str]:
        """The outcomes of which somebody said something."""
        pairs = zip(self.program.settings.outcomes, self.outcomes, strict=True)
        return [settings.feedback for settings, outcome in pairs if outcome.ppm is not None]

    @property
    def label_fault(self) -> str | None:
        """The rule that objects to the output as a label."""
        label, types = self.label, self.program.types
        if label is None or label is self.expected:
            return None
        values = label.values
        if any(name not in values or types.lacks(name, values[name]) for name in self.program.fields.outputs):
            return "outputs_missing"
        return None if all(types.fits(name, value) for name, value in values.items()) else "outputs_wrong_type"
