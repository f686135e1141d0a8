"""Evidence: found by its digest, refused when its bytes changed."""

import hashlib
import os
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.store.evidence import EvidenceError, EvidenceStore
from telefine_assets.store.files import Files


@pytest.fixture
def files(tmp_path):
    return Files(str(tmp_path))


@pytest.fixture
def evidence(files):
    return EvidenceStore(files)


def stored_at(files: Files, digest: str) -> Path:
    return Path(files.path(EvidenceStore.name(digest)))


@given(st.binary(max_size=200))
def test_evidence_is_found_by_its_sha256(content):
    evidence = EvidenceStore(Files(f"memory://{uuid4().hex}"))
    digest = evidence.put(content)
    assert digest == hashlib.sha256(content).hexdigest()
    assert evidence.get(digest) == content


def test_the_same_evidence_is_written_once(evidence, files):
    digest = evidence.put(b"report")
    os.utime(stored_at(files, digest), (0, 0))
    before = stored_at(files, digest).stat().st_ino
    assert evidence.put(b"report") == digest
    after = stored_at(files, digest).stat()
    assert after.st_ino == before
    # It looks new, though: what somebody is about to name is no garbage.
    assert after.st_mtime > 0


@pytest.mark.parametrize("changed", [b"Report", b"report ", b"", b"repor"])
def test_changed_evidence_is_refused(evidence, files, changed):
    digest = evidence.put(b"report")
    stored_at(files, digest).write_bytes(changed)
    with pytest.raises(EvidenceError, match=f"evidence {digest} was changed"):
        evidence.get(digest)


def test_changed_evidence_is_healed_by_the_stage_that_makes_it_again(evidence, files):
    digest = evidence.put(b"report")
    stored_at(files, digest).write_bytes(b"forged")
    assert evidence.put(b"report") == digest
    assert evidence.get(digest) == b"report"


def test_missing_evidence_says_so(evidence):
    with pytest.raises(EvidenceError, match=f"evidence {'0' * 64} is missing; restore it or materialise"):
        evidence.get("0" * 64)


def test_a_verifier_gets_what_is_there_to_hash_it_itself(evidence, files):
    digest = evidence.put(b"report")
    stored_at(files, digest).write_bytes(b"forged")
    assert evidence.find(digest) == b"forged"
    assert evidence.find("0" * 64) is None
