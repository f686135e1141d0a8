"""Which program teaches which: the rules that concern more than one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from telefine_assets.settings.schema import ProgramSettings


def check_teachers(teachers: Mapping[str, str | None]) -> None:
    """Refuse teachers that cannot be: unknown ones, a program itself, and programs that teach each other in a circle.

    Args:
        teachers: for each program of the deployment ``compile.teacher_program``.

    Raises:
        ValueError: naming the setting and the cure.
    """
    for name, teacher in teachers.items():
        said = f"programs.{name}.compile.teacher_program = {teacher!r}"
        if teacher == name:
            raise ValueError(
                f"{said}: a program cannot teach itself; incremental.teacher lets its latest candidate do so"
            )
        if teacher is not None and teacher not in teachers:
            others = ", ".join(each for each in teachers if each != name) or "none"
            raise ValueError(f"{said}: is no other program of this deployment; there are: {others}")
    for name in teachers:
        circle = _circle(name, teachers)
        if circle:
            raise ValueError(
                f"programs.{name}.compile.teacher_program: {' is taught by '.join(circle)}: that is a circle; "
                "leave teacher_program out of one of them"
            )


def check_same_split(programs: Mapping[str, ProgramSettings]) -> None:
    """Refuse a teacher that puts an input on another side than its student does: it would learn what that holds out.

    Raises:
        ValueError: naming the settings that differ, and never their values, of which one is a key.
    """
    for name, program in programs.items():
        teacher = program.compile.teacher_program
        if teacher is None or program.split == programs[teacher].split:
            continue
        theirs = programs[teacher].split
        differ = [key for key in type(theirs).model_fields if getattr(theirs, key) != getattr(program.split, key)]
        raise ValueError(
            f"programs.{name}.compile.teacher_program = {teacher!r}: programs.{name}.split and "
            f"programs.{teacher}.split differ in {', '.join(differ)}; give both the same, so that what one holds out "
            "the other does not learn"
        )


def _circle(name: str, teachers: Mapping[str, str | None]) -> list[str]:
    """The way from a program over its teachers back to itself, or nothing."""
    way = [name]
    while (teacher := teachers[way[-1]]) is not None:
        if teacher == name:
            return [*way, name]
        if teacher in way:
            return []  # the circle is further on, and found from there
        way.append(teacher)
    return []
