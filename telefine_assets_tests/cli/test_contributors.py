"""``telefine contributors``: what a contributor is told is what the stored tables and the ledger say."""

import json

import pytest

from telefine_assets.attestation.archive import unpack
from telefine_assets.attestation.files import ROWS
from telefine_assets.attestation.log_records import Erasure
from telefine_assets.attestation.log_writing import say
from telefine_assets.canonical import sha256_hex
from telefine_assets.cli.main import main
from telefine_assets.ledger.log import LogLeaves
from telefine_assets_tests.attribution.test_trail import WRONG_CASE
from telefine_assets_tests.attribution.trail_home import Home
from telefine_assets_tests.cli.attested_home import ALICE, BOB, KEY, MONDAY, SIGNER, TUESDAY, PaidHome, evidence_of
from telefine_assets_tests.payouts.test_plan import wallet

TRACE = f"tr-{MONDAY}-0"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Monday's demo is Alice's, and attested and paid; a copy of it is Bob's."""
    folder = tmp_path_factory.mktemp("home")
    made = PaidHome(folder)
    made.attest(MONDAY, [ALICE, "carol.eth"])
    made.pay(MONDAY)
    told = Home(made.settings.store.uri)
    told.trace(TRACE, ALICE, content="x")
    told.trace("tr-evil\x1b[2J", ALICE, rule="unlabelled")
    told.trace("tr-copy", BOB, TUESDAY, content="x")
    told.weigh(MONDAY, [(TRACE, "x")], [(ALICE, 500_000, ["x"])], [("ens_name", 500_000, ["y"])])
    told.write()
    counts = {"given": 2, "kept": 1, "dropped": {"unlabelled": 1}}
    told.record("cleaned_traces", MONDAY, contributors={ALICE: counts, "evil\x1b[2J": counts})
    return made


@pytest.fixture
def telefine(home, capsys, monkeypatch):
    """Run ``telefine``; returns exit code, output and errors."""
    monkeypatch.setenv("TELEFINE_SIGNER__PRIVATE_KEY", KEY)
    monkeypatch.setenv("TELEFINE_CONFIG", str(home.home / "telefine.yaml"))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main([*map(str, arguments)])
        done = capsys.readouterr()
        assert "\x1b[2J" not in done.out + done.err
        return caught.value.code or 0, done.out, done.err

    return run


@pytest.fixture
def archive(home, telefine, tmp_path):
    path = tmp_path / "bundle.tar"
    assert telefine("evidence", "export", MONDAY, "-o", path)[0] == 0
    return path


def test_why_names_every_trace_with_its_code(telefine):
    code, out, _ = telefine("contributors", "why", ALICE.lower())
    lines = out.splitlines()
    assert (code, len(lines)) == (0, 2)
    assert lines[0].startswith(f"{MONDAY}  {TRACE}  paid: paid (candidate cccccccccccc of {MONDAY}, 500000 ppm")
    assert lines[0].endswith("; not signed")
    assert "dropped: not paid: cleaning dropped it: no expectation" in lines[1]
    _, out, _ = telefine("contributors", "why", BOB, "--json")
    (line,) = json.loads(out)
    assert (line["code"], line["first"], line["first_of"]) == ("copy", TRACE, ALICE)


def test_why_tells_only_the_days_asked_for(telefine):
    assert telefine("contributors", "why", BOB, "--from", TUESDAY)[0] == 0
    assert telefine("contributors", "why", BOB, "--to", MONDAY)[0] == 1


def test_show_is_one_page_of_what_was_given_and_earned(home, telefine):
    amount = home.records.read("triage", "contributor_payouts", MONDAY)["plan"]["payments"][0]["amount"]
    code, out, _ = telefine("contributors", "show", ALICE)
    assert code == 0
    for part in (
        "given     2",
        "dropped   1 (1 unlabelled)",
        f"earned    {amount}",
        f"payouts proof {ALICE}",
        "500000",
    ):
        assert part in out
    found = json.loads(telefine("contributors", "show", ALICE, "--json")[1])
    assert (found["earned"], [day["amount"] for day in found["days"]]) == (amount, [amount])


def test_the_list_has_everybody_the_best_paid_first(telefine):
    found = json.loads(telefine("contributors", "list", "--json")[1])
    assert next(each["who"] for each in found) == ALICE
    assert "1 of " in telefine("contributors", "list", "-n", "1")[1]
    assert "evil" in telefine("contributors", "list")[1]


@pytest.mark.parametrize("command", ["show", "why"])
def test_an_unknown_wallet_is_told_what_to_check(telefine, command):
    code, _, err = telefine("contributors", command, wallet(99))
    assert (code, "telefine.contributor" in err, "loaded and cleaned" in err) == (1, True, True)
    code, _, err = telefine("contributors", command, WRONG_CASE)
    assert (code, "bad_checksum" in err) == (1, True)
    assert telefine("contributors", command, "carol.eth\x1b[2J")[0] == 1


def test_a_contributor_proves_offline_that_a_trace_was_learnt_from(telefine, archive, tmp_path, monkeypatch):
    proof = tmp_path / "proof.json"
    assert telefine("contributors", "proof", TRACE, MONDAY, "-o", proof)[0] == 0
    assert json.loads(telefine("contributors", "proof", TRACE, MONDAY)[1]) == json.loads(proof.read_bytes())
    monkeypatch.setenv("TELEFINE_CONFIG", str(tmp_path / "none.yaml"))
    code, out, _ = telefine("contributors", "check-proof", proof, archive)
    assert (code, f"valid: trace {TRACE} is in the trainset" in out, "policy came with" in out) == (0, True, True)
    found = json.loads(telefine("contributors", "check-proof", proof, archive, "--json")[1])
    assert (found["valid"], found["trace_id"], found["line"]["contributor"]) == (True, TRACE, ALICE)
    held = json.loads(proof.read_bytes())
    proof.write_text(json.dumps(held | {"line": held["line"].replace(ALICE, BOB)}))
    code, out, err = telefine("contributors", "check-proof", proof, archive, "--json")
    assert (code, "proof_invalid" in err) == (1, True)
    assert (json.loads(out)["valid"], json.loads(out)["code"]) == (False, "proof_invalid")


def test_a_proof_holds_against_a_verified_attestation_only(telefine, archive, tmp_path):
    proof = tmp_path / "proof.json"
    telefine("contributors", "proof", TRACE, MONDAY, "-o", proof)
    archive.write_bytes(archive.read_bytes().replace(b'"side":"train"', b'"side":"trail"'))
    code, _, err = telefine("contributors", "check-proof", proof, archive)
    assert (code, "evidence_digest_mismatch" in err) == (1, True)
    assert telefine("contributors", "proof", "tr-none", MONDAY)[0] == 1
    assert telefine("contributors", "check-proof", tmp_path / "none", archive)[0] == 1


def test_a_proof_holds_beside_evidence_that_was_erased_for_who_accepts_that(telefine, tmp_path, monkeypatch):
    home, proof, archive = PaidHome(tmp_path), tmp_path / "proof.json", tmp_path / "bundle.tar"
    monkeypatch.setenv("TELEFINE_CONFIG", str(tmp_path / "telefine.yaml"))
    home.attest(MONDAY, [ALICE])
    rows = sha256_hex(evidence_of(MONDAY, [ALICE])[ROWS])
    say(LogLeaves(home.ledger), "paid", SIGNER, lambda state: [Erasure(f"0x{rows}", "asked by mail")])
    next(tmp_path.rglob(rows)).unlink()
    assert telefine("evidence", "export", MONDAY, "-o", archive)[0] == 0
    assert telefine("contributors", "proof", TRACE, MONDAY, "-o", proof)[0] == 0
    code, _, err = telefine("contributors", "check-proof", proof, archive)
    assert (code, "evidence_erased" in err) == (1, True)
    assert telefine("contributors", "check-proof", proof, archive, "--accept-erased")[0] == 0
    (tmp_path / "policy.json").write_bytes(unpack(archive.read_bytes())["policy.json"])
    code, _, err = telefine("attest", "cosign", archive, "-o", tmp_path / "no", "--policy", tmp_path / "policy.json")
    assert (code, "evidence_erased" in err, (tmp_path / "no").exists()) == (1, True, False)
