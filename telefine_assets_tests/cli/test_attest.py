"""``telefine attest``: exported, verified, pinned; keys rotated, attestations revoked, signed by several."""

import io
import json
import shutil

import pytest

from telefine_assets.attestation.attesting import Attester, attest_claim, claim_of
from telefine_assets.attestation.bundle import AttestationBundle
from telefine_assets.attestation.cosigning import cosign
from telefine_assets.attestation.eas import Envelope
from telefine_assets.attestation.files import BASELINE, CANDIDATE, LOOKS, REPORT
from telefine_assets.attestation.signers import LocalKeySigner
from telefine_assets.attestation.trust import Trust
from telefine_assets.canonical import sha256_hex
from telefine_assets.cli.main import main
from telefine_assets.ledger.cosignatures import Cosignatures
from telefine_assets.ledger.payouts import Payouts
from telefine_assets_tests.attestation.logs import MemoryDays, MemoryLeaves
from telefine_assets_tests.cli.attested_home import (
    ALICE,
    BOB,
    KEY,
    MONDAY,
    SETTINGS,
    SIGNER,
    TUESDAY,
    PaidHome,
    evidence_of,
)
from telefine_assets_tests.payouts.test_plan import wallet

SECOND_KEY = "08" * 32
SECOND = LocalKeySigner(SECOND_KEY)
STRANGER_KEY = "09" * 32
THIRD_KEY = "0a" * 32
THIRD = LocalKeySigner(THIRD_KEY)
WHY = ("--reason", "it was time")


@pytest.fixture
def deployed(tmp_path, monkeypatch):
    """Makes homes whose settings may say more of the signer."""
    monkeypatch.setenv("TELEFINE_SIGNER__PRIVATE_KEY", KEY)
    monkeypatch.setenv("TELEFINE_CONFIG", str(tmp_path / "telefine.yaml"))
    monkeypatch.setenv("COLUMNS", "200")

    def make(signer="{kind: environment}"):
        monkeypatch.setattr(
            "telefine_assets_tests.cli.attested_home.SETTINGS", SETTINGS.replace("{kind: environment}", signer)
        )
        return PaidHome(tmp_path)

    return make


@pytest.fixture
def home(deployed):
    """Monday is attested."""
    made = deployed()
    made.attest(MONDAY, [ALICE, BOB])
    return made


@pytest.fixture
def telefine(capsys, monkeypatch):
    """Run ``telefine attest``, as whoever has the key; returns exit code, output and errors."""

    def run(*arguments, key=KEY):
        monkeypatch.setenv("TELEFINE_SIGNER__PRIVATE_KEY", key)
        with pytest.raises(SystemExit) as caught:
            main(["attest", *map(str, arguments)])
        done = capsys.readouterr()
        assert key not in done.out + done.err
        return caught.value.code or 0, done.out, done.err

    return run


def exported(telefine, folder, uid=MONDAY, **options):
    shutil.rmtree(folder, ignore_errors=True)
    code, _, errors = telefine("export", uid, folder, **options)
    assert code == 0, errors
    return folder


def uid_of(home, day=MONDAY):
    return home.records.read("triage", "attestations", day)["uid"]


def test_an_exported_attestation_verifies_with_the_whole_log(home, telefine, tmp_path):
    folder = exported(telefine, tmp_path / "out")
    code, out, _ = telefine("verify", folder)
    assert code == 0
    assert f"first key {SIGNER.address}" in out
    assert "the policy came with the attestation" in out
    assert "no head is pinned" in out
    (folder / "log.json").unlink()
    code, out, _ = telefine("verify", folder)
    assert code == 0
    assert "not checked whether it was revoked" in out


def test_a_pinned_head_moves_forward_and_never_back(home, telefine, tmp_path):
    old, pin = exported(telefine, tmp_path / "old"), tmp_path / "mine.json"
    code, out, _ = telefine("verify", old, "--pin", pin)
    assert (code, "trust on first use" in out) == (0, True)
    home.attest(TUESDAY, [BOB])
    new = exported(telefine, tmp_path / "new", TUESDAY)
    code, out, _ = telefine("verify", new, "--pin", pin)
    assert (code, "contains the 2 leaves" in out, "first use" in out) == (0, True, False)
    assert json.loads(pin.read_bytes())["head"]["size"] == 3
    code, _, errors = telefine("verify", old, "--pin", pin)
    assert (code, "log_stale" in errors) == (1, True)
    assert json.loads(pin.read_bytes())["head"]["size"] == 3
    code, _, errors = telefine("verify", new, "--pin", pin, "--policy", new / "policy.json")
    assert (code, "would be replaced" in errors) == (1, True)
    (new / "log.json").unlink()
    code, out, errors = telefine("verify", new, "--pin", pin)
    assert (code, out, "log_missing" in errors) == (1, "", True)
    code, out, errors = telefine("verify", new, "--policy", new / "policy.json", "--pin", tmp_path / "other.json")
    assert (code, out, "no head to pin" in errors) == (1, "", True)


def forged(home, folder, files, program="triage"):
    """What the thief of the deployment's key hands over: his own log of the same name, and no ``log.json``."""
    kept = {sha256_hex(content): content for content in files.values()}
    leaves = MemoryLeaves()
    attester = Attester(
        Trust(home.domain, home.settings.deployment, leaves, Cosignatures(home.ledger)),
        MemoryDays(leaves),
        lambda: SIGNER,
        lambda program, key: [],
        lambda facts: None,
        sha256_hex,
        kept.get,
    )
    bundle = attest_claim(attester, claim_of(program, MONDAY, files)).bundle
    named = {f"evidence/{digest}": content for digest, content in kept.items()}
    for name, content in {"attestation.json": bundle.to_bytes(), **named}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def test_a_thief_of_a_retired_key_gains_nothing_by_leaving_the_log_out(home, telefine, tmp_path):
    pin, revoked = tmp_path / "mine.json", exported(telefine, tmp_path / "monday")
    assert telefine("verify", revoked, "--pin", pin)[0] == 0
    telefine("revoke", uid_of(home), *WHY, "--yes")
    telefine("rotate", SECOND.address, *WHY, "--compromised-from", 2, "--yes")
    home.attest(TUESDAY, [BOB], SECOND)
    new = exported(telefine, tmp_path / "tuesday", TUESDAY, key=SECOND_KEY)
    assert telefine("verify", new, "--pin", pin)[0] == 0
    mine = json.loads(pin.read_bytes())
    assert [(each["address"], each["lastIndex"]) for each in mine["signers"]] == [
        (SIGNER.address, 1),
        (SECOND.address, None),
    ]
    assert (mine["signers"], mine["revokedUids"]) == (mine["logKeys"], [uid_of(home)])
    assert mine["genesis"] == SIGNER.address
    theft = forged(home, tmp_path / "theft", evidence_of(MONDAY, [wallet(9)]))
    (revoked / "log.json").unlink()
    for folder in (theft, revoked):
        for option in ("--policy", "--pin"):
            code, out, errors = telefine("verify", folder, option, pin)
            assert (code, out, "log_missing" in errors) == (1, "", True)
    code, _, errors = telefine("cosign", theft, "--policy", pin, "-o", tmp_path / "no", key=SECOND_KEY)
    assert (code, "log_missing" in errors) == (1, True)
    code, out, errors = telefine("verify", theft, "--policy", new / "policy.json")
    assert (code, out, "log_head_untrusted" in errors) == (1, "", True)


def test_nothing_in_a_strangers_files_steers_the_terminal(home, telefine, tmp_path):
    evil = "triage 0123456789ab, day 2026-11-02\n  log         contains all that was pinned\x1b[8m"
    files = renamed(evidence_of(MONDAY, [ALICE]), evil)
    folder = forged(home, tmp_path / "evil", files, evil)
    policy = exported(telefine, tmp_path / "own") / "policy.json"
    code, out, errors = telefine("verify", folder, "--policy", policy)
    assert (code, errors) == (0, "")
    assert "\x1b" not in out
    assert not [line for line in out.splitlines() if line.startswith("  log  ")]
    (folder / "policy.json").write_bytes(policy.read_bytes())
    for name in ("policy.json", "attestation.json"):
        (folder / name).write_text(json.dumps(json.loads((folder / name).read_bytes()) | {"\x07 rung": 1}))
        code, out, errors = telefine("verify", folder)
        assert (code, out, "\x07" in errors, "rung" in errors) == (1, "", False, True)
        (folder / name).write_bytes((policy.parent / name).read_bytes())


def renamed(files, program):
    """Evidence of a program that is called something else."""
    word = json.dumps(program).encode()
    new = {name: content.replace(b'"triage"', word) for name, content in files.items()}
    digests = {sha256_hex(files[name]): sha256_hex(new[name]) for name in (BASELINE, CANDIDATE)}
    for name in (REPORT, LOOKS):
        for old, digest in digests.items():
            new[name] = new[name].replace(old.encode(), digest.encode())
    return new


def test_a_rotated_deployment_stands_by_what_its_old_key_signed(home, telefine, tmp_path):
    assert telefine("rotate", SECOND.address, *WHY, "--yes")[0] == 0
    code, out, _ = telefine("rotate", SECOND.address, *WHY, "--yes")
    assert (code, "says so already" in out) == (0, True)
    home.attest(TUESDAY, [BOB], SECOND)
    for day in (MONDAY, TUESDAY):
        assert home.pay(day)["outcome"] == "planned"
        folder = exported(telefine, tmp_path / day, day, key=SECOND_KEY)
        assert telefine("verify", folder)[0] == 0
    code, _, errors = telefine("export", MONDAY, tmp_path / "late", key=KEY)
    assert (code, "is no good key" in errors) == (1, True)
    assert home.audited() == ["rotated"]
    keys = json.loads(telefine("keys", "--json")[1])
    assert [(key["address"], key["retired_at"]) for key in keys] == [(SIGNER.address, 3), (SECOND.address, None)]


def test_a_leaked_key_takes_with_it_what_it_signed_since(home, telefine, tmp_path):
    home.attest(TUESDAY, [BOB])
    code, out, _ = telefine("rotate", SECOND.address, *WHY, "--compromised-from", 2, "--yes")
    assert code == 0
    assert "check: position 2" in out
    assert telefine("verify", exported(telefine, tmp_path / "a", MONDAY, key=SECOND_KEY))[0] == 0
    code, _, errors = telefine("verify", exported(telefine, tmp_path / "b", TUESDAY, key=SECOND_KEY))
    assert (code, "untrusted_signer" in errors) == (1, True)
    earlier = ("retire", SIGNER.address, *WHY, "--compromised-from", 1, "--yes")
    assert "retire" in telefine(*earlier, key=SECOND_KEY)[1]
    assert "says so already" in telefine(*earlier, key=SECOND_KEY)[1]
    code, _, errors = telefine("verify", exported(telefine, tmp_path / "a", MONDAY, key=SECOND_KEY))
    assert (code, "untrusted_signer" in errors) == (1, True)


def test_nothing_more_rests_on_a_revoked_attestation(home, telefine, tmp_path):
    uid = uid_of(home)
    before = exported(telefine, tmp_path / "before")
    assert telefine("revoke", uid, *WHY, "--yes")[0] == 0
    code, out, _ = telefine("revoke", uid, *WHY, "--yes")
    assert (code, "says so already" in out) == (0, True)
    record = home.pay(MONDAY)
    assert record["outcome"] == "nothing_to_pay"
    assert "revoked" in record["reason"]
    assert Payouts(home.ledger).of(uid) is None
    after = exported(telefine, tmp_path / "after")
    code, _, errors = telefine("verify", after)
    assert (code, "revoked" in errors) == (1, True)
    assert telefine("verify", before)[0] == 0
    with pytest.raises(SystemExit):
        main(["payouts", "plan", MONDAY])


def test_what_was_paid_before_a_revocation_stands(home, telefine):
    paid = home.pay(MONDAY)
    telefine("revoke", uid_of(home), *WHY, "--yes")
    assert home.pay(MONDAY) == paid


def test_the_log_is_listed_and_nothing_in_it_steers_the_terminal(home, telefine):
    telefine("revoke", uid_of(home), "--reason", "wrong \x1b[2J feedback", "--yes")
    code, out, _ = telefine("log")
    assert code == 0
    assert "\x1b[2J" not in out
    assert uid_of(home)[:20] in out
    lines = json.loads(telefine("log", "--json")[1])
    assert [(line["position"], line["what"].split()[0][:6], line["void"]) for line in lines] == [
        (0, "admit", None),
        (1, uid_of(home)[:6], None),
        (2, "revoke", None),
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("revoke", "0x" + "1" * 64), "unknown_uid"),
        (("revoke", "monday"), "record.uid"),
        (("retire", SIGNER.address), "last_key"),
        (("retire", SECOND.address), "key_not_good"),
        (("rotate", SIGNER.address), "signs now"),
        (("admit", SECOND.address.lower()), "record.key"),
    ],
)
def test_what_would_have_no_effect_is_refused(home, telefine, arguments, words):
    code, _, errors = telefine(*arguments, *WHY, "--yes")
    assert code == 1
    assert words in errors
    assert len(home.trust().leaves.leaves()) == 2


def test_a_stranger_can_say_nothing_and_without_a_yes_nothing_is_said(home, telefine, monkeypatch):
    code, _, errors = telefine("admit", SECOND.address, *WHY, "--yes", key=STRANGER_KEY)
    assert (code, "signer_not_good" in errors) == (1, True)
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert telefine("admit", SECOND.address, *WHY)[0] == 1
    assert len(home.trust().leaves.leaves()) == 2
    assert home.audited() == []


@pytest.fixture
def pair(deployed, telefine):
    """A deployment in which two of two must sign; one has."""
    made = deployed(f"{{kind: environment, required: 2, attesters: ['{SIGNER.address}', '{SECOND.address}']}}")
    from telefine_assets.attestation.log_writing import begin

    begin(made.trust().leaves, made.settings.deployment, SIGNER)
    assert telefine("admit", SECOND.address, *WHY, "--yes")[0] == 0
    made.attest(MONDAY, [ALICE, BOB])
    return made


def test_two_of_two(pair, telefine, tmp_path, monkeypatch):
    assert "awaiting_signatures: 1 of 2" in pair.pay(MONDAY)["reason"]
    folder = exported(telefine, tmp_path / "out")
    code, _, errors = telefine("verify", folder)
    assert (code, "threshold_not_met" in errors) == (1, True)
    mine = tmp_path / "mine.json"
    shutil.copy(folder / "policy.json", mine)
    own = str(tmp_path / "telefine.yaml")
    monkeypatch.setenv("TELEFINE_CONFIG", str(tmp_path / "elsewhere" / "telefine.yaml"))
    monkeypatch.setenv("TELEFINE_SIGNER__KIND", "environment")
    code, _, errors = telefine("cosign", folder, "-o", tmp_path / "cosig", "--policy", mine, key=SECOND_KEY)
    assert code == 0, errors
    monkeypatch.setenv("TELEFINE_CONFIG", own)
    code, out, _ = telefine("add-cosignature", tmp_path / "cosig", "--yes")
    assert (code, "enough attesters" in out) == (0, True)
    assert "was signed already" in telefine("add-cosignature", tmp_path / "cosig", "--yes")[1]
    assert pair.pay(MONDAY)["outcome"] == "planned"
    code, out, _ = telefine("verify", exported(telefine, tmp_path / "out"))
    assert (code, f"and by      {SECOND.address}" in out) == (0, True)
    lines = json.loads(telefine("log", "--json")[1])
    assert [line["what"] for line in lines if line["kind"].startswith("telefine.cosig")] == [f"cosign {uid_of(pair)}"]
    assert pair.audited() == ["admitted", "cosigned"]


def test_a_key_that_was_retired_does_not_make_up_the_threshold_afterwards(pair, telefine, tmp_path):
    assert telefine("retire", SECOND.address, *WHY, "--yes")[0] == 0
    folder = exported(telefine, tmp_path / "out")
    bundle = AttestationBundle.from_bytes((folder / "attestation.json").read_bytes())
    late = cosign(Envelope.from_json(bundle.envelope), SECOND)
    (folder / "attestation.json").write_bytes(bundle.with_cosignatures([late]).to_bytes())
    code, out, errors = telefine("verify", folder, "--policy", folder / "policy.json")
    assert (code, out, "1 of 2" in errors) == (1, "", True)


def test_a_cosignature_of_before_the_retirement_stands(pair, telefine, tmp_path):
    folder, file = exported(telefine, tmp_path / "out"), tmp_path / "cosig"
    assert telefine("cosign", folder, "-o", file, "--policy", folder / "policy.json", key=SECOND_KEY)[0] == 0
    assert telefine("add-cosignature", file, "--yes")[0] == 0
    assert telefine("retire", SECOND.address, *WHY, "--yes")[0] == 0
    folder = exported(telefine, tmp_path / "out")
    assert telefine("verify", folder)[0] == 0
    (folder / "log.json").unlink()
    code, _, errors = telefine("verify", folder)
    assert (code, "1 of 2" in errors) == (1, True)


def test_only_the_policys_attesters_cosign_and_only_with_the_log(pair, telefine, tmp_path):
    assert telefine("admit", THIRD.address, *WHY, "--yes")[0] == 0
    folder = exported(telefine, tmp_path / "out")
    policy = ("--policy", folder / "policy.json", "-o", tmp_path / "no")
    code, _, errors = telefine("cosign", folder, *policy, key=THIRD_KEY)
    assert (code, "would not count" in errors, "attesters" in errors) == (1, True, True)
    assert telefine("retire", SECOND.address, *WHY, "--yes")[0] == 0
    retired = exported(telefine, tmp_path / "retired")
    code, _, errors = telefine("cosign", retired, *policy, key=SECOND_KEY)
    assert (code, "would not count" in errors) == (1, True)
    (folder / "log.json").unlink()
    code, _, errors = telefine("cosign", folder, *policy, key=SECOND_KEY)
    assert (code, "log_missing" in errors) == (1, True)
    assert not (tmp_path / "no").exists()


def test_nobody_cosigns_what_does_not_verify_or_with_a_key_that_does_not_count(pair, telefine, tmp_path):
    folder = exported(telefine, tmp_path / "out")
    policy = ("--policy", folder / "policy.json")
    for key in (KEY, STRANGER_KEY):
        code, _, errors = telefine("cosign", folder, "-o", tmp_path / "no", *policy, key=key)
        assert (code, "would not count" in errors) == (1, True)
    evidence = next((folder / "evidence").iterdir())
    evidence.write_bytes(evidence.read_bytes() + b" ")
    code, _, errors = telefine("cosign", folder, "-o", tmp_path / "no", *policy, key=SECOND_KEY)
    assert (code, "evidence_digest_mismatch" in errors) == (1, True)
    assert not (tmp_path / "no").exists()


def test_a_cosignature_of_a_retired_key_or_with_another_signature_is_not_taken_in(pair, telefine, tmp_path):
    folder, file = exported(telefine, tmp_path / "out"), tmp_path / "cosig"
    assert telefine("cosign", folder, "-o", file, "--policy", folder / "policy.json", key=SECOND_KEY)[0] == 0
    good = json.loads(file.read_bytes())
    for forged, words in (
        (good | {"signer": ALICE}, "bad_cosignature"),
        (good | {"uid": "0x" + "1" * 64}, "no attestation"),
        (good | {"note": 1}, "not a field"),
    ):
        (tmp_path / "forged").write_text(json.dumps(forged))
        code, _, errors = telefine("add-cosignature", tmp_path / "forged", "--yes")
        assert (code, words in errors) == (1, True), errors
    assert telefine("retire", SECOND.address, *WHY, "--yes")[0] == 0
    code, _, errors = telefine("add-cosignature", file, "--yes")
    assert (code, "does not count" in errors) == (1, True)
    assert pair.trust().kept.of(uid_of(pair)) == []
