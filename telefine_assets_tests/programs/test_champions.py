"""Which version serves: the first one until an attestation promotes another, in a real ledger."""

import pytest

from telefine_assets.ledger.champions import Champions
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.records import Champion
from telefine_assets.programs.champions import promote_day, serving
from telefine_assets.programs.spec import ProgramError
from telefine_assets.programs.versions import first_version
from telefine_assets.store.evidence import EvidenceError, EvidenceStore
from telefine_assets.store.files import Files
from telefine_assets_tests.attestation.example import make_example
from telefine_assets_tests.programs.examples import tickets_spec

SPEC = tickets_spec()
LM = {"model": "m"}
VERIFIED = make_example().verify()
PROGRAM, DAY, VERSION = VERIFIED.claim.program, VERIFIED.claim.partition, VERIFIED.claim.candidate_version
DAY_AFTER = "2026-11-21"


@pytest.fixture
def champions(tmp_path):
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield Champions(ledger)
    ledger.close()


def test_the_first_version_serves_until_something_is_promoted(champions):
    assert serving(SPEC, champions.before("tickets", DAY), lambda digest: b"", LM) == first_version(SPEC, LM)


def test_the_champion_that_was_promoted_serves_from_its_evidence(tmp_path):
    evidence = EvidenceStore(Files(str(tmp_path)))
    version = first_version(SPEC, {"model": "other"})
    digest = evidence.put(version.document)
    assert serving(SPEC, Champion("tickets", DAY, digest, "", "uid"), evidence.get, LM) == version


def test_a_champion_whose_document_is_gone_is_an_error_and_not_replaced(tmp_path):
    with pytest.raises(EvidenceError, match="missing"):
        serving(SPEC, Champion("tickets", DAY, "a" * 64, "", "uid"), EvidenceStore(Files(str(tmp_path))).get, LM)


def test_a_verified_attestation_promotes_its_candidate_from_the_next_day_on(champions):
    record = promote_day(PROGRAM, DAY, VERIFIED, champions)
    assert (record["outcome"], record["serves"]) == ("promoted", VERSION)
    assert champions.before(PROGRAM, DAY) is None
    assert champions.before(PROGRAM, DAY_AFTER).version == VERSION
    assert champions.before(PROGRAM, DAY_AFTER).attestation == VERIFIED.uid


def test_promoting_twice_promotes_once(champions):
    assert promote_day(PROGRAM, DAY, VERIFIED, champions) == promote_day(PROGRAM, DAY, VERIFIED, champions)
    assert champions.current(PROGRAM).version == VERSION


def test_without_an_attestation_what_served_goes_on(champions):
    assert promote_day(PROGRAM, DAY, None, champions)["serves"] == "first version"
    promote_day(PROGRAM, DAY, VERIFIED, champions)
    record = promote_day(PROGRAM, DAY_AFTER, None, champions)
    assert (record["outcome"], record["serves"]) == ("kept", VERSION)
    assert champions.current(PROGRAM).day == DAY


@pytest.mark.parametrize(("program", "day"), [("other", DAY), (PROGRAM, DAY_AFTER)])
def test_an_attestation_about_something_else_promotes_nothing(champions, program, day):
    with pytest.raises(ProgramError, match="is about"):
        promote_day(program, day, VERIFIED, champions)
    assert champions.current(program) is None
