"""The proof that a trace is in a trainset: it holds for its line, and for nothing else."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.attestation.files import traceset_root
from telefine_assets.attestation.trace_proof import TraceProof, TraceProofError, check, prove
from telefine_assets.attribution.records import RecordError
from telefine_assets.canonical import canonical_json, canonical_lines

UID = "0x" + "1" * 64


def trainset(count: int) -> bytes:
    return canonical_lines({"trace_id": f"tr-{number}", "note": f"tr-{number + 1}"} for number in range(count))


@given(st.integers(1, 40).flatmap(lambda count: st.tuples(st.just(count), st.integers(0, count - 1))))
def test_every_trace_has_a_proof_that_holds_and_survives_being_written(case):
    count, number = case
    made = TraceProof.from_bytes(prove(trainset(count), f"tr-{number}", UID).to_bytes())
    assert (made.index, made.size) == (number, count)
    assert check(made, UID, traceset_root(trainset(count))) == f"tr-{number}"


def test_a_trace_that_is_only_mentioned_is_not_in_the_trainset():
    with pytest.raises(TraceProofError, match="'tr-5' is not in the trainset"):
        prove(trainset(5), "tr-5", UID)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"line": '{"trace_id":"tr-9"}'}, "proof_invalid"),
        ({"index": 2}, "proof_invalid"),
        ({"size": 4}, "proof_invalid"),
        ({"proof": ()}, "proof_invalid"),
        ({"proof": ("0" * 64,) * 3}, "proof_invalid"),
        ({"root": "0" * 64}, "wrong_root"),
        ({"uid": "0x" + "2" * 64}, "wrong_attestation"),
    ],
)
def test_a_changed_proof_does_not_hold(change, code):
    made = prove(trainset(7), "tr-3", UID)
    with pytest.raises(TraceProofError, match=f"^{code}"):
        check(replace(made, **change), UID, traceset_root(trainset(7)))


@pytest.mark.parametrize(
    "change",
    [
        {"index": "3"},
        {"index": -1},
        {"size": True},
        {"proof": ["zz"]},
        {"proof": ["0" * 64] * 65},
        {"root": "0x" + "0" * 64},
        {"uid": "1"},
        {"more": 1},
    ],
)
def test_what_is_no_proof_is_refused(change):
    record = json.loads(prove(trainset(7), "tr-3", UID).to_bytes()) | change
    with pytest.raises(RecordError):
        TraceProof.from_bytes(canonical_json(record))


@pytest.mark.parametrize("line", [b"7", b'{"trace_id":7}', b"{", b"[]"])
def test_a_line_that_is_none_of_a_trainset_proves_nothing(line):
    made = replace(prove(trainset(1), "tr-0", UID), line=line.decode(), root=traceset_root(line))
    with pytest.raises(RecordError):
        check(made, UID, traceset_root(line))
