"""The proof that a trace is in the trainset that an attestation commits to, for its contributor to keep.

``tracesetRoot`` is the RFC 6962 root over the lines of ``trainset.jsonl``. With
its line and the path to that root a contributor shows that his trace was learnt
from, without the other lines and without our help. The root binds the line alone:
index and size say how the path is to be read, and some others read it the same way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from telefine_assets.attestation.log import MerkleLog, leaf_hash, verify_inclusion
from telefine_assets.attribution.records import Fields, RecordError, load_json
from telefine_assets.canonical import canonical_json
from telefine_assets.errors import TelefineError

_DIGEST = re.compile("[0-9a-f]{64}")
_UID = re.compile("0x[0-9a-f]{64}")
_LAST = 2**53 - 1
_MAX_DEPTH = 64


class TraceProofError(TelefineError):
    """A trace is not in a trainset, or a proof does not show that it is.

    Attributes:
        code: why, as a stable code: ``trace_unknown``, ``wrong_attestation``, ``wrong_root`` or ``proof_invalid``.
    """

    def __init__(self, code: str, problem: str) -> None:
        super().__init__(f"{code}: {problem}")
        self.code = code


@dataclass(frozen=True)
class TraceProof:
    """That a line is in the trainset of an attestation.

    Attributes:
        line: the trace's line of ``trainset.jsonl``, without its end.
        index: the line's number, from 0.
        size: how many lines there are.
        proof: the audit path, from the leaf up, 64 digits each (RFC 6962, 2.1.1).
        root: the attestation's ``tracesetRoot``, 64 digits.
        uid: the attestation.
    """

    line: str
    index: int
    size: int
    proof: tuple[str, ...]
    root: str
    uid: str

    @property
    def trace_id(self) -> str:
        """The trace that the line is about.

        Raises:
            RecordError: the line is no line of a trainset.
        """
        line = load_json(self.line.encode(), "proof.line")
        if not isinstance(line, dict) or not isinstance(line.get("trace_id"), str):
            raise RecordError("proof.line", "is no line of a trainset: it has no trace_id")
        return str(line["trace_id"])

    def to_bytes(self) -> bytes:
        """The proof's canonical bytes."""
        return canonical_json({**vars(self), "proof": list(self.proof)})

    @classmethod
    def from_bytes(cls, data: bytes) -> TraceProof:
        """Read what ``to_bytes`` wrote.

        Raises:
            RecordError: a field is missing, unknown or wrong.
        """
        fields = Fields(load_json(data, "proof"), "proof")
        proof = cls(
            fields.text("line"),
            fields.integer("index", 0, _LAST),
            fields.integer("size", 1, _LAST),
            fields.texts("proof"),
            fields.text("root", _DIGEST, "64 hexadecimal digits"),
            fields.text("uid", _UID, "0x and 64 hexadecimal digits"),
        )
        fields.done()
        if len(proof.proof) > _MAX_DEPTH or not all(_DIGEST.fullmatch(each) for each in proof.proof):
            raise RecordError("proof.proof", f"expected up to {_MAX_DEPTH} times 64 hexadecimal digits")
        return proof


def prove(trainset: bytes, trace_id: str, uid: str) -> TraceProof:
    """The proof for a trace.

    Args:
        trainset: ``trainset.jsonl`` of the attestation's evidence.
        trace_id: the trace.
        uid: the attestation.

    Raises:
        TraceProofError: the trainset has no such trace.
    """
    lines = trainset.splitlines()
    # Only lines in which the id stands are parsed.
    about = [index for index, line in enumerate(lines) if trace_id.encode() in line and _trace_of(line) == trace_id]
    if not about:
        raise TraceProofError(
            "trace_unknown",
            f"trace {trace_id!r} is not in the trainset of {uid}; see what became of it with: telefine traces why",
        )
    log = MerkleLog(map(leaf_hash, lines))
    path = tuple(node.hex() for node in log.inclusion_proof(about[0]))
    return TraceProof(lines[about[0]].decode(), about[0], len(lines), path, log.root().hex(), uid)


def check(proof: TraceProof, uid: str, root: str) -> str:
    """Check a proof against an attestation that was verified; returns the trace's id.

    Args:
        proof: the proof.
        uid: of the attestation.
        root: its ``tracesetRoot``.

    Raises:
        TraceProofError: it is of another attestation, or does not hold.
        RecordError: its line is no line of a trainset.
    """
    if proof.uid != uid:
        raise TraceProofError("wrong_attestation", f"the proof is for {proof.uid}, the attestation is {uid}")
    if proof.root != root:
        raise TraceProofError("wrong_root", f"the proof is under {proof.root}, the attestation says {root}")
    path = [bytes.fromhex(each) for each in proof.proof]
    leaf = leaf_hash(proof.line.encode())
    if not verify_inclusion(leaf, proof.index, proof.size, path, bytes.fromhex(root)):
        raise TraceProofError("proof_invalid", f"the line is not number {proof.index} of {proof.size} under that root")
    return proof.trace_id


def _trace_of(line: bytes) -> Any:
    return load_json(line, "trainset").get("trace_id")
