"""The garbage collection: nothing that anything reaches is ever removed, everything else that is old is."""

import json
import os
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telefine_assets.canonical import canonical_json, sha256_hex
from telefine_assets.ledger.audit import Audit
from telefine_assets.ledger.champions import Champions
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.log import LogLeaves
from telefine_assets.ledger.payouts import Payouts
from telefine_assets.ledger.records import AuditEntry, Promotion, Token
from telefine_assets.ledger.texts import texts
from telefine_assets.store import garbage as room
from telefine_assets.store.evidence import EvidenceStore
from telefine_assets.store.files import Files
from telefine_assets.store.garbage import find_garbage, mentioned, remove_garbage
from telefine_assets.store.records import RecordStore
from telefine_assets.store.tables import TableStore

LATER = datetime.now(UTC) + timedelta(days=1)
EARLIER = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture(params=["local", "memory"])
def files(request, tmp_path):
    return Files(str(tmp_path / "store") if request.param == "local" else f"memory://{uuid4().hex}")


def kept(files: Files) -> set[str]:
    return {name.rsplit("/", 1)[-1] for name in files.walk("evidence")}


def collect(files: Files, named=(), before=LATER):
    found = find_garbage(files, named, before)
    remove_garbage(files, found, before)
    return found


# Node i may name nodes above it: a digest can only be in what was written after the file that it names.
GRAPHS = st.integers(1, 12).flatmap(
    lambda count: st.tuples(
        st.tuples(*(st.sets(st.integers(0, i - 1)) if i else st.just(set()) for i in range(count))),
        *(st.sets(st.integers(0, count - 1), max_size=3) for _ in range(4)),
        st.sampled_from(["{}", "0x{}", "x{}y", "f{}0", "\n{}\n"]),
        st.booleans(),
    )
)


@given(GRAPHS)
@settings(deadline=None, max_examples=150)
def test_exactly_what_nothing_reaches_is_removed(graph):
    edges, in_records, in_ledger, in_tables, bundles, form, upper = graph
    files = Files(f"memory://{uuid4().hex}")
    evidence, digests = EvidenceStore(files), []
    for number, named in enumerate(edges):
        mentions = [form.format(digests[each].upper() if upper else digests[each]) for each in sorted(named)]
        parts = {"number": number, "names": mentions}
        if number in bundles:
            parts |= {"envelope": {}, "statement": {}}
        digests.append(evidence.put(canonical_json(parts)))
    for each in in_records:
        RecordStore(files).write(f"gone-{each}", "any_stage", "2026-11-02", {"evidence": {"a": digests[each]}})
    references = [f"telefine-blob:sha256:{digests[each]};image/png" for each in in_tables]
    if references:
        rows = pa.table({"inputs": pa.array(references), "size": pa.array([1] * len(references))})
        TableStore(files).write("p", "traces", "2026-11-02", rows)

    reached, waiting = set(), [*in_records, *in_ledger, *in_tables, *bundles]
    while waiting:
        node = waiting.pop()
        if node not in reached:
            reached.add(node)
            waiting += edges[node]
    found = collect(files, [form.format(digests[each]) for each in in_ledger])
    assert kept(files) == {digests[each] for each in reached}
    assert (len(found.digests), found.kept, found.young) == (len(edges) - len(reached), len(reached), 0)


def test_finding_changes_nothing_and_says_how_much_there_is(files):
    digests = sorted(EvidenceStore(files).put(content) for content in (b"four", b"other"))
    found = find_garbage(files, [], LATER)
    assert (found.digests, found.size) == (tuple(digests), 9)
    assert found.digest() == sha256_hex(f"{digests[0]}\n{digests[1]}\n".encode())
    assert kept(files) == set(digests)


def test_what_was_written_lately_stays(files):
    EvidenceStore(files).put(b"a stage that is running has written this and not named it yet")
    found = collect(files, before=EARLIER)
    assert (found.digests, found.young, len(kept(files))) == ((), 1, 1)


def test_what_is_put_again_after_it_was_found_stays(tmp_path):
    files = Files(str(tmp_path))
    evidence = EvidenceStore(files)
    digest = evidence.put(b"old")
    week = datetime.now(UTC) - timedelta(days=7)
    os.utime(files.path(EvidenceStore.name(digest)), (0, 0))
    found = find_garbage(files, [], week)
    evidence.put(b"old")
    assert found.digests == (digest,)
    assert remove_garbage(files, found, week) == 0
    assert evidence.get(digest) == b"old"


def test_what_is_gone_already_does_no_harm(files):
    digest = EvidenceStore(files).put(b"x")
    found = find_garbage(files, [], LATER)
    files.remove(EvidenceStore.name(digest))
    assert remove_garbage(files, found, LATER) == 0


def test_files_that_are_no_evidence_are_left_alone(files):
    others = ["evidence/notes.txt", f"evidence/00/{'1' * 64}", "records/p/s/d.json", "elsewhere/x"]
    for name in others:
        files.write(name, b"mine")
    collect(files)
    assert all(files.exists(name) for name in others)


def test_a_store_that_holds_nothing_has_no_garbage(files):
    assert find_garbage(files, [], LATER).digests == ()


@pytest.mark.parametrize(
    "content", [b'{"envelope":1,"other":2}', b'["envelope","statement"]', b'{"envelope""statement"']
)
def test_what_only_resembles_an_attestation_is_none(files, content):
    EvidenceStore(files).put(content)
    assert len(collect(files).digests) == 1


def test_a_digest_is_seen_wherever_a_chunk_ends(files, monkeypatch):
    monkeypatch.setattr(room, "_CHUNK", 64)
    evidence = EvidenceStore(files)
    for before in range(64):
        leaf = evidence.put(b"leaf %d" % before)
        holder = evidence.put(b"-" * before + leaf.encode() + b"-")
        found = find_garbage(files, [holder], LATER)
        assert leaf not in found.digests


def test_every_window_of_a_long_run_is_a_mention():
    run = "0123456789abcdef" * 5
    assert list(mentioned(run.upper().encode())) == [run[start : start + 64] for start in range(17)]


def test_only_what_a_table_refers_to_is_reached(files):
    evidence = EvidenceStore(files)
    picture, other = evidence.put(b"picture"), evidence.put(b"other")
    inputs = json.dumps({"image": f"telefine-blob:sha256:{picture};image/png"})
    TableStore(files).write("p", "traces", "2026-11-02", pa.table({"inputs": [None, inputs], "digest": [other, other]}))
    assert collect(files).digests == (other,)


def test_every_text_of_the_ledger_is_a_root(tmp_path):
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    plan, leaf, detail = ("1" * 64, "0x" + "2" * 64, "3" * 64)
    Champions(ledger).promote(Promotion("p", "2026-11-02", "v1", "v0", "0xa"), LATER)
    paid = {"pool": 1, "plan": plan, "token": Token("TOKEN", 18), "lines": {"0xb": 1}}
    Payouts(ledger).record(attestation="0xa", program="p", day="2026-11-02", **paid)
    LogLeaves(ledger).append(leaf, b"leaf")
    Audit(ledger).append(AuditEntry("me", "sent", "p", {"receipt": detail}), LATER)
    found = {each for text in texts(ledger, 64) for each in mentioned(text.encode())}
    assert {plan, leaf[2:], detail} <= found
