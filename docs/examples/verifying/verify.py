"""Verify an exported attestation without Telefine: ``python verify.py FOLDER SIGNER``.

FOLDER is what ``telefine attest export`` wrote; SIGNER is the address that you trust, which you
know from somewhere else. Needs ``pip install eth-account rfc8785``, and nothing of Telefine's.
Exits with 1, and says why, at the first thing that is not as it must be.

Checked: statement, envelope, signature, evidence, result, shares and their root, the place in the log, and
that the log names no revocation. Not checked, because they need more than a page of code: that the shares follow
from the evidence, p-values of other tests than McNemar's, key changes and cosignatures, and who signed a revocation.
``telefine attest verify`` checks these as well. Evidence that was erased on somebody's request is missing here.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from datetime import date
from math import comb
from pathlib import Path
from typing import Any

import rfc8785
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

SCHEMA = (
    "bytes32 programDigest,bytes32 baselineDigest,bytes32 evidenceDigest,bytes32 payoutRoot,"
    "int32 deltaPpm,int32 deltaLowerPpm,uint32 holdoutSize,address[] contributors,uint32[] weightsPpm"
)
ATTEST = "version:uint16 schema:bytes32 recipient:address time:uint64 expirationTime:uint64 revocable:bool"
ATTEST += " refUID:bytes32 data:bytes salt:bytes32"
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
DAY = 86_400


class NotVerified(Exception):
    """The attestation is not what it says."""


def require(holds: bool, what: str) -> None:
    """Stop at the first thing that does not hold."""
    if not holds:
        raise NotVerified(what)


def sha256(data: bytes) -> str:
    """64 lower-case digits."""
    return hashlib.sha256(data).hexdigest()


def raw(text: str) -> bytes:
    """The bytes of a 0x string."""
    return bytes.fromhex(text.removeprefix("0x"))


def signer_of(kind: str, fields: str, domain: dict[str, Any], message: dict[str, Any], signature: Any) -> str:
    """Who signed EIP-712 typed data; of the two signatures that anybody can make of one, only that with the low s."""
    require(int(signature["s"], 16) <= CURVE_ORDER // 2, f"{kind}: the signature has a high s")
    require(signature["v"] in (27, 28), f"{kind}: the signature's v is neither 27 nor 28")
    text = {"name": "string", "version": "string", "chainId": "uint256", "verifyingContract": "address"}
    types = {
        "EIP712Domain": [{"name": name, "type": text[name]} for name in text if name in domain],
        kind: [dict(zip(("name", "type"), field.split(":"), strict=True)) for field in fields.split()],
    }
    full = {"types": types, "primaryType": kind, "domain": domain, "message": message}
    parts = (signature["v"], int(signature["r"], 16), int(signature["s"], 16))
    return str(Account.recover_message(encode_typed_data(full_message=full), vrs=parts))


def check_envelope(envelope: dict[str, Any], statement: dict[str, Any], trusted: str) -> None:
    """The EAS off-chain attestation (version 2) of the statement, signed by whom you trust."""
    sig = envelope["sig"]
    message = {**sig["message"], "time": int(sig["message"]["time"]), "expirationTime": 0}
    require(sig["message"]["expirationTime"] == "0", "it expires")
    require(int(message["recipient"] + message["refUID"][2:], 16) == 0, "recipient and reference must be empty")
    day = date.fromisoformat(statement["predicate"]["partition"])
    require(message["time"] == (day - date(1970, 1, 1)).days * DAY + DAY, "its time is not the end of its day")
    require(message["schema"] == "0x" + keccak(SCHEMA.encode() + bytes(20) + b"\1").hex(), "another schema")
    require(message["salt"] == salt_of(statement), "the salt does not follow from the statement")
    require(sig["uid"] == uid_of(message), "the uid is not that of the message")
    domain = {**sig["domain"], "chainId": int(sig["domain"]["chainId"])}
    signer = signer_of("Attest", ATTEST, domain, message, sig["signature"])
    require(signer == envelope["signer"] == trusted, f"signed by {signer}, not by {trusted}")


def salt_of(statement: dict[str, Any]) -> str:
    """The salt that binds an attestation's uid to the whole statement."""
    return "0x" + sha256(b"https://telefine.dev/attestation-salt/v1\0" + raw(sha256(rfc8785.dumps(statement))))


def uid_of(message: dict[str, Any]) -> str:
    """The uid that EAS gives a message."""
    packed = (
        (2).to_bytes(2, "big") + message["schema"].encode() + raw(message["recipient"]) + bytes(20)
        + int(message["time"]).to_bytes(8, "big") + bytes(8) + bytes([message["revocable"]]) + raw(message["refUID"])
        + raw(message["data"]) + raw(message["salt"]) + bytes(4)
    )  # fmt: skip
    return "0x" + keccak(packed).hex()


def data_of(statement: dict[str, Any]) -> bytes:
    """What a contract reads of a statement, ABI-encoded."""
    said, shares = statement["predicate"], statement["predicate"]["weights"]["contributors"]
    numbers = [said["decision"]["deltaPpm"], said["decision"]["lowerPpm"], said["holdout"]["n"]]
    expected = [raw(statement["subject"][0]["digest"]["sha256"]), raw(said["baselineVersion"])]
    expected += [hashlib.sha256(rfc8785.dumps(statement)).digest(), raw(said["payoutRoot"])]
    expected += [number.to_bytes(32, "big", signed=True) for number in (*numbers, 9 * 32, (10 + len(shares)) * 32)]
    expected += [len(shares).to_bytes(32, "big"), *(raw(each["address"]).rjust(32, b"\0") for each in shares)]
    expected += [len(shares).to_bytes(32, "big"), *(each["weightPpm"].to_bytes(32, "big") for each in shares)]
    return b"".join(expected)


def read_evidence(folder: Path, statement: dict[str, Any]) -> dict[str, bytes]:
    """The files that the statement commits to, by name."""
    files = {}
    for each in statement["predicate"]["evidence"]:
        content = (folder / "evidence" / each["sha256"]).read_bytes()
        require(sha256(content) == each["sha256"], f"{each['name']} was changed")
        files[each["name"]] = content
    return files


def check_result(statement: dict[str, Any], files: dict[str, bytes]) -> None:
    """The gain follows from the scores of every item, and is one: beyond a point, and beyond chance."""
    said, decision = statement["predicate"], statement["predicate"]["decision"]
    require(sha256(files["candidate.json"]) == statement["subject"][0]["digest"]["sha256"], "another candidate")
    require(sha256(files["baseline.json"]) == said["baselineVersion"], "another baseline")
    rows = [json.loads(line) for line in files["rows.jsonl"].splitlines()]
    require(said["holdout"]["digest"] == sha256(rfc8785.dumps(sorted(row["item"] for row in rows))), "other items")
    sign = 1 if json.loads(files["report.json"])["decision"]["direction"] == "higher" else -1
    pairs = [(row["candidate_ppm"], row["baseline_ppm"]) for row in rows]
    gains = [sign * (one - other) for one, other in pairs if one is not None and other is not None]
    found = (len(gains), sum(gain > 0 for gain in gains), sum(gain < 0 for gain in gains), sum(gains) // len(gains))
    stated = tuple(decision[name] for name in ("n", "wins", "losses", "deltaPpm"))
    require(found == stated, f"the rows give n, wins, losses and gain {found}, not {stated}")
    require(decision["deltaPpm"] >= 10_000, "the gain is below one point")
    if decision["method"] == "mcnemar_exact":
        tried = decision["wins"] + decision["losses"]
        chance = sum(comb(tried, wins) for wins in range(decision["wins"], tried + 1)) / 2**tried
        # p is stated to six digits.
        require(
            abs(chance - float(decision["p"])) <= chance / 10_000, f"by chance with p = {chance}, not {decision['p']}"
        )
    require(float(decision["p"]) < _ratio(decision["alpha"]), "it may be chance")


def check_replaced(message: dict[str, Any], statement: dict[str, Any], files: dict[str, bytes]) -> None:
    """What was issued again is about the same day and items, and is not more than what was revoked."""
    replaced, said = json.loads(files["replaced/statement.json"])["statement"], statement["predicate"]
    uid = uid_of({**message, "salt": salt_of(replaced), "data": "0x" + data_of(replaced).hex()})
    require(said["replaces"][-1] == uid, f"the statement that it replaces is that of {uid}")
    before = replaced["predicate"]
    for name in ("partition", "baselineVersion", "holdout", "metric"):
        require(said[name] == before[name], f"what it replaces has another {name}")
    for name in ("deltaPpm", "lowerPpm"):
        require(said["decision"][name] <= before["decision"][name], f"{name} is more than it was before")


def check_shares(predicate: dict[str, Any]) -> None:
    """The shares are a million parts with what is in escrow, and have the root that pays them."""
    weights = predicate["weights"]
    total = sum(each["weightPpm"] for each in (*weights["contributors"], *weights["escrow"]))
    require(total == (0 if weights["reason"] else 1_000_000), f"the shares sum to {total}")
    lines = [(raw(each["address"]), each["weightPpm"]) for each in weights["contributors"]]
    parts = [wallet.rjust(32, b"\0") + share.to_bytes(32, "big") for wallet, share in lines]
    # OpenZeppelin's StandardMerkleTree: an array with the leaves last, in descending order; the last two that
    # have no parent yet are the next pair, and their parent comes before all that are left.
    nodes = sorted((keccak(keccak(part)) for part in parts), reverse=True)
    for _ in range(len(parts) - 1):
        *nodes, one, other = nodes
        nodes.insert(0, keccak(min(one, other) + max(one, other)))
    require(predicate["payoutRoot"] == "0x" + (nodes[0] if nodes else bytes(32)).hex(), "another root of the shares")


def check_log(bundle: dict[str, Any], log: dict[str, Any], trusted: str) -> None:
    """The attestation stands in the log (RFC 6962) under signed heads, and the log names no revocation of it."""
    sig, receipt = bundle["envelope"]["sig"], bundle["receipt"]
    entry = {"kind": "telefine.attestation/v1", "uid": sig["uid"], "signer": trusted, "domain": sig["domain"]}
    leaves = [raw(leaf) for leaf in log["leaves"]]
    inside = 0 <= receipt["index"] < receipt["head"]["size"] <= log["head"]["size"] == len(leaves)
    require(inside, "the log lacks leaves")
    require(leaves[receipt["index"]] == rfc8785.dumps(entry), "the log has another leaf there")
    for head in (receipt["head"], log["head"]):
        message = {name: head[name] for name in ("origin", "size", "root")}
        domain = {"name": "Telefine Transparency Log", "version": "1"}
        signer = signer_of("TreeHead", "origin:string size:uint64 root:bytes32", domain, message, head["signature"])
        require(signer == trusted, f"the log's head is signed by {signer}")
        require(head["root"] == "0x" + tree_root(leaves[: head["size"]]).hex(), "the head is not that of the leaves")
    require(not _revoked(sig["uid"], leaves), "the log has a revocation of it; `telefine attest log` tells more")
    for uid in bundle["statement"]["predicate"].get("replaces", []):
        require(_revoked(uid, leaves[: receipt["index"]]), f"it replaces {uid}, which was not revoked before")


def _revoked(uid: str, leaves: Sequence[bytes]) -> bool:
    return any(_revocation(leaf) == uid for leaf in leaves)


def _revocation(leaf: bytes) -> str | None:
    """Which uid a leaf revokes; a reason may mention any other."""
    try:
        said = json.loads(leaf)
    except ValueError:
        return None
    kind, record = (said.get("kind"), said.get("record")) if isinstance(said, dict) else (None, None)
    named = kind == "telefine.revocation/v1" and isinstance(record, dict)
    return record.get("uid") if named else None


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """The Merkle tree hash of RFC 6962, section 2.1."""
    if len(leaves) < 2:
        return hashlib.sha256(b"\0" + leaves[0] if leaves else b"").digest()
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + tree_root(leaves[:half]) + tree_root(leaves[half:])).digest()


def _ratio(text: str) -> float:
    above, _, below = text.partition("/")
    return float(above) / float(below or 1)


def verify(folder: Path, trusted: str) -> str:
    """Verify the attestation in a folder; returns what it says."""
    bundle, log = (json.loads((folder / name).read_bytes()) for name in ("attestation.json", "log.json"))
    envelope, statement = bundle["envelope"], bundle["statement"]
    check_envelope(envelope, statement, to_checksum_address(trusted))
    message, files = envelope["sig"]["message"], read_evidence(folder, statement)
    require(raw(message["data"]) == data_of(statement), "the signed data says something else than the statement")
    check_result(statement, files)
    if "replaces" in statement["predicate"]:
        check_replaced(message, statement, files)
    check_shares(statement["predicate"])
    check_log(bundle, log, envelope["signer"])
    decision = statement["predicate"]["decision"]
    points = f"{decision['deltaPpm'] / 10_000:+.2f} points on {decision['n']} items"
    return f"verified: {envelope['sig']['uid']}\n{statement['subject'][0]['name']}: {points}, p = {decision['p']}"


if __name__ == "__main__":
    try:
        print(verify(Path(sys.argv[1]), sys.argv[2]))
    except NotVerified as error:
        sys.exit(f"NOT VERIFIED: {error}")
    except Exception as error:  # noqa: BLE001 whatever it is, nothing was verified
        sys.exit(f"NOT VERIFIED: cannot be read: {error!r}")
