"""After a key leaked, what was erased here is said again by the new key; what the thief said is not."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from telefine_assets.attestation.bundle import AttestationBundle
from telefine_assets.attestation.files import BASELINE, CANDIDATE, REPORT, ROWS, TRAINSET
from telefine_assets.attestation.log_records import ADMIT, RETIRE, Erasure, KeyRecord, Revocation
from telefine_assets.attestation.log_writing import say
from telefine_assets.attestation.signers import LocalKeySigner
from telefine_assets.canonical import sha256_hex
from telefine_assets.control.health import Broken
from telefine_assets.control.health_erasures import erasures
from telefine_assets.keeping.restating import NOT_OURS, SERVES, TOO_LATE, plan_restating
from telefine_assets.ledger.audit import Audit
from telefine_assets.ledger.erasures import EVIDENCE, Asked, Erasures
from telefine_assets.ledger.log import LogLeaves
from telefine_assets.store.files import Files
from telefine_assets_tests.cli.attested_home import (
    ALICE,
    BOB,
    KEY,
    MONDAY,
    NOON,
    SIGNER,
    TUESDAY,
    PaidHome,
    evidence_of,
)
from telefine_assets_tests.keeping.test_erasure import REASON, opened
from telefine_assets_tests.keeping.test_erasure import home as home
from telefine_assets_tests.keeping.test_erasure import telefine as telefine
from telefine_assets_tests.keeping.test_erasure import template as template

NEW_KEY = "0x" + "5d" * 32
NEW = LocalKeySigner(NEW_KEY).address


def digest_of(paid: PaidHome, day: str, name: str) -> str:
    bundle = AttestationBundle.from_bytes(paid.evidence.get(paid.records.read("triage", "attestations", day)["bundle"]))
    return next(each["sha256"] for each in bundle.statement["predicate"]["evidence"] if each["name"] == name)


def verified(telefine, folder: Path, *more: str) -> tuple[int, dict]:
    code, out, _ = telefine("attest", "verify", folder, "--json", *more)
    return code, json.loads(out)


def test_what_was_erased_here_is_said_again_and_what_the_thief_said_is_not(home, telefine, monkeypatch):
    erased, rows = (digest_of(opened(home), *which) for which in ((MONDAY, CANDIDATE), (TUESDAY, ROWS)))
    assert telefine("erase", "contributor", ALICE, "--reason", REASON, "--yes")[0] == 0
    paid = opened(home)
    first = paid.trust().state().erased[erased][0].position
    say(paid.trust().leaves, "paid", SIGNER, lambda _: [Erasure(f"0x{rows}", "asked by mail")])
    assert telefine("attest", "export", MONDAY, home / "out")[0] == 0
    assert verified(telefine, home / "out", "--accept-erased")[0] == 0
    assert telefine("erase", "restate")[1].startswith("nothing must be said again")

    rotate = ("attest", "rotate", NEW, "--reason", "leaked", "--compromised-from", first, "--yes")
    assert json.loads(telefine(*rotate, "--json")[1])["erasures_to_restate"] == [erased]
    code, _, err = telefine("erase", "restate", "--yes")
    assert (code, f"signer {SIGNER.address} is no good key" in err) == (1, True)
    monkeypatch.setenv("TELEFINE_SIGNER__PRIVATE_KEY", NEW_KEY)
    assert telefine("attest", "export", TUESDAY, home / "other")[0] == 0
    shutil.copy(home / "other/log.json", home / "out/log.json")
    code, said = verified(telefine, home / "out", "--accept-erased")
    assert (code, said["code"]) == (1, "evidence_missing")
    code, _, err = telefine("attest", "export", MONDAY, home / "again")
    assert (code, "telefine erase restate" in err) == (1, True)

    with pytest.raises(Broken, match="1 files of evidence are gone that no word in the log excuses") as caught:
        erasures(paid.settings)
    assert "telefine erase restate" in caught.value.cure

    code, out, err = telefine("erase", "restate", "--by", "ann", "--yes", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert (told["again"], [*told["there"]], told["missing"]) == ({erased: REASON}, [rows], {})
    entry = Audit(paid.ledger).rows(action="said erasures again")[-1]
    assert (entry.actor, entry.details["signer"], entry.details["files"]) == ("ann", NEW, [erased])
    size, audited = paid.trust().state().size, len(Audit(paid.ledger).rows())
    assert json.loads(telefine("erase", "restate", "--yes", "--json")[1])["again"] == {}
    assert (paid.trust().state().size, len(Audit(paid.ledger).rows())) == (size, audited)

    assert "none of them came back" in erasures(paid.settings)
    assert telefine("attest", "export", MONDAY, home / "again")[0] == 0
    assert verified(telefine, home / "again")[1]["code"] == "evidence_erased"
    code, said = verified(telefine, home / "again", "--accept-erased")
    assert (code, [(each["signer"], each["reason"]) for each in said["erased"]]) == (0, [(NEW, REASON)])

    # The thief was on the machine, too.
    Files(paid.settings.store.uri).remove(paid.evidence.name(rows))
    code, out, err = telefine("erase", "restate", "--json")
    assert (code, [*json.loads(out)["missing"]], "restore" in err) == (1, [rows], True)
    with closing(sqlite3.connect(home / ".telefine/ledger.db")) as ledger, ledger:
        ledger.execute("INSERT INTO erased VALUES ('evidence', ?, 1)", (rows,))
    code, _, err = telefine("erase", "restate")
    assert (code, "erasure 1 is not what the audit log says" in err) == (1, True)
    assert paid.trust().state().size == size


def test_what_no_word_covered_what_serves_and_what_is_there_is_not_said_again(tmp_path, monkeypatch):
    monkeypatch.setenv("TELEFINE_SIGNER__PRIVATE_KEY", KEY)
    paid = PaidHome(tmp_path)
    early, facts = (f"0x{sha256_hex(evidence_of(TUESDAY, [BOB])[name])}" for name in (ROWS, REPORT))

    def erased(*files: str) -> None:
        say(paid.trust().leaves, "paid", SIGNER, lambda _: [Erasure(each, REASON) for each in files])

    paid.attest(MONDAY, [ALICE])
    first = LogLeaves(paid.ledger).size()
    erased(early)
    paid.attest(TUESDAY, [BOB])
    late, there, served = (f"0x{digest_of(paid, TUESDAY, name)}" for name in (BASELINE, TRAINSET, CANDIDATE))
    erased(facts, late, there, served)
    names = {each.removeprefix("0x") for each in (early, late, there, served)}
    Erasures(paid.ledger).record(Asked(BOB, REASON, "ann"), {EVIDENCE: names}, NOON)
    for each in (early, facts, late, served):
        Files(paid.settings.store.uri).remove(paid.evidence.name(each.removeprefix("0x")))
    retired = [KeyRecord(ADMIT, NEW, "leaked"), KeyRecord(RETIRE, SIGNER.address, "leaked", first + 2)]
    say(paid.trust().leaves, "paid", SIGNER, lambda _: retired)

    found = plan_restating(paid.ledger, Files(paid.settings.store.uri), paid.trust().log())
    assert {f"0x{each}" for each in found.again} == {late}
    assert {f"0x{each}" for each in found.there} == {there}
    assert {f"0x{each}": why for each, why in found.missing.items()} == {
        early: TOO_LATE, facts: NOT_OURS, served: SERVES,
    }  # fmt: skip
    say(paid.trust().leaves, "paid", LocalKeySigner(NEW_KEY), lambda _: [Revocation(_uid(paid), "wrong")])
    nothing = plan_restating(paid.ledger, Files(paid.settings.store.uri), paid.trust().log())
    assert (nothing.again, nothing.missing) == ({}, {})


def _uid(paid: PaidHome) -> str:
    return paid.records.read("triage", "attestations", TUESDAY)["uid"]
