"""Cosignatures as they came in: one for each attestation and signer, with who added it when."""

from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import DBAPIError

from telefine_assets.ledger.audit import Audit
from telefine_assets.ledger.cosignatures import Cosignatures
from telefine_assets.ledger.records import AuditEntry

UID, OTHER = "0x" + "1" * 64, "0x" + "2" * 64
AUDITED = (AuditEntry("ada", "cosigned", UID, {}), datetime(2026, 11, 20, tzinfo=UTC))
LARGE = 2**256 - 1


def test_the_first_signature_of_a_signer_stays(ledger):
    kept = Cosignatures(ledger)
    assert kept.add(UID, "0xB", (27, 1, LARGE), AUDITED)
    assert kept.add(UID, "0xA", (28, LARGE, 2), AUDITED)
    assert not kept.add(UID, "0xB", (28, 3, 3), AUDITED)
    assert kept.of(UID) == [("0xA", 28, LARGE, 2), ("0xB", 27, 1, LARGE)]
    assert kept.of(OTHER) == []
    assert len(Audit(ledger).rows()) == 2


@pytest.mark.parametrize("statement", ["UPDATE cosignatures SET v = 28", "DELETE FROM cosignatures"])
def test_a_signature_is_neither_changed_nor_removed(ledger, stranger, statement):
    Cosignatures(ledger).add(UID, "0xB", (27, 1, 2), AUDITED)
    with pytest.raises(DBAPIError, match="append-only"):
        stranger.run(statement)
