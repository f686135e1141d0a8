"""What the API tells of a deployment is what its store and ledger have, and no more than the caller may know."""

import hashlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from telefine_assets.api import settling
from telefine_assets.api.stored import Kept
from telefine_assets.attestation.bundle import AttestationBundle
from telefine_assets.attestation.eas import Envelope
from telefine_assets.attestation.log_receipt import LogReceipt, attestation_leaf
from telefine_assets.attestation.snapshot import Snapshot
from telefine_assets.payouts.merkle import verify_claim
from telefine_assets_tests.cli.attested_home import ALICE, BOB, MONDAY, SIGNER, TUESDAY

PROGRAM = "/v1/programs/triage"


def uid_of(full, day=MONDAY):
    return full.here.records.read("triage", "attestations", day)["uid"]


def test_programs_say_what_serves(full, reader):
    (shown,) = full.get("/v1/programs", reader).json()["items"]
    assert (shown["program"], shown["metric"], shown["experiment"]) == ("triage", "exact_match", "tickets")
    assert full.get(PROGRAM, reader).json() == shown
    assert full.get("/v1/programs/nobody", reader).status_code == 404


def test_versions_begin_with_the_first(served):
    reader = served.key("read")
    page = served.get(f"{PROGRAM}/versions", reader).json()
    assert (page["items"][0]["strategy"], page["items"][0]["serves"]) == ("first", True)
    first = served.get(f"{PROGRAM}/versions/first", reader).json()
    assert first["version"] == page["items"][0]["version"]
    assert first["predictors"]
    assert served.get(f"{PROGRAM}/versions/ffffffff", reader).status_code == 404


def test_what_is_loaded_is_left_alone_by_the_collector_once(serve, monkeypatch):
    frozen = []
    monkeypatch.setattr(settling, "gc", SimpleNamespace(collect=lambda: 0, freeze=lambda: frozen.append(1)))
    monkeypatch.setattr(settling, "_seen", 0)
    key = serve().key("read")
    for served in (serve(), serve()):
        assert served.get(f"{PROGRAM}/versions/first", key).status_code == 200
    assert frozen == [1]
    # matplotlib comes in with a report's page, later.
    monkeypatch.setattr(settling, "_seen", len(sys.modules) - 200)
    assert serve().get(f"{PROGRAM}/versions/first", key).status_code == 200
    assert frozen == [1, 1]


def test_stages_and_automation_are_dagsters(full, reader):
    assert [each["stage"] for each in full.get(f"{PROGRAM}/stages", reader).json()][:1] == ["traces"]
    assert full.get(f"{PROGRAM}/automation", reader).json()[0]["name"] == "triage_daily"


def test_reports_are_told_as_they_are_recorded_and_as_pages(full, reader):
    listed = full.get(f"{PROGRAM}/reports", reader).json()["items"]
    assert [(each["day"], each["reached"]) for each in listed] == [(MONDAY, True), (TUESDAY, False)]
    assert full.get(f"{PROGRAM}/reports/{MONDAY}", reader).json()["code"] == listed[0]["code"]
    page = full.get(f"{PROGRAM}/reports/{MONDAY}/page", reader)
    assert page.headers["content-type"].startswith("text/html")
    assert "script-src" not in page.headers["content-security-policy"]
    assert page.text.strip().startswith("<!DOCTYPE html>")
    assert full.get(f"{PROGRAM}/reports/2026-12-24", reader).status_code == 404


def test_attestations_are_public_and_whole(full):
    listed = full.get("/v1/attestations").json()["items"]
    assert [each["day"] for each in listed] == [MONDAY, TUESDAY]
    uid = uid_of(full)
    bundle = AttestationBundle.from_bytes(full.get(f"/v1/attestations/{uid}").content)
    assert Envelope.from_json(bundle.envelope).uid == uid == listed[0]["uid"]
    statement = full.get(f"/v1/attestations/{uid}/statement")
    assert statement.json() == bundle.statement
    assert full.get(f"/v1/attestations/{uid}/receipt").json() == bundle.receipt
    assert full.get("/v1/attestations/0x" + "0" * 64).status_code == 404


def test_a_proof_leads_to_the_head_of_the_whole_log(full):
    uid, snapshot = uid_of(full), Snapshot.from_bytes(full.get("/v1/log").content)
    proof = LogReceipt.from_json(full.get(f"/v1/attestations/{uid}/proof").json())
    envelope = Envelope.from_json(full.get(f"/v1/attestations/{uid}").json()["envelope"])
    assert proof.proves(attestation_leaf(envelope))
    assert proof.head == snapshot.head
    assert (snapshot.head.signer(), len(snapshot.leaves)) == (SIGNER.address, 3)


def test_a_verification_reads_the_evidence_anew(paid, full):
    uid = uid_of(full)
    found = full.get(f"/v1/attestations/{uid}/verification")
    assert found.json() | {"log_size": 0} == {
        "uid": uid,
        "valid": True,
        "code": None,
        "detail": None,
        "signers": [SIGNER.address],
        "log_size": 0,
    }
    assert found.headers["cache-control"] == "no-store"
    digest = full.get(f"/v1/attestations/{uid}/statement").json()["predicate"]["evidence"][0]["sha256"]
    file = full.here.files.path(paid.evidence.name(digest))
    whole = paid.evidence.get(digest)
    try:
        Path(file).write_bytes(whole + b" ")
        assert full.get(f"/v1/attestations/{uid}/verification").json()["code"] == "evidence_digest_mismatch"
    finally:
        paid.evidence.put(whole)


def test_evidence_is_for_readers_and_only_what_an_attestation_names(paid, full, reader):
    uid = uid_of(full)
    files = full.get(f"/v1/attestations/{uid}/statement").json()["predicate"]["evidence"]
    path = f"/v1/attestations/{uid}/evidence/"
    assert full.get(path + files[0]["sha256"]).status_code == 401
    assert full.get(path + files[0]["sha256"], full.key("submit")).json()["needs"] == "read"
    got = full.get(path + files[0]["sha256"], reader)
    assert hashlib.sha256(got.content).hexdigest() == files[0]["sha256"]
    assert got.headers["etag"] == f'"{files[0]["sha256"]}"'
    other = paid.evidence.put(b"somebody's picture")
    assert full.get(path + other, reader).status_code == 404


def test_contributors_are_told_what_they_gave_and_earned(full, reader):
    assert [each["who"] for each in full.get(f"{PROGRAM}/contributors", reader).json()["items"]].count(ALICE) == 1
    shown = full.get(f"{PROGRAM}/contributors/{ALICE.lower()}", reader).json()
    assert (shown["who"], shown["given"], shown["kept"]) == (ALICE, 2, 1)
    assert [each["weight_ppm"] for each in shown["days"]] == [500_000]
    assert full.get(f"{PROGRAM}/contributors/0x{'9' * 40}", reader).status_code == 404


def test_who_asks_for_what_nobody_has_pushes_out_nothing(full, reader):
    full.here.asked_for, shared = Kept(500), len(full.here.kept._kept)
    full.get(f"{PROGRAM}/contributors/{ALICE}", reader)
    records = len(full.here.records._records._kept)
    for number in range(20):
        assert full.get(f"{PROGRAM}/contributors/0x{number + 100:040}", reader).status_code == 404
        assert full.get(f"{PROGRAM}/reports/2020-01-{number + 1:02}", reader).status_code == 404
    assert list(full.here.asked_for._kept) == [("contributor", "triage", ALICE)]
    assert (len(full.here.kept._kept), len(full.here.records._records._kept)) == (shared, records)


def test_each_trace_is_explained_page_by_page(full, reader):
    path = f"{PROGRAM}/contributors/{ALICE}/traces?first={MONDAY}&last={TUESDAY}&limit=1"
    first = full.get(path, reader).json()
    second = full.get(f"{path}&cursor={first['next']}", reader).json()
    assert [each["code"] for each in first["items"] + second["items"]] == ["paid", "dropped"]
    assert second["next"] is None
    (copy,) = full.get(f"{PROGRAM}/contributors/{BOB}/traces", reader).json()["items"]
    assert (copy["code"], copy["day"]) == ("copy", TUESDAY)
    many = full.get(f"{PROGRAM}/contributors/{ALICE}/traces?first=2026-01-01&last=2026-11-02", reader)
    assert many.status_code == 422


def test_payouts_and_claims_are_public_by_address_and_hold(full):
    paid = full.get(f"{PROGRAM}/contributors/{ALICE}/payouts").json()
    assert [each["day"] for each in paid["payments"]] == [MONDAY]
    assert paid["totals"] == {"TOKEN/18": paid["payments"][0]["amount"]}
    claim = full.get(f"{PROGRAM}/contributors/{ALICE}/claim").json()
    assert claim["total"] == paid["payments"][0]["amount"]
    assert verify_claim(claim["root"], claim["address"], int(claim["total"]), claim["proof"])
    for path in ("payouts", "claim"):
        assert full.get(f"{PROGRAM}/contributors/{BOB}/{path}").status_code == 404


PRIVATE = [
    "/v1/programs",
    PROGRAM,
    f"{PROGRAM}/versions",
    f"{PROGRAM}/versions/first",
    f"{PROGRAM}/stages",
    f"{PROGRAM}/automation",
    f"{PROGRAM}/reports",
    f"{PROGRAM}/reports/{MONDAY}",
    f"{PROGRAM}/reports/{MONDAY}/page",
    f"{PROGRAM}/contributors",
    f"{PROGRAM}/contributors/{ALICE}",
    f"{PROGRAM}/contributors/{ALICE}/traces",
    "/v1/runs",
    "/v1/runs/run-0000",
    "/v1/runs/run-0000/events",
]


@pytest.mark.parametrize("path", PRIVATE)
def test_everything_else_needs_a_key(full, path):
    answer = full.get(path)
    assert (answer.status_code, answer.json()["code"]) == (401, "no_good_key")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    submitter = full.key("submit", "operate")
    assert full.get(path, submitter).json()["needs"] == "read"
