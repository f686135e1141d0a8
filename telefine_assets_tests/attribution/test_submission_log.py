"""Receipts: for every position, checked by anybody, and never for another place."""

import json
from contextlib import closing
from dataclasses import replace

import pytest

from telefine_assets.attestation.log import LogError
from telefine_assets.attestation.signers import LocalKeySigner
from telefine_assets.attribution.receiving import receive_submission
from telefine_assets.attribution.records import RecordError
from telefine_assets.attribution.submission_log import ReceiptRefused, SubmissionReceipt, origin_of, receipts_of
from telefine_assets.attribution.submissions import SubmissionRefused
from telefine_assets.errors import TelefineError
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.submissions import Submissions
from telefine_assets_tests.attribution.signing import ADA, BOB, NOW_MS, SCOPE, signed

LOG_KEY = LocalKeySigner("c0" * 32)
TEXTS = [f"text {number}" for number in range(9)]


@pytest.fixture(scope="module")
def rows():
    with closing(Ledger("sqlite://")) as ledger:
        book = Submissions(ledger)
        for number, text in enumerate(TEXTS):
            who = (ADA, BOB)[number % 2]
            receive_submission(book, SCOPE, {"text": text}, signed(text, who).to_tag(), NOW_MS + number)
        yield book.rows()


def verify(receipt, origin="shop/submissions", keys=(LOG_KEY.address,)):
    receipt.verify(origin, keys)


def test_every_position_has_a_receipt_in_a_log_of_every_size(rows):
    for size in range(1, len(rows) + 1):
        for receipt in receipts_of(rows[:size], rows[:size], "shop", LOG_KEY):
            read = SubmissionReceipt.from_json(json.loads(json.dumps(receipt.to_json())))
            assert read == receipt
            verify(read)
    assert origin_of("shop") == "shop/submissions"


def test_a_receipt_is_for_one_place_only(rows):
    receipts = receipts_of(rows, rows, "shop", LOG_KEY)
    for receipt in receipts:
        for other in receipts:
            if other != receipt:
                with pytest.raises(ReceiptRefused, match="does not lead"):
                    verify(replace(receipt, receipt=other.receipt))
    with pytest.raises(ReceiptRefused, match="does not lead"):
        verify(replace(receipts[0], logged=replace(receipts[0].logged, position=1)))


def test_the_log_that_lost_a_row_gives_no_receipt_for_the_last(rows):
    with pytest.raises(LogError):
        receipts_of(rows[:-1], rows[-1:], "shop", LOG_KEY)


def test_another_log_and_another_key_are_not_trusted(rows):
    receipt = receipts_of(rows, rows[3:4], "shop", LOG_KEY)[0]
    for origin, keys in (("shop", [LOG_KEY.address]), ("shop/submissions", [ADA.address]), ("shop/submissions", [])):
        with pytest.raises(ReceiptRefused, match="not the log you trust"):
            verify(receipt, origin, keys)


@pytest.mark.parametrize(
    "tamper",
    [
        lambda r: r.update(program="other"),
        lambda r: r.update(traceDigest="0x" + "11" * 32),
        lambda r: r.update(note=1),
        lambda r: r["submission"].update(received_ms=NOW_MS),
        lambda r: r["submission"].update(contributor=ADA.address),
        lambda r: r["submission"].update(time=1),
        lambda r: r["submission"].update(position=2),
        lambda r: r["receipt"].update(index=2),
        lambda r: r["receipt"]["head"].update(size=8),
        lambda r: r["receipt"]["head"].update(origin="other/submissions"),
        lambda r: r["receipt"]["head"].update(root="0x" + "11" * 32),
        lambda r: r["receipt"]["head"]["signature"].update(v=99),
        lambda r: r["receipt"]["proof"].pop(),
    ],
)
def test_a_receipt_that_was_changed_is_refused(rows, tamper):
    value = receipts_of(rows, rows[3:4], "shop", LOG_KEY)[0].to_json()
    tamper(value)
    with pytest.raises((ReceiptRefused, SubmissionRefused, RecordError)) as caught:
        verify(SubmissionReceipt.from_json(value))
    assert isinstance(caught.value, TelefineError)
