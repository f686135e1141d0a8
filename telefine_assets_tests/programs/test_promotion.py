"""Promotion and rollback by hand, in a real ledger, with a registry that remembers what it was told."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from telefine_assets.ledger.audit import Audit
from telefine_assets.ledger.champions import Champions
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.records import Promotion
from telefine_assets.programs.promotion import Desk, PromotionError, Who, promote_by_hand, roll_back
from telefine_assets.programs.registry import RegistryError
from telefine_assets.programs.spec import ProgramError
from telefine_assets.programs.versions import first_version, make_version
from telefine_assets.store.evidence import EvidenceError, EvidenceStore
from telefine_assets.store.files import Files
from telefine_assets_tests.programs.examples import tickets_spec

SPEC = tickets_spec()
LM = {"model": "m", "adapter": "plain", "temperature": "0.0", "max_tokens": "8"}
ANN = Who("ann", "the answers got worse", datetime(2026, 11, 20, 9, 30, tzinfo=UTC))
FIRST = first_version(SPEC, LM)
V1, V2, V3 = (make_version(SPEC, FIRST.state, {"strategy": f"s{number}"}, "a" * 64, LM) for number in (1, 2, 3))


@dataclass
class Aliases:
    """A model registry outside of this process."""

    registered: set[str] = field(default_factory=set)
    champion: str | None = None
    down: bool = False

    def ensure(self, version):
        if self.down:
            raise RegistryError("cannot be reached")
        self.registered.add(version.digest)

    def point(self, digest):
        self.champion = digest


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield ledger
    ledger.close()


@pytest.fixture
def desk(tmp_path, ledger):
    evidence = EvidenceStore(Files(str(tmp_path / "store")))
    for version in (V1, V2, V3):
        evidence.put(version.document)
    return Desk(SPEC, Champions(ledger), evidence.get, evidence.put, Aliases(), LM)


def serves(desk):
    """What the ledger and MLflow's alias agree on."""
    current = desk.choices.current("tickets")
    assert desk.registry.champion == (current and current.version)
    return current and current.version


def test_a_version_is_promoted_with_a_reason_and_the_alias_follows(desk, ledger):
    champion = promote_by_hand(desk, V2.digest, ANN)
    assert serves(desk) == V2.digest
    assert desk.registry.registered == {V2.digest}
    assert (champion.how, champion.reason, champion.gain) == ("by hand", "the answers got worse", None)
    (row,) = Audit(ledger).rows("tickets")
    assert (row.actor, row.action, row.at) == ("ann", "promoted by hand", "2026-11-20T09:30:00Z")
    assert row.details["version"] == V2.digest


def test_it_serves_during_the_day_on_which_it_was_chosen_and_not_before(desk):
    promote_by_hand(desk, V2.digest, ANN)
    assert desk.choices.before("tickets", "2026-11-19") is None
    assert desk.choices.before("tickets", "2026-11-20").version == V2.digest


def test_the_first_version_can_be_chosen_though_nobody_stored_it(desk):
    promote_by_hand(desk, V1.digest, ANN)
    promote_by_hand(desk, FIRST.digest, ANN)
    assert serves(desk) == FIRST.digest
    assert desk.get(FIRST.digest) == FIRST.document


@pytest.mark.parametrize(("by", "reason"), [("", "why"), ("ann", ""), ("ann", " \n")])
def test_nobody_chooses_without_a_name_and_a_reason(by, reason):
    with pytest.raises(PromotionError, match="the audit log wants"):
        Who(by, reason, ANN.at)


def foreign(desk):
    return desk.put(V2.document.replace(b'"program":"tickets"', b'"program":"letters"'))


UNFIT = {
    "missing": (lambda desk: "a" * 64, EvidenceError, "missing"),
    "of another program": (foreign, ProgramError, "letters"),
    "no program": (lambda desk: desk.put(b'{"program": "tickets"}'), ProgramError, "other fields"),
    "no json": (lambda desk: desk.put(b"\x80\x04 a pickle"), ProgramError, "not a program document"),
    "with a state that does not fit": (
        lambda desk: desk.put(V2.document.replace(b'"demos":[', b'"demos":[{"price":1},', 1)),
        ProgramError,
        "fields that the signature lacks",
    ),
}


@pytest.mark.parametrize(("unfit", "error", "why"), UNFIT.values(), ids=UNFIT)
def test_a_version_that_cannot_serve_is_refused_and_nothing_changes(desk, ledger, unfit, error, why):
    promote_by_hand(desk, V1.digest, ANN)
    with pytest.raises(error, match=why):
        promote_by_hand(desk, unfit(desk), ANN)
    assert serves(desk) == V1.digest
    assert len(Audit(ledger).rows()) == 1


def test_what_serves_already_is_only_registered_again_should_mlflow_have_lost_it(desk, ledger):
    promote_by_hand(desk, V1.digest, ANN)
    desk.registry.registered.clear()
    desk.registry.champion = None
    promote_by_hand(desk, V1.digest, ANN)
    assert (serves(desk), desk.registry.registered) == (V1.digest, {V1.digest})
    assert len(Audit(ledger).rows()) == 1


def test_a_rollback_restores_what_served_before_and_a_second_one_goes_further_back(desk, ledger):
    for version in (V1, V2, V3):
        promote_by_hand(desk, version.digest, ANN)
    served = [roll_back(desk, ANN).version for _ in range(3)]
    assert served == [V2.digest, V1.digest, FIRST.digest]
    assert serves(desk) == FIRST.digest
    with pytest.raises(PromotionError, match="nothing served before it"):
        roll_back(desk, ANN)
    assert [row.action for row in Audit(ledger).rows()] == ["promoted by hand"] * 3 + ["rolled back"] * 3


def test_what_was_rolled_back_can_be_promoted_and_rolled_back_again(desk):
    promote_by_hand(desk, V1.digest, ANN)
    promote_by_hand(desk, V2.digest, ANN)
    roll_back(desk, ANN)
    promote_by_hand(desk, V2.digest, ANN)
    assert serves(desk) == V2.digest
    roll_back(desk, ANN)
    assert serves(desk) == V1.digest


def test_an_automatic_promotion_can_be_rolled_back_and_the_next_one_works(desk):
    desk.choices.promote(Promotion("tickets", "2026-11-17", V1.digest, FIRST.digest, "0x1"), ANN.at)
    desk.choices.promote(Promotion("tickets", "2026-11-18", V2.digest, V1.digest, "0x2"), ANN.at)
    roll_back(desk, ANN)
    assert serves(desk) == V1.digest
    assert desk.choices.before("tickets", "2026-11-20").version == V1.digest
    desk.choices.promote(Promotion("tickets", "2026-11-20", V3.digest, V1.digest, "0x3"), ANN.at)
    assert desk.choices.current("tickets").version == V3.digest


def test_without_anything_promoted_there_is_nothing_to_roll_back(desk, ledger):
    with pytest.raises(PromotionError, match="the first version serves"):
        roll_back(desk, ANN)
    assert Audit(ledger).rows() == []


def test_a_champion_whose_document_is_gone_can_be_rolled_back(desk, tmp_path):
    promote_by_hand(desk, V1.digest, ANN)
    promote_by_hand(desk, V2.digest, ANN)
    (tmp_path / "store" / EvidenceStore.name(V2.digest)).unlink()
    assert roll_back(desk, ANN).version == V1.digest


def test_a_rollback_to_what_cannot_serve_is_refused_with_the_cure(desk, tmp_path):
    promote_by_hand(desk, V1.digest, ANN)
    promote_by_hand(desk, V2.digest, ANN)
    (tmp_path / "store" / EvidenceStore.name(V1.digest)).unlink()
    with pytest.raises(PromotionError, match=r"cannot serve either.*telefine programs promote VERSION"):
        roll_back(desk, ANN)
    assert serves(desk) == V2.digest


def test_when_mlflow_is_down_nothing_is_chosen(desk, ledger):
    promote_by_hand(desk, V1.digest, ANN)
    desk.registry.down = True
    with pytest.raises(RegistryError):
        promote_by_hand(desk, V2.digest, ANN)
    assert serves(desk) == V1.digest
    assert len(Audit(ledger).rows()) == 1
