"""Versions: the same facts have the same name, and a document proves itself."""

import pytest

from telefine_assets.canonical import sha256_hex
from telefine_assets.programs.spec import ProgramError
from telefine_assets.programs.state import dump_state
from telefine_assets.programs.versions import Version, first_version, make_version
from telefine_assets_tests.programs.examples import tickets_spec
from telefine_assets_tests.programs.test_spec import HERE

SPEC = tickets_spec()
LM = {"model": "m", "temperature": "0.0"}
FACTS = {"state": dump_state(SPEC.build()), "strategy": {"strategy": "x"}, "trainset": "a" * 64, "lm": LM}


def test_the_same_facts_are_the_same_version_made_twice_and_in_any_order_of_keys():
    turned = {**FACTS, "lm": dict(reversed(LM.items()))}
    assert make_version(SPEC, **FACTS) == make_version(tickets_spec(), **turned)


def test_a_version_is_the_sha_256_of_its_document():
    version = make_version(SPEC, **FACTS)
    assert version.digest == sha256_hex(version.document)


@pytest.mark.parametrize(
    "change", [{"strategy": {"strategy": "y"}}, {"trainset": "b" * 64}, {"lm": {**LM, "temperature": "0.1"}}]
)
def test_another_fact_is_another_version(change):
    assert make_version(SPEC, **FACTS).digest != make_version(SPEC, **{**FACTS, **change}).digest


def test_the_first_version_is_what_the_programs_code_builds():
    version = first_version(SPEC, LM)
    assert version == first_version(tickets_spec(), LM)
    assert dump_state(version.module(SPEC)) == version.state == dump_state(SPEC.build())


def test_a_version_of_another_signature_or_program_is_refused():
    other = first_version(tickets_spec(module=f"{HERE}:other_fields"), LM)
    with pytest.raises(ProgramError, match="other fields"):
        other.module(SPEC)
    renamed = Version(first_version(SPEC, LM).document.replace(b'"program":"tickets"', b'"program":"letters"'))
    with pytest.raises(ProgramError, match="'letters'"):
        renamed.module(SPEC)


def test_no_version_is_made_of_a_foreign_state():
    with pytest.raises(ProgramError, match="the state is for other"):
        make_version(SPEC, **{**FACTS, "state": {"other": {}}})
