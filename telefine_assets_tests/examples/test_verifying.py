"""The verifiers of docs/examples: they agree on a real attestation, and each refuses what was tampered with."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from telefine_assets.attestation.attesting import claim_of
from telefine_assets.attestation.bundle import AttestationBundle, data_of, message_of
from telefine_assets.attestation.claim import Claim, HoldoutCommitment, Named
from telefine_assets.attestation.eas import Envelope, sign
from telefine_assets.attestation.export import export
from telefine_assets.attestation.files import ROWS
from telefine_assets.attestation.log import MerkleLog, leaf_hash
from telefine_assets.attestation.log_receipt import attestation_leaf, make_receipt, sign_head
from telefine_assets.attestation.log_records import Revocation
from telefine_assets.attestation.log_writing import say
from telefine_assets.attestation.reissued import REPLACED_STATEMENT, reissue_statement
from telefine_assets.attestation.signatures import CURVE_ORDER
from telefine_assets.attestation.signers import LocalKeySigner
from telefine_assets.attestation.snapshot import take_snapshot
from telefine_assets.attestation.statement import build_statement, derive_salt, evidence_digest, parse_statement
from telefine_assets.canonical import canonical_json, canonical_lines, sha256_hex
from telefine_assets_tests.attestation.test_reissued import reissued
from telefine_assets_tests.cli.attested_home import ALICE, BOB, MONDAY, SIGNER, TUESDAY, PaidHome, evidence_of
from telefine_assets_tests.deltaone.rows import rows
from telefine_assets_tests.payouts.test_plan import wallet
from telefine_assets_tests.test_docs import ROOT, blocks

FOLDER = ROOT / "docs" / "examples" / "verifying"
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs node: the verifier is JavaScript")
needs_tools = pytest.mark.skipif(
    not all(map(shutil.which, ("bash", "jq", "xxd", "sha256sum", "awk"))), reason="needs bash, jq, xxd and awk"
)
UNRESOLVED = None
CONTRIBUTORS = [ALICE, BOB, wallet(2), wallet(3), UNRESOLVED]
CLAIM = claim_of("triage", TUESDAY, evidence_of(TUESDAY, CONTRIBUTORS))


def by_python(folder: Path, trusted: str = SIGNER.address) -> str:
    """What verify.py says; its own process differs only in how it prints."""
    try:
        return str(verify_module().verify(folder, trusted))
    except Exception as error:  # noqa: BLE001 as the script itself does
        return f"NOT VERIFIED: {error}"


def verify_module():
    spec = importlib.util.spec_from_file_location("verify_example", FOLDER / "verify.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def by_javascript(folder: Path, trusted: str = SIGNER.address) -> str:
    done = subprocess.run(["node", FOLDER / "verify.mjs", folder, trusted], capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == done.stdout.startswith("verified: ")
    return (done.stdout or done.stderr).strip()


def by_hand(folder: Path) -> str:
    script = "".join(blocks(FOLDER / "by-hand.md", "bash"))
    done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else f"NOT VERIFIED: {done.stderr}"


WAYS = [by_python, pytest.param(by_javascript, marks=needs_node), pytest.param(by_hand, marks=needs_tools)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory):
    """Two attested days in one log; the second has four contributors and an unresolved one."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [each for each in os.environ if each.startswith("TELEFINE_")]:
            patch.delenv(name)
        made = PaidHome(tmp_path_factory.mktemp("paid"))
    made.attest(MONDAY, [ALICE, BOB])
    made.attest(TUESDAY, CONTRIBUTORS)
    return made


def exported(home: PaidHome, folder: Path, day: str = TUESDAY) -> Path:
    uid = home.records.read("triage", "attestations", day)["bundle"]
    export(folder, home.evidence.get(uid), home.trust(), SIGNER, home.evidence.get)
    return folder


@pytest.fixture(scope="module")
def real(home: PaidHome, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(home, tmp_path_factory.mktemp("out") / "tuesday")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("day", [MONDAY, TUESDAY])
def test_a_real_attestation_verifies(way, day, home, tmp_path):
    folder = exported(home, tmp_path / day, day)
    uid = json.loads((folder / "attestation.json").read_text())["envelope"]["sig"]["uid"]
    said = way(folder)
    assert uid in said and "NOT" not in said, said
    if way is not by_hand:
        assert said.endswith("triage: +12.50 points on 400 items, p = 4.00242E-10"), said


def statement_says_more(parts: dict) -> None:
    parts["statement"]["predicate"]["decision"]["deltaPpm"] += 1


def data_says_more(parts: dict) -> None:
    message = parts["envelope"]["sig"]["message"]
    start = 2 + 4 * 64
    message["data"] = message["data"][:start] + f"{999_999:064x}" + message["data"][start + 64 :]


def a_share_moves(parts: dict) -> None:
    shares = parts["statement"]["predicate"]["weights"]["contributors"]
    shares[0]["weightPpm"] -= 1
    shares[1]["weightPpm"] += 1


def another_uid(parts: dict) -> None:
    parts["envelope"]["sig"]["uid"] = "0x" + "1" * 64


def a_malleated_signature(parts: dict) -> None:
    signature = parts["envelope"]["sig"]["signature"]
    signature["s"] = f"0x{CURVE_ORDER - int(signature['s'], 16):064x}"
    signature["v"] = 55 - signature["v"]


def another_form_of_v(parts: dict) -> None:
    parts["envelope"]["sig"]["signature"]["v"] -= 27


def another_signature(parts: dict) -> None:
    parts["envelope"]["sig"]["signature"] = parts["receipt"]["head"]["signature"]


def another_place(parts: dict) -> None:
    parts["receipt"]["index"] -= 1


def a_place_beyond_the_head(parts: dict) -> None:
    parts["receipt"]["index"] = parts["receipt"]["head"]["size"]


TAMPERED = {
    statement_says_more: "the salt does not follow from the statement",
    a_share_moves: "the salt does not follow from the statement",
    data_says_more: "the uid is not that of the message",
    another_uid: "the uid is not that of the message",
    a_malleated_signature: "high s",
    another_form_of_v: "neither 27 nor 28",
    another_signature: "",  # It is somebody's, or nobody's.
    another_place: "the log has another leaf there",
    a_place_beyond_the_head: "the log lacks leaves",
}


def tampered(real: Path, folder: Path, change: Callable[[dict], None]) -> Path:
    shutil.copytree(real, folder)
    parts = json.loads((folder / "attestation.json").read_text())
    change(parts)
    (folder / "attestation.json").write_text(json.dumps(parts))
    return folder


@pytest.mark.parametrize("way", WAYS[:2])
@pytest.mark.parametrize("change", TAMPERED)
def test_a_tampered_attestation_does_not(way, change, real, tmp_path):
    said = way(tampered(real, tmp_path / "tampered", change))
    assert said.startswith("NOT VERIFIED: ") and TAMPERED[change] in said


@needs_tools
@pytest.mark.parametrize("change", [statement_says_more, a_share_moves, another_place])
def test_what_hands_can_see_they_refuse(change, real, tmp_path):
    assert by_hand(tampered(real, tmp_path / "tampered", change)).startswith("NOT VERIFIED: ")


@pytest.mark.parametrize("way", WAYS)
def test_one_changed_byte_of_evidence_does_not(way, real, tmp_path):
    folder = Path(shutil.copytree(real, tmp_path / "tampered"))
    for file in sorted((folder / "evidence").iterdir())[::3]:
        whole = file.read_bytes()
        file.write_bytes(whole[:-2] + bytes([whole[-2] ^ 1]) + whole[-1:])
        assert way(folder).startswith("NOT VERIFIED: ")
        file.write_bytes(whole)


@pytest.mark.parametrize("way", WAYS[:2])
def test_another_log_does_not(way, home, real, tmp_path):
    folder = Path(shutil.copytree(real, tmp_path / "tampered"))
    log = json.loads((folder / "log.json").read_text())
    (folder / "log.json").write_text(json.dumps(log | {"leaves": [*log["leaves"][:1] * 2, log["leaves"][2]]}))
    assert "the head is not that of the leaves" in way(folder)
    another = take_snapshot(home.trust().leaves.leaves(), home.trust().origin, LocalKeySigner("08" * 32))
    (folder / "log.json").write_bytes(another.to_bytes())
    assert "the log's head is signed by" in way(folder)


def signed(home: PaidHome, claim: Claim, **changes) -> bytes:
    """A bundle that the trusted key signed, whatever it says."""
    statement = build_statement(claim)
    digest = evidence_digest(statement)
    said = {"data": data_of(claim, digest).encode(), "salt": derive_salt(digest), **changes}
    envelope = sign(home.domain, replace(message_of(CLAIM), **said), SIGNER)
    receipt = home.records.read("triage", "attestations", TUESDAY)["bundle"]
    return replace(
        AttestationBundle.from_bytes(home.evidence.get(receipt)), envelope=envelope.to_json(), statement=statement
    ).to_bytes()


MESSAGES = {
    "it expires": {"expiration_time": 2**40},
    "recipient and reference must be empty": {"ref_uid": "0x" + "1" * 64},
    "its time is not the end of its day": {"time": 1},
    "another schema": {"schema": "0x" + "1" * 64},
    "the salt does not follow": {"salt": "0x" + "1" * 64},
    "the signed data says something else": {"data": data_of(CLAIM, "1" * 64).encode()},
}


@pytest.mark.parametrize("way", WAYS[:2])
@pytest.mark.parametrize("refusal", MESSAGES)
def test_an_odd_message_does_not_whoever_signed_it(way, refusal, home, real, tmp_path):
    folder = Path(shutil.copytree(real, tmp_path / "odd"))
    (folder / "attestation.json").write_bytes(signed(home, CLAIM, **MESSAGES[refusal]))
    assert way(folder).startswith(f"NOT VERIFIED: {refusal}")


def by(**changes) -> Claim:
    """A claim whose decision is another."""
    return replace(CLAIM, decision=replace(CLAIM.decision, **changes))


def on(wins: int, losses: int, ties: int, p: str) -> tuple[Claim, bytes]:
    """A claim that says truly what came of other items, and these."""
    items = rows(wins, losses, ties)
    content = canonical_lines(item.to_record() for item in items)
    file = next(each for each in CLAIM.evidence if each.name == ROWS)
    listed = [each for each in CLAIM.evidence if each != file]
    listed.append(replace(file, sha256=sha256_hex(content), size=len(content)))
    counted = {"n": len(items), "wins": wins, "losses": losses, "delta_ppm": (wins - losses) * 10**6 // len(items)}
    digest = sha256_hex(canonical_json(sorted(item.item for item in items)))
    return replace(
        by(**counted, p=p),
        holdout=HoldoutCommitment(digest, len(items)),
        evidence=tuple(sorted(listed, key=lambda each: each.name)),
    ), content


LESS = replace(CLAIM.weights, contributors=CLAIM.weights.contributors[1:])
LIES = {
    "the rows give": by(delta_ppm=200_000),
    "by chance with p": by(p="0.001"),
    "other items": replace(CLAIM, holdout=replace(CLAIM.holdout, digest="1" * 64)),
    "another baseline": replace(CLAIM, baseline_version="1" * 64),
    "another candidate": replace(CLAIM, candidate_version="1" * 64),
    "another root of the shares": replace(CLAIM, payout_root="0x" + "1" * 64),
    "the shares sum to": replace(CLAIM, weights=LESS),
    "the gain is below one point": on(3, 1, 396, "0.3125"),
    "it may be chance": on(6, 1, 93, "0.0625"),
}


@pytest.mark.parametrize("way", WAYS[:2])
@pytest.mark.parametrize("refusal", LIES)
def test_a_signed_lie_does_not(way, refusal, home, real, tmp_path):
    folder = Path(shutil.copytree(real, tmp_path / "lied"))
    claim, content = LIES[refusal] if isinstance(LIES[refusal], tuple) else (LIES[refusal], b"")
    (folder / "evidence" / sha256_hex(content)).write_bytes(content)
    (folder / "attestation.json").write_bytes(signed(home, claim))
    assert way(folder).startswith(f"NOT VERIFIED: {refusal}")


def logged(home: PaidHome, claim: Claim) -> bytes:
    """The bundle of a signed claim that stands in the log too."""
    bundle, leaves = AttestationBundle.from_bytes(signed(home, claim)), home.trust().leaves
    index = leaves.append(message_of(claim).uid, attestation_leaf(Envelope.from_json(bundle.envelope)))
    log = MerkleLog(map(leaf_hash, leaves.leaves()))
    return bundle.with_receipt(make_receipt(log, index, sign_head(log, home.trust().origin, SIGNER))).to_bytes()


AGAIN = reissued(evidence_of(TUESDAY, CONTRIBUTORS), CLAIM)
AGAIN_CLAIM = claim_of("triage", TUESDAY, AGAIN)
UID = message_of(CLAIM).uid


def refused_again() -> dict[str, tuple[Claim, dict[str, bytes]]]:
    """Claims that are issued again, and should not be, signed by the trusted key all the same."""
    lower = build_statement(replace(CLAIM, decision=replace(CLAIM.decision, delta_ppm=10_000)))
    smaller = build_statement(replace(CLAIM, decision=replace(CLAIM.decision, lower_ppm=0)))
    told = {}
    for what, stated in (("deltaPpm is more", lower), ("lowerPpm is more", smaller), ("the statement that it", lower)):
        content = reissue_statement(stated, "a label was wrong")
        file = next(each for each in AGAIN_CLAIM.evidence if each.name == REPLACED_STATEMENT)
        others = [each for each in AGAIN_CLAIM.evidence if each != file]
        listed = sorted([*others, replace(file, sha256=sha256_hex(content), size=len(content))], key=lambda at: at.name)
        named = UID if what.startswith("the") else message_of(parse_statement(stated)).uid
        told[what] = (replace(AGAIN_CLAIM, replaces=(named,), evidence=tuple(listed)), {REPLACED_STATEMENT: content})
    return told


@pytest.mark.parametrize("way", WAYS[:2])
def test_a_revoked_attestation_does_not_and_what_replaces_it_does(way, tmp_path):
    home = PaidHome(tmp_path)
    home.attest(MONDAY, [ALICE, BOB])
    uid, other = home.attest(TUESDAY, CONTRIBUTORS), home.records.read("triage", "attestations", MONDAY)["uid"]
    lies = refused_again()
    for content in [*AGAIN.values(), *(each for _, files in lies.values() for each in files.values())]:
        home.evidence.put(content)

    def revoke(which: str, reason: str) -> None:
        say(home.trust().leaves, home.trust().origin, SIGNER, lambda state: [Revocation(which, reason)])

    def said_of(name: str, bundle: bytes) -> str:
        export(tmp_path / name, bundle, home.trust(), SIGNER, home.evidence.get)
        return way(tmp_path / name)

    revoke(other, f"signed by mistake beside {uid}, which stands")
    assert "NOT" not in way(exported(home, tmp_path / "stands"))
    # Words of a reason revoke nothing.
    assert "which was not revoked before" in said_of("beside", logged(home, AGAIN_CLAIM))
    revoke(uid, "a label was wrong")
    assert "the log has a revocation of it" in way(exported(home, tmp_path / "revoked"))
    assert said_of("again", logged(home, replace(AGAIN_CLAIM, lm=Named("another", "1" * 64)))).startswith("verified: ")
    for why, (claim, _) in lies.items():
        assert said_of(why.replace(" ", "-"), logged(home, claim)).startswith(f"NOT VERIFIED: {why}")


@pytest.mark.parametrize("way", WAYS[:2])
def test_the_signer_is_whom_the_reader_trusts_and_not_whom_the_file_names(way, real):
    assert "signed by" in way(real, ALICE)


def test_they_import_nothing_of_telefine():
    sources = [path.read_text() for path in (FOLDER / "verify.py", FOLDER / "verify.mjs")]
    assert not [line for text in sources for line in text.splitlines() if re.match(r"(import|from) .*telefine_", line)]
