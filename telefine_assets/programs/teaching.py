"""A program that teaches another: what serves of it answers the other's train items.

Its answers become demos where the metric accepts them. A demo is always about a
train item of the student, and nothing else of the teacher comes into the student.
Those of the teacher's own demos that show what the student holds out are taken away
before it is asked, and an answer that shows it all the same becomes no demo.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from telefine_assets.attestation.attesting import NOT_REACHED, REVOKED
from telefine_assets.ledger.records import Champion
from telefine_assets.programs.catalogue import Records
from telefine_assets.programs.champions import serving
from telefine_assets.programs.held_out import HeldOut
from telefine_assets.programs.program_fields import THOUGHTS
from telefine_assets.programs.spec import ProgramError, ProgramSpec
from telefine_assets.programs.state import dump_state
from telefine_assets.programs.versions import Version

TEACHER = "teacher"
"""Under this name a strategy's record says which version of another program taught."""
_DECIDES = "deltaone_reports contributor_weights attestations champions"


class Served(Protocol):
    """The part of ``ledger.champions.Champions`` that is read here."""

    def before(self, program: str, day: str) -> Champion | None:
        """The champion that served during ``day``."""
        ...


@dataclass(frozen=True)
class Teacher:
    """The version of a program that teaches."""

    spec: ProgramSpec
    version: Version
    since: str | None = None
    """The day on which it came to serve; None: it is the first version."""

    @property
    def identity(self) -> dict[str, str]:
        """What decides its answers, beside the model: part of the versions that it taught."""
        return {"program": self.spec.name, "version": self.version.digest, "code": self.spec.code_digest}

    def to_record(self) -> dict[str, Any]:
        """Canonical JSON form."""
        return {**self.identity, "since": self.since}

    def module(self, student: ProgramSpec, held: HeldOut | None = None) -> Any:
        """A ``dspy.Module`` with the student's predictors that answers as this version does.

        A student of one predictor gets the teacher's answers as a whole; one of
        several gets those of the same predictors of the teacher.

        Raises:
            ProgramError: when the version does not fit its program any more, or its instructions quote what
                is held out and those of its first version do not.
        """
        # Loads DSPy.
        from telefine_assets.programs.strategies.standing_in import Asked, stand_in

        module = self.version.module(self.spec)
        if held is not None:
            self._forget(module, held)
        if len(student.signatures) == 1:
            asked = Asked(module, self.spec.fields.inputs, held)
            return _replaced(student.build().reset_copy(), lambda name, each: stand_in(each, asked))
        own = dict(student.build().named_predictors())
        return _replaced(
            module, lambda name, each: stand_in(own[name], Asked(each, tuple(each.signature.input_fields), held))
        )

    def _forget(self, module: Any, held: HeldOut) -> None:
        first, state = dump_state(self.spec.build()), dump_state(module)
        for name, predictor in module.named_predictors():
            if held.quoted_in(state[name]["signature"], besides=first[name]["signature"]):
                raise ProgramError(
                    f"{self.spec.name}: version {self.version.digest[:12]} cannot teach: its instructions quote an "
                    "input that the student holds out; let another version of it serve, or leave "
                    "compile.teacher_program out"
                )
            inputs = predictor.signature.input_fields
            predictor.demos = [each for each in predictor.demos if not held.shown_by(each, inputs)]


def _replaced(module: Any, make: Callable[[str, Any], Any]) -> Any:
    names = {id(each): name for name, each in module.named_predictors()}
    if "self" in names.values():
        return make("self", module)
    return module.map_named_predictors(lambda each: make(names[id(each)], each))


def was_taught(strategy: Mapping[str, Any]) -> bool:
    """Whether another program taught what a strategy made."""
    return TEACHER in strategy


def check_can_teach(teacher: ProgramSpec, student: ProgramSpec) -> None:
    """Refuse a teacher that cannot be asked the student's questions, or does not answer them.

    Raises:
        ProgramError: naming the setting and the cure.
    """
    setting = f"programs.{student.name}.compile.teacher_program = {teacher.name!r}"
    if len(student.signatures) > 1:
        if teacher.signatures != student.signatures:
            raise ProgramError(
                f"{setting}: {student.name} has {len(student.signatures)} predictors, which only a program with the "
                f"same ones can teach ({_described(student)}); {teacher.name} has {_described(teacher)}"
            )
        return
    (sides,) = student.signatures.values()
    inputs, outputs = ([field["name"] for field in sides[side]] for side in ("inputs", "outputs"))
    asks = [name for name in teacher.fields.inputs if name not in inputs]
    lacks = [name for name in outputs if name not in {*teacher.fields.outputs, *THOUGHTS}]
    if asks:
        raise ProgramError(
            f"{setting}: it is called with {', '.join(asks)}, which {student.name} is not; a teacher may be called "
            f"with {', '.join(inputs)} only: give its forward defaults for the others, or name another teacher"
        )
    if lacks:
        raise ProgramError(
            f"{setting}: it does not answer {', '.join(lacks)}, which {student.name} answers; a teacher must answer "
            f"all of {', '.join(outputs)} (it answers {', '.join(teacher.fields.outputs)}): name another one"
        )


def _described(spec: ProgramSpec) -> str:
    return ", ".join(
        f"{name}: {' '.join(field['name'] for field in sides['inputs'])} -> "
        f"{' '.join(field['name'] for field in sides['outputs'])}"
        for name, sides in spec.signatures.items()
    )


def teacher_for(
    student: ProgramSpec,
    teacher: ProgramSpec,
    day: str,
    records: Records,
    champions: Served,
    evidence: Callable[[str], bytes],
    lm: Mapping[str, str],
) -> Teacher:
    """What of ``teacher`` served during ``day``; a day that was compiled already keeps the teacher that it had.

    Raises:
        ProgramError: when the teacher does not fit the student, its champion cannot serve, or a candidate of a
            day since then waits for the decision whether it is to serve.
    """
    check_can_teach(teacher, student)
    kept = (records.find(student.name, "compiled_programs", day) or {}).get("teacher")
    if kept and kept["program"] == teacher.name:
        return Teacher(teacher, Version(evidence(kept["version"])), kept["since"])
    champion = champions.before(teacher.name, day)
    _require_decided(student.name, teacher.name, champion.day if champion else "", day, records)
    return Teacher(teacher, serving(teacher, champion, evidence, lm), champion.day if champion else None)


def _require_decided(student: str, teacher: str, since: str, day: str, records: Records) -> None:
    """What teaches must not depend on whether the teacher's last stages come before or after this compile.

    A candidate of ``since``, when what serves came to serve, or of an earlier day can be promoted no more.
    """
    for each in (each for each in records.days(teacher, "compiled_programs") if since < each < day):
        compiled = records.read(teacher, "compiled_programs", each)["candidate"] is not None
        if compiled and not _is_decided(records, teacher, each):
            raise ProgramError(
                f"programs.{student}.compile.teacher_program = {teacher!r}: whether its candidate of {each} is to "
                f"serve is not decided; run telefine run {_DECIDES} --program {teacher} --day {each}, and then this "
                "again; where its attestation awaits signatures, take these in first (telefine attest "
                "add-cosignature), or revoke it (telefine attest revoke)"
            )


def _is_decided(records: Records, program: str, day: str) -> bool:
    """Whether no later run can promote a day's candidate: an attestation that promoted nothing may do so yet."""
    champion, attestation = (records.find(program, stage, day) for stage in ("champions", "attestations"))
    if champion is None or attestation is None:
        return False
    return champion["outcome"] != "kept" or attestation["outcome"] in (NOT_REACHED, REVOKED)
