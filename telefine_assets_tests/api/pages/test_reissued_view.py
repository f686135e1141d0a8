"""What serves rests on the attestation in force, also where one promoted it that was revoked since."""

from dataclasses import replace

import pytest

from telefine_assets.api.pages.program_view import rows, serving
from telefine_assets.attestation.attesting import ATTESTED, REVOKED
from telefine_assets.attestation.standing import Issued
from telefine_assets.ledger.records import Champion
from telefine_assets_tests.attestation.logs import CLAIM

REVOKED_UID, UID = "0x" + "1" * 64, "0x" + "2" * 64
CHAMPION = Champion(1, "sentiment", CLAIM.partition, CLAIM.candidate_version, "why", "attested", REVOKED_UID, 1, 1)


@pytest.mark.parametrize(("replaces", "rests"), [((REVOKED_UID,), True), ((), False)])
def test_what_serves_rests_on_what_was_issued_again(replaces, rests):
    claim = Issued(UID, "0xsigner", 3, "b" * 64, replace(CLAIM, replaces=replaces), ATTESTED)
    assert serving(CHAMPION, [claim], None).attestation is (claim if rests else None)
    assert rows([claim], CHAMPION)[0].serving == rests


def test_what_was_replaced_serves_no_more_beside_what_replaces_it():
    old = Issued(REVOKED_UID, "0xsigner", 1, "a" * 64, CLAIM, REVOKED, replaced_by=UID)
    new = Issued(UID, "0xsigner", 3, "b" * 64, replace(CLAIM, replaces=(REVOKED_UID,)), ATTESTED)
    assert serving(CHAMPION, [old, new], None).attestation is new
    assert [(row.uid, row.serving) for row in rows([old, new], CHAMPION)] == [(UID, True), (REVOKED_UID, False)]
