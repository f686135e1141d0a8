"""One program may teach another: which settings of that are refused, and what is said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.settings.compile import CompileSettings
from telefine_assets.settings.teachers import check_teachers
from telefine_assets_tests.settings.test_compile import mistakes as mistakes_of_compile
from telefine_assets_tests.small_settings import mistakes, smallest

BOOTSTRAP = [{"strategy": "bootstrap_few_shot"}]


def taught_by(**teachers):
    """Changes to the smallest settings: programs, each with its teacher or None."""
    one = smallest()["programs"]["tickets"]
    return {
        f"programs/{name}": {**one, "compile": {"strategies": BOOTSTRAP, "teacher_program": teacher}}
        for name, teacher in teachers.items()
    }


def test_another_program_of_the_deployment_may_teach(load):
    settings = load(taught_by(junior="senior", senior="tickets"))
    assert settings.program("junior").compile.teacher_program == "senior"


@pytest.mark.parametrize(
    ("teachers", "said"),
    [
        ({"junior": "nobody"}, "programs.junior.compile.teacher_program = 'nobody': is no other program of this "
         "deployment; there are: tickets"),
        ({"junior": "junior"}, "programs.junior.compile.teacher_program = 'junior': a program cannot teach itself"),
        ({"a": "b", "b": "c", "c": "a"}, "a is taught by b is taught by c is taught by a: that is a circle"),
        ({"a": "b", "b": "c", "c": "b"}, "b is taught by c is taught by b: that is a circle"),
    ],
)  # fmt: skip
def test_a_teacher_that_cannot_be_is_refused_with_its_setting(load, teachers, said):
    (line,) = mistakes(load, taught_by(**teachers))
    assert said in line


def test_teacher_and_student_must_split_alike_and_no_key_is_told(load):
    changes = taught_by(junior="tickets")
    junior = changes["programs/junior"]
    junior["split"] = {**junior["split"], "key": "another one", "holdout_percent": 31}
    (line,) = mistakes(load, changes)
    assert (
        "programs.junior.compile.teacher_program = 'tickets': programs.junior.split and programs.tickets.split" in line
    )
    assert "differ in key, holdout_percent; give both the same" in line
    assert "another one" not in line
    junior["compile"] = {"strategies": BOOTSTRAP}
    assert load(changes).program("junior").split.holdout_percent == 31, "who teaches nobody may split as it likes"


def test_a_compile_has_one_teacher_and_somebody_to_be_taught():
    ((_, said),) = mistakes_of_compile(strategies=BOOTSTRAP, teacher_program="a", incremental={"teacher": True})
    assert "either teacher_program or incremental.teacher" in said
    ((_, said),) = mistakes_of_compile(strategies=[{"strategy": "labeled_few_shot"}], teacher_program="a")
    assert "no strategy here bootstraps demos; add bootstrap_few_shot" in said
    assert CompileSettings(preset="light", teacher_program="a").teacher_program == "a"


@given(st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("abcdef"), max_size=6))
def test_whatever_is_accepted_has_programs_without_a_teacher_at_its_ends(chosen):
    teachers = {name: chosen.get(name) for name in "abcdef"}
    try:
        check_teachers(teachers)
    except ValueError as error:
        assert "teach" in str(error)
        return
    for name in teachers:
        way = [name]
        while teachers[way[-1]] is not None:
            way.append(teachers[way[-1]])
            assert len(way) <= len(teachers)
