"""``--json``: one JSON value on standard output and nothing else, also when what was asked does not hold."""

import json
import os
import time

import pytest

from telefine_assets.cli.main import main
from telefine_assets.ledger.audit import Audit
from telefine_assets.settings.loading import printable
from telefine_assets_tests.cli.attested_home import ALICE, BOB, KEY, MONDAY, SIGNER, TUESDAY
from telefine_assets_tests.cli.payouts_home import CONTRACT, DEADLINE, POOL, TOKEN, paid_home
from telefine_assets_tests.payouts.test_plan import wallet

WHY = ("--reason", "the holdout had leaked")
REQUEST = ("--model-id", 7, "--chain-id", 31337, "--contract", CONTRACT, "--spec-id", "triage-v1")
COSTS = ("--max-cost", 5_000_000, "--actual-cost", 2_340_000, "--deadline", DEADLINE)


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return tmp_path_factory.mktemp("paid") / "home"


@pytest.fixture
def home(tmp_path, monkeypatch, template):
    """Monday and Tuesday, attested and paid."""
    monkeypatch.chdir(tmp_path)
    return paid_home(tmp_path, monkeypatch, template)


@pytest.fixture
def ask(home, capsys):
    """Run a command with ``--json``; returns exit code, the answer (None for none) and errors."""

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main([*map(str, arguments), "--json"])
        done = capsys.readouterr()
        assert KEY not in done.out + done.err
        return caught.value.code or 0, json.loads(done.out) if done.out else None, done.err

    return run


@pytest.fixture
def exported(ask, tmp_path):
    """Monday's attestation in a folder."""
    code, found, _ = ask("attest", "export", MONDAY, tmp_path / "monday")
    assert (code, "attestation.json" in found["files"]) == (0, True)
    return tmp_path / "monday"


def uid_of(home, day):
    return home.records.read("triage", "attestations", day)["uid"]


def test_a_valid_attestation_is_told_with_what_it_claims(home, ask, exported):
    code, found, err = ask("attest", "verify", exported)
    assert (code, err, found["valid"], found["unchecked"]) == (0, "", True, [])
    assert (found["uid"], found["signers"]) == (uid_of(home, MONDAY), [SIGNER.address])
    assert (found["program"], found["day"], found["policy"], found["pinned"]) == ("triage", MONDAY, None, None)
    assert found["weights"] == [{"address": ALICE, "weight_ppm": 500_000}]
    assert (found["escrow_ppm"], found["decision"]["n"]) == (500_000, 400)
    assert (found["log"]["genesis"], found["log"]["void"]) == (SIGNER.address, 0)


def test_a_pin_is_told_with_its_size(ask, exported, tmp_path):
    pin = tmp_path / "mine.json"
    size = ask("attest", "verify", exported)[1]["log"]["size"]
    assert ask("attest", "verify", exported, "--pin", pin)[1]["pinned"] == {
        "size": size,
        "file": str(pin),
        "first": True,
    }
    found = ask("attest", "verify", exported, "--pin", pin)[1]
    assert (found["policy"], found["pinned"]["first"]) == (str(pin), False)


def test_a_tampered_attestation_has_its_code_in_the_answer_and_in_the_message(ask, exported):
    file = max((exported / "evidence").iterdir(), key=lambda each: each.stat().st_size)
    file.write_bytes(file.read_bytes().replace(b'"', b"'", 1))
    code, found, err = ask("attest", "verify", exported)
    assert (code, found["valid"], found["code"]) == (1, False, "evidence_digest_mismatch")
    assert f"not valid: {found['code']}: {found['detail']}" in err


def test_a_revocation_needs_a_yes_and_tells_its_leaf_once(home, ask, exported, tmp_path):
    uid = uid_of(home, MONDAY)
    code, found, err = ask("attest", "revoke", uid, *WHY)
    assert (code, found, "--yes" in err, "revoked" in home.audited()) == (1, None, True, False)
    code, found, _ = ask("attest", "revoke", uid, *WHY, "--yes")
    (leaf,) = found["leaves"]
    assert (code, found["action"], found["subject"]) == (0, "revoked", uid)
    assert (leaf["signer"], leaf["reason"], leaf["void"]) == (SIGNER.address, WHY[1], None)
    assert ask("attest", "log")[1][leaf["position"]] == leaf
    assert ask("attest", "revoke", uid, *WHY, "--yes")[1]["leaves"] == []
    assert ask("attest", "export", MONDAY, tmp_path / "again")[0] == 0
    code, found, _ = ask("attest", "verify", tmp_path / "again")
    assert (code, found["code"]) == (1, "revoked")
    code, found, _ = ask("attest", "cosign", tmp_path / "again", "-o", "c.json", "--policy", exported / "policy.json")
    assert (code, found["code"]) == (1, "revoked")


def test_keys_come_and_go_in_leaves(ask):
    code, found, _ = ask("attest", "admit", wallet(40), *WHY, "--yes")
    assert (code, [each["what"] for each in found["leaves"]]) == (0, [f"admit {wallet(40)}"])
    code, found, _ = ask("attest", "rotate", wallet(41), *WHY, "--yes", "--compromised-from", "1")
    assert (code, len(found["leaves"])) == (0, 2)
    # What the leaked key said since, but for its own retirement.
    assert f"admit {wallet(40)}" in [each["what"] for each in found["said_with_leaked_key"]]
    assert [each["address"] for each in ask("attest", "keys")[1]] == [SIGNER.address, wallet(40), wallet(41)]


def test_payouts_are_the_records_as_they_are_stored(home, ask):
    code, found, _ = ask("payouts", "show")
    stored = {day: home.records.read("triage", "contributor_payouts", day) for day in (MONDAY, TUESDAY)}
    assert code == 0
    assert [each.pop("standing")["code"] for each in found] == ["attested", "attested"]
    assert found == [{"program": "triage", "day": day, **stored[day]} for day in (MONDAY, TUESDAY)]
    assert found[1]["plan"]["payments"] == [{"address": BOB, "amount": str(POOL)}]
    assert [each["plan"] for each in ask("payouts", "show", TUESDAY)[1]] == [found[1]["plan"]]


def test_an_export_of_payouts_is_told_with_its_amounts(ask, tmp_path):
    options = ("--format", "safe-csv", "--day", MONDAY, "--token-address", TOKEN)
    code, found, _ = ask("payouts", "export", *options)
    assert (code, found["file"], found["payments"], found["pool"]) == (0, None, 1, str(POOL))
    assert int(found["paid"]) + sum(int(each["amount"]) for each in found["escrow"]) == POOL
    code, found, _ = ask("payouts", "export", "--format", "claims", "--output", tmp_path / "claims.json")
    written = (tmp_path / "claims.json").read_bytes()
    assert (found["file"], found["bytes"]) == (str(tmp_path / "claims.json"), len(written))
    assert (found["root"], found["wallets"]) == (json.loads(written)["root"], 2)


def test_a_mint_request_is_told_at_each_step(ask, tmp_path):
    file = tmp_path / "mint.json"
    code, written, _ = ask("payouts", "mint-request", "write", TUESDAY, *REQUEST, *COSTS, "--output", file)
    assert (code, written["file"], written["tree_pays"]["pool"]) == (0, str(file), str(POOL))
    assert written["request"] == json.loads(file.read_bytes())["request"]
    code, found, err = ask("payouts", "mint-request", "check", file, "--attester", SIGNER.address, "--required", 1)
    assert (code, found["valid"], found["code"]) == (1, False, "too_few_signatures")
    assert [each["code"] for each in found["problems"]] == ["too_few_signatures"]
    assert "too_few_signatures" in err
    head = ("--head", written["request"]["payload"]["anchors"]["attestationHash"])
    code, found, _ = ask("payouts", "mint-request", "check", file, *head)
    assert (code, found["code"]) == (1, "baseline_not_head")


def test_settings_are_told_as_they_are_in_force(home, ask):
    code, found, _ = ask("config", "show")
    assert (code, found) == (0, json.loads(json.dumps(printable(home.settings))))
    assert ask("config", "check")[:2] == (0, {"valid": True, "programs": ["triage"], "warnings": []})
    file = home.home / "telefine.yaml"
    file.write_text(file.read_text().replace("kind: environment", "kind: environment, chain_id: 0"))
    code, found, err = ask("config", "check")
    assert (code, found["valid"], len(found["mistakes"])) == (1, False, 1)
    assert "signer.chain_id" in found["mistakes"][0]
    assert "signer.chain_id" in err


def test_evidence_is_removed_by_whoever_said_yes_beforehand(home, ask):
    digest = home.evidence.put(b"of a run that was cut off")
    long_ago = time.time() - 365 * 86_400
    for path in (home.home / ".telefine").rglob(digest):
        os.utime(path, (long_ago, long_ago))
    code, found, _ = ask("evidence", "gc")
    assert (code, found["files"], found["bytes"], found["removed"]) == (0, 1, 25, 0)
    code, found, err = ask("evidence", "gc", "--delete", "--by", "ann")
    assert (code, found, "--yes" in err) == (1, None, True)
    code, found, _ = ask("evidence", "gc", "--delete", "--by", "ann", "--yes")
    assert (code, found["removed"]) == (0, 1)
    assert found["digest"] == Audit(home.ledger).rows()[-1].details["digests"]


def test_an_archive_is_told_with_its_name(home, ask, tmp_path):
    code, found, _ = ask("evidence", "export", TUESDAY)
    uid = uid_of(home, TUESDAY)
    assert (code, found["uid"], found["file"]) == (0, uid, f"{uid}.tar")
    assert (tmp_path / found["file"]).stat().st_size == found["bytes"]
