"""Which version of a program teaches: the same in whatever order the runs come, or an error that names the cure."""

from datetime import UTC, datetime

import pytest

from telefine_assets.ledger.champions import Champions
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.records import BY_HAND, Choice, Promotion
from telefine_assets.programs.spec import ProgramError
from telefine_assets.programs.state import dump_state
from telefine_assets.programs.teaching import teacher_for
from telefine_assets.programs.versions import first_version, make_version
from telefine_assets.store.evidence import EvidenceStore
from telefine_assets.store.files import Files
from telefine_assets.store.records import RecordStore
from telefine_assets_tests.programs import teachers
from telefine_assets_tests.programs.teachers import spec_of

SENIOR, STUDENT = spec_of(teachers.bare), spec_of(teachers.bare, "tickets")
FIRST = first_version(SENIOR, {})
DAYS = ["2026-11-15", "2026-11-16", "2026-11-17", "2026-11-18", "2026-11-19"]
NOW = datetime(2026, 11, 23, tzinfo=UTC)
BEFORE, EARLY, LATER, LAST, TODAY = DAYS


class Seniors:
    """What the stages of the program that teaches have stored."""

    def __init__(self, folder):
        files = Files(str(folder / "store"))
        self.records, self.evidence = RecordStore(files), EvidenceStore(files)
        self.champions = Champions(Ledger(f"sqlite:///{folder / 'ledger.db'}"))
        module = SENIOR.build().reset_copy()
        module.signature = module.signature.with_instructions("Quite another way to put it.")
        self.better = make_version(SENIOR, dump_state(module), {"strategy": "by hand"}, "", {})
        self.evidence.put(self.better.document)

    def compiled(self, day, candidate="c" * 64):
        self.records.write("senior", "compiled_programs", day, {"candidate": candidate})

    def decided(self, day, attestation="not_reached", champion="kept"):
        self.records.write("senior", "attestations", day, {"outcome": attestation})
        self.records.write("senior", "champions", day, {"outcome": champion})

    def promoted(self, day):
        asked = Promotion("senior", day, self.better.digest, FIRST.digest, "0x" + "a" * 64)
        self.champions.promote(asked, NOW)
        self.decided(day, "attested", "promoted")

    def chosen(self, day):
        """What serves from a day on is chosen by hand."""
        self.champions.choose(Choice("senior", day, self.better.digest, "better", "ann", BY_HAND, 0), NOW)

    def teaches(self, day=TODAY):
        return teacher_for(STUDENT, SENIOR, day, self.records, self.champions, self.evidence.get, {})


@pytest.fixture
def senior(tmp_path):
    return Seniors(tmp_path)


def test_who_has_never_been_compiled_teaches_as_it_was_written(senior):
    assert senior.teaches().version.digest == FIRST.digest


def test_every_candidate_of_an_earlier_day_must_be_decided_and_not_only_the_latest(senior):
    senior.compiled(EARLY)
    senior.compiled(LATER, None)
    senior.compiled(LAST)
    senior.decided(LAST)
    with pytest.raises(ProgramError, match=rf"candidate of {EARLY} is to serve .* champions --program senior --day"):
        senior.teaches()
    senior.promoted(EARLY)
    assert (senior.teaches().version.digest, senior.teaches().since) == (senior.better.digest, EARLY)


@pytest.mark.parametrize("attestation", ["awaiting_signatures", "attested"])
def test_an_attestation_that_may_still_promote_decides_nothing(senior, attestation):
    senior.compiled(EARLY)
    senior.decided(EARLY, attestation)
    with pytest.raises(ProgramError, match=r"telefine attest add-cosignature"):
        senior.teaches()
    senior.promoted(EARLY)
    assert senior.teaches().version.digest == senior.better.digest


@pytest.mark.parametrize(
    ("attestation", "champion"), [("not_reached", "kept"), ("revoked", "kept"), ("attested", "superseded")]
)
def test_what_can_promote_nothing_any_more_decides(senior, attestation, champion):
    senior.compiled(EARLY)
    senior.decided(EARLY, attestation, champion)
    assert senior.teaches().version.digest == FIRST.digest


def test_candidates_up_to_the_day_of_what_serves_come_too_late_to_matter(senior):
    senior.compiled(BEFORE)
    senior.compiled(EARLY)
    senior.chosen(EARLY)
    assert senior.teaches().since == EARLY
    senior.compiled(TODAY)
    assert senior.teaches().since == EARLY


def test_a_day_that_was_compiled_keeps_its_teacher(senior):
    taught_by = senior.teaches()
    senior.evidence.put(taught_by.version.document)
    senior.records.write("tickets", "compiled_programs", TODAY, {"teacher": taught_by.to_record()})
    senior.compiled(EARLY)
    assert senior.teaches() == taught_by
    senior.promoted(EARLY)
    assert senior.teaches() == taught_by
