"""``telefine payouts``: what is paid, claimed and exported is what was attested; nothing leaves unasked."""

import json
import time

import pytest

from telefine_assets.attestation.attesting import reverify
from telefine_assets.attestation.files import ROWS
from telefine_assets.attestation.log_records import Erasure
from telefine_assets.attestation.log_writing import say
from telefine_assets.ledger.log import LogLeaves
from telefine_assets.ledger.payouts import Payouts
from telefine_assets.payouts.merkle import StandardMerkleTree, verify_claim
from telefine_assets.payouts.mint_file import MintFile
from telefine_assets.payouts.paying import NOTHING, PAID
from telefine_assets.payouts.plan import Payment
from telefine_assets.payouts.safe_csv import read_safe_csv
from telefine_assets_tests.cli.attested_home import ALICE, BOB, MONDAY, SIGNER, TUESDAY
from telefine_assets_tests.cli.payouts_home import (
    CONTRACT,
    DEADLINE,
    ESCROW,
    HALF,
    POOL,
    TOKEN,
    paid_home,
    run,
    set_payout,
    write,
)
from telefine_assets_tests.payouts.mint import SIGNERS, signed
from telefine_assets_tests.payouts.test_plan import wallet


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return tmp_path_factory.mktemp("paid") / "home"


@pytest.fixture
def home(tmp_path, monkeypatch, template):
    """Monday and Tuesday, paid."""
    return paid_home(tmp_path, monkeypatch, template)


@pytest.fixture
def telefine(home, capsys):
    """Run ``telefine payouts``; returns exit code, output and errors."""
    return lambda *arguments: run(capsys, *arguments)


def test_what_is_the_same_for_every_request_may_stand_in_the_settings(home, telefine, tmp_path):
    assert write(telefine, tmp_path / "given.json")[0] == 0
    given = ("--max-cost", 5_000_000, "--actual-cost", 2_340_000, "--deadline", DEADLINE)
    code, _, err = telefine("mint-request", "write", TUESDAY, *given)
    assert (code, "give --model-id, or set payout.mint.model_id" in err) == (1, True)
    mint = f'{{model_id: "12345678901234567890", chain_id: 31337, contract: "{CONTRACT}", spec_id: triage-v1,'
    set_payout(home, f'mint: {mint} attesters: ["{SIGNER.address}"], required: 1}}')
    file = tmp_path / "set.json"
    assert telefine("mint-request", "write", TUESDAY, *given, "--output", file)[0] == 0
    assert file.read_bytes() == (tmp_path / "given.json").read_bytes()
    assert "too_few_signatures" in telefine("mint-request", "check", file)[2]
    assert telefine("mint-request", "sign", file, "--yes")[0] == 0
    code, out, _ = telefine("mint-request", "check", file)
    assert (code, "attesters" in out) == (0, False)


def test_a_plan_is_worked_out_from_the_verified_attestation_and_recorded_nowhere(home, telefine):
    wednesday = "2026-11-04"
    uid = home.attest(wednesday, [ALICE, BOB, None])
    code, out, _ = telefine("plan", wednesday, "--json")
    plan = json.loads(out)["plan"]
    assert code == 0
    assert sum(int(line["amount"]) for line in plan["payments"] + plan["escrow"]) == POOL
    assert {line["address"] for line in plan["payments"]} == {ALICE, BOB}
    assert Payouts(home.ledger).of(uid) is None
    assert home.records.find("triage", "contributor_payouts", wednesday) is None
    assert "was paid already" in telefine("plan", MONDAY)[1]


def test_no_plan_rests_on_evidence_that_was_changed(home, telefine):
    bundle = home.records.read("triage", "attestations", MONDAY)["bundle"]
    path = next(home.home.rglob(bundle))
    path.write_bytes(path.read_bytes().replace(b"2026-11-02", b"2026-11-01"))
    code, _, err = telefine("plan", MONDAY)
    assert (code, "evidence_digest_mismatch" in err) == (1, True)


def test_what_was_erased_before_it_was_paid_is_not_paid_and_what_was_paid_stands(home, telefine):
    wednesday = "2026-11-04"
    home.attest(wednesday, [ALICE])
    verified = reverify(home.records.read("triage", "attestations", MONDAY), home.trust(), home.evidence.find).verified
    # Both days have the same rows.
    (rows,) = (each.sha256 for each in verified.claim.evidence if each.name == ROWS)
    say(LogLeaves(home.ledger), "paid", SIGNER, lambda state: [Erasure(f"0x{rows}", "asked by mail")])
    next(home.home.rglob(rows)).unlink()
    code, _, err = telefine("plan", wednesday)
    assert (code, "evidence_erased" in err, ROWS in err) == (1, True, True)
    unpaid = home.pay(wednesday)
    assert (unpaid["outcome"], "evidence_erased" in unpaid["reason"]) == (NOTHING, True)
    code, out, _ = telefine("plan", MONDAY)
    assert (code, "was paid already" in out, home.pay(MONDAY)["outcome"]) == (0, True, PAID)


def test_a_proof_holds_under_the_newest_root_whatever_day_was_paid_last(telefine):
    code, out, _ = telefine("proof", BOB.lower())
    found = json.loads(out)
    assert (code, found["address"], found["total"]) == (0, BOB, str(POOL))
    assert verify_claim(found["root"], BOB, POOL, found["proof"])
    newest = json.loads(telefine("proof", ALICE)[1])
    assert (newest["root"], newest["total"]) == (found["root"], str(HALF + 1))
    assert json.loads(telefine("proof", BOB, "--day", TUESDAY)[1])["root"] != found["root"]


@pytest.mark.parametrize("address", ["carol.eth", wallet(9), "0x" + "0" * 40])
def test_who_earned_nothing_has_no_proof(telefine, address):
    code, out, err = telefine("proof", address)
    assert (code, out) == (1, "")
    assert address in err


def test_a_record_that_was_changed_gives_no_proof_and_no_file(home, telefine, tmp_path):
    record = home.records.read("triage", "contributor_payouts", MONDAY)
    record["totals"]["wallets"][0]["amount"] = "2" + record["totals"]["wallets"][0]["amount"]
    home.records.write("triage", "contributor_payouts", MONDAY, record)
    for arguments in (["proof", BOB], ["export", "--format", "claims", "--output", tmp_path / "x.json"]):
        code, _, err = telefine(*arguments)
        assert (code, "was changed" in err) == (1, True)
    assert not (tmp_path / "x.json").exists()


def test_an_airdrop_is_the_days_payments_to_the_unit_and_states_its_escrow(telefine, tmp_path):
    file = tmp_path / "airdrop.csv"
    code, out, _ = telefine(
        "export", "--format", "safe-csv", "--day", MONDAY, "--token-address", TOKEN, "--output", file
    )
    assert code == 0
    assert read_safe_csv(file.read_bytes(), TOKEN, 18) == (Payment(ALICE, HALF + 1),)
    assert f"not in the file: {HALF} in escrow (ens_name)" in out


def test_an_airdrop_that_the_ledger_did_not_pay_is_not_written(home, telefine, tmp_path):
    record = home.records.read("triage", "contributor_payouts", TUESDAY)
    record["plan"]["payments"][0]["address"] = wallet(9)
    home.records.write("triage", "contributor_payouts", TUESDAY, record)
    file = tmp_path / "airdrop.csv"
    code, _, err = telefine(
        "export", "--format", "safe-csv", "--day", TUESDAY, "--token-address", TOKEN, "--output", file
    )
    assert (code, "The ledger paid" in err, file.exists()) == (1, True, False)


def test_claims_and_dump_are_under_one_root(telefine, tmp_path):
    claims, dump = tmp_path / "claims.json", tmp_path / "dump.json"
    assert telefine("export", "--format", "claims", "--output", claims)[0] == 0
    assert telefine("export", "--format", "dump", "--output", dump)[0] == 0
    document = json.loads(claims.read_bytes())
    assert StandardMerkleTree.load(json.loads(dump.read_bytes())).root == document["root"]
    for claim in document["claims"]:
        assert verify_claim(document["root"], claim["address"], int(claim["total"]), claim["proof"])
    assert document["totals"]["escrow"] == [{"reason": "ens_name", "amount": str(HALF)}]


def test_without_a_name_nothing_is_written_and_no_file_is_overwritten(telefine, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    code, out, _ = telefine("export", "--format", "claims")
    assert (code, "nothing written" in out) == (0, True)
    assert sorted(tmp_path.rglob("*")) == before
    other = tmp_path / "mine.json"
    other.write_text("mine")
    code, _, err = telefine("export", "--format", "claims", "--output", other)
    assert (code, "something else" in err, other.read_text()) == (1, True, "mine")


def test_a_mint_request_says_what_was_attested(home, telefine, tmp_path):
    file = tmp_path / "mint.json"
    assert write(telefine, file)[0] == 0
    request = MintFile.from_bytes(file.read_bytes()).request
    payload, uid = request.payload, home.records.read("triage", "attestations", TUESDAY)["uid"]
    assert (payload.baseline_bps, payload.candidate_bps, payload.samples) == (8500, 9750, 400)
    assert (payload.anchors.attestation_hash, payload.deadline) == (uid, DEADLINE)
    assert [(each.wallet, each.weight) for each in request.contributors] == [(BOB, 10_000)]
    first = file.read_bytes()
    assert (write(telefine, file)[0], file.read_bytes()) == (0, first)
    assert write(telefine, file, deadline=DEADLINE + 1)[0] == 1
    assert file.read_bytes() == first


def test_a_mint_request_needs_a_deadline_that_is_not_over_and_a_wallet_for_the_escrow(telefine, tmp_path):
    file = tmp_path / "mint.json"
    code, _, err = write(telefine, file, deadline=int(time.time()) - 1)
    assert (code, "deadline_passed" in err) == (1, True)
    code, _, err = write(telefine, file, day=MONDAY)
    assert (code, "--escrow-wallet" in err, file.exists()) == (1, True, False)
    assert write(telefine, file, day=MONDAY, **{"escrow-wallet": ESCROW})[0] == 0
    shared = {each.wallet: each.weight for each in MintFile.from_bytes(file.read_bytes()).request.contributors}
    assert shared == {ALICE: 5000, ESCROW: 5000}
    assert telefine("mint-request", "sign", file, "--yes")[0] == 0


def test_signing_is_asked_for_and_keeps_the_digest(telefine, tmp_path):
    file = tmp_path / "mint.json"
    write(telefine, file)
    before = file.read_bytes()
    code, out, _ = telefine("mint-request", "sign", file)
    assert (code, "nothing signed" in out, file.read_bytes()) == (0, True, before)
    assert telefine("mint-request", "sign", file, "--yes")[0] == 0
    once = file.read_bytes()
    assert telefine("mint-request", "sign", file, "--yes")[0] == 0
    found = MintFile.from_bytes(once)
    assert (file.read_bytes(), found.signers) == (once, (SIGNER.address,))
    assert found.request == MintFile.from_bytes(before).request


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r["payload"].update(candidateScoreBps="9999"),
        lambda r: r["payload"].update(baselineCommitment="0x" + "1" * 64),
        lambda r: r["payload"]["anchors"].update(metricName="better"),
        lambda r: r.update(contributors=[{"walletAddress": wallet(9), "weight": "10000"}]),
        lambda r: r["contributors"].append({"walletAddress": wallet(9), "weight": "0"}),
    ],
)
def test_a_request_that_says_more_than_the_evidence_is_not_signed(telefine, tmp_path, change):
    file = tmp_path / "mint.json"
    write(telefine, file)
    value = json.loads(file.read_bytes())
    change(value["request"])
    file.write_text(json.dumps(value))
    assert "file.digest" in telefine("mint-request", "sign", file, "--yes")[2]
    from telefine_assets.payouts.mint_request import MintRequest

    value["digest"] = MintRequest.from_json(value["request"]).digest
    file.write_text(json.dumps(value))
    code, _, err = telefine("mint-request", "sign", file, "--yes")
    assert (code, "Do not sign it" in err) == (1, True)
    assert json.loads(file.read_bytes())["signatures"] == []


def test_check_names_what_stands_against_a_request_and_what_it_could_not_check(telefine, tmp_path):
    file = tmp_path / "mint.json"
    write(telefine, file)
    code, out, err = telefine("mint-request", "check", file)
    assert (code, "too_few_signatures" in err) == (1, True)
    assert "head, used_keys, attesters, required, reward, budget" in out
    telefine("mint-request", "sign", file, "--yes")
    found = MintFile.from_bytes(file.read_bytes())
    both = MintFile(found.request, (*found.signatures, signed(found.request, SIGNERS[0])))
    file.write_bytes(both.to_bytes())
    payload = found.request.payload
    state = ["--head", payload.baseline_commitment, "--required", 2, "--reward", 5, "--budget", 5]
    attesters = ["--attester", SIGNER.address, "--attester", SIGNERS[0].address]
    code, out, _ = telefine("mint-request", "check", file, *state, *attesters)
    assert (code, "nothing stands against it" in out) == (0, True)
    key = payload.anchors.idempotency_key
    worse = ["--head", "0x" + "1" * 64, "--used-key", key, "--reward", 6, "--budget", 5, "--attester", SIGNER.address]
    code, _, err = telefine("mint-request", "check", file, *worse)
    assert code == 1
    assert [line.split(":")[0] for line in err.splitlines()] == [
        "baseline_not_head",
        "idempotency_key_used",
        "reward_over_budget",
        "signer_not_registered",
    ]


def test_a_file_with_a_signature_that_the_contract_refuses_is_not_read(telefine, tmp_path):
    file = tmp_path / "mint.json"
    write(telefine, file)
    value = json.loads(file.read_bytes())
    good = signed(MintFile.from_bytes(file.read_bytes()).request, SIGNERS[0])
    for signatures in ([good, good], [good[:-2]], ["0x" + "00" * 65]):
        file.write_text(json.dumps(value | {"signatures": signatures}))
        assert telefine("mint-request", "check", file)[0] == 1
