"""What a store promises holds in a bucket too: whole files, listings of now, evidence, backups and retention."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from uuid import uuid4

import pytest

from telefine_assets.keeping.vault import Vault
from telefine_assets.store.evidence import EvidenceStore
from telefine_assets.store.files import Files
from telefine_assets.store.garbage import find_garbage, remove_garbage
from telefine_assets.store.kept import keep_from, kept_from
from telefine_assets.store.records import RecordStore
from telefine_assets_tests.s3_server import BUCKET, s3_server

NEVER = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with s3_server() as environment, pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        yield f"s3://{BUCKET}"


@pytest.fixture(params=["local", "s3"])
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place that is empty."""
    if request.param == "local":
        return str(tmp_path / "store")
    return f"{request.getfixturevalue('bucket')}/{uuid4().hex}"


@pytest.fixture
def files(uri: str) -> Files:
    return Files(uri)


class Elsewhere:
    """Another machine, which writes without this process knowing."""

    def __init__(self, files: Files) -> None:
        self._path = files.path

    def write(self, name: str, content: bytes) -> None:
        if self._path("").startswith("/"):
            path = Path(self._path(name))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            return
        import boto3

        place, _, key = self._path(name).partition("/")
        boto3.client("s3").put_object(Bucket=place, Key=key, Body=content)


def test_a_file_is_written_read_replaced_and_removed(files: Files) -> None:
    files.write("a/b/c", b"\x00\xff content")
    assert (files.read("a/b/c"), files.size("a/b/c"), files.exists("a/b/c")) == (b"\x00\xff content", 10, True)
    files.write("a/b/c", b"")
    assert (files.read("a/b/c"), files.exists("a/b/c")) == (b"", True)
    files.remove("a/b/c")
    files.remove("a/b/c")
    assert (files.read("a/b/c"), files.exists("a/b/c"), files.modified("a/b/c")) == (None, False, None)
    assert (files.names("a"), files.sizes("a"), list(files.walk("a"))) == ([], {}, [])


def test_what_another_machine_writes_is_seen_at_once(files: Files) -> None:
    other = Elsewhere(files)
    files.write("t/1", b"mine")
    assert (files.names("t"), files.exists("t/2")) == (["1"], False)
    other.write("t/2", b"theirs")
    assert (files.names("t"), files.exists("t/2"), files.read("t/2")) == (["1", "2"], True, b"theirs")
    assert (files.sizes("t"), sorted(files.walk("t"))) == ({"t/1": 4, "t/2": 6}, ["t/1", "t/2"])
    other.write("t/1", b"replaced")
    assert (files.read("t/1"), files.size("t/1")) == (b"replaced", 8)


def test_a_file_is_there_when_its_stream_ends_and_never_when_that_fails(files: Files) -> None:
    with files.writing("t/day") as unfinished:
        unfinished.stream.write(b"half")
        assert (files.exists("t/day"), files.names("t")) == (False, [])
        unfinished.stream.write(b" and half")
    assert files.read("t/day") == b"half and half"
    with pytest.raises(RuntimeError, match="cut off"), files.writing("t/day") as unfinished:
        unfinished.stream.write(b"other")
        raise RuntimeError("cut off")
    assert (files.read("t/day"), files.names("t")) == (b"half and half", ["day"])


def test_readers_see_one_whole_file_while_it_is_replaced(files: Files) -> None:
    contents = {bytes([each]) * 200_000 for each in range(8)}
    files.write("t/day", min(contents))
    writer = Thread(target=lambda: [files.write("t/day", each) for each in contents])
    writer.start()
    seen = {files.read("t/day") for _ in range(20)}
    writer.join()
    assert seen <= contents


def test_a_stream_of_a_file_that_is_replaced_meanwhile_never_mixes_both(files: Files) -> None:
    # As if the file had hundreds of megabytes: s3fs fetches it in pieces.
    files._fs.default_block_size = 1000
    one, other = b"1" * 50_000, b"2" * 50_000
    files.write("t/day", one)
    read = b""
    with files.reading("t/day") as stream, suppress(OSError):
        assert stream is not None
        read = stream.read(10)
        Elsewhere(files).write("t/other", other)
        files.write("t/day", other)
        while piece := stream.read(5_000):
            read += piece
    assert set(read) == set(b"1"), "an error, or the old file; nothing of the new one"
    assert files.read("t/day") == other


def test_evidence_is_verified_and_garbage_goes_when_it_is_old(files: Files) -> None:
    evidence, records = EvidenceStore(files), RecordStore(files)
    named, lost = evidence.put(b"named by a record"), evidence.put(b"named by nobody")
    records.write("p", "traces", "2026-11-02", {"digest": named})
    now = datetime.now(UTC)
    assert find_garbage(files, (), NEVER).young == 1
    garbage = find_garbage(files, (), now + timedelta(seconds=5))
    assert (garbage.digests, garbage.size, garbage.kept) == ((lost,), 15, 1)
    assert remove_garbage(files, garbage, NEVER) == 0
    assert remove_garbage(files, garbage, now + timedelta(seconds=5)) == 1
    assert (evidence.find(lost), evidence.get(named)) == (None, b"named by a record")


def test_evidence_that_is_put_again_is_new_again(files: Files) -> None:
    evidence = EvidenceStore(files)
    name = evidence.name(evidence.put(b"twice"))
    first = files.modified(name)
    assert first is not None and first.tzinfo is not None
    while first == files.modified(name):
        evidence.put(b"twice")
    assert files.modified(name) > first
    assert abs(datetime.now(UTC) - first) < timedelta(minutes=5)


def test_what_retention_wrote_down_is_found_again(uri: str) -> None:
    keep_from(RecordStore(Files(uri)), "p", "2026-11-02")
    assert kept_from(RecordStore(Files(uri)), "p") == "2026-11-02"
    assert kept_from(RecordStore(Files(uri)), "other") == ""


def test_a_vault_keeps_what_it_is_given_once(files: Files, uri: str) -> None:
    files.write("evidence/one", b"kept")
    vault = Vault(f"{uri}/vault")
    vault.make()
    with files.reading("evidence/one") as stream:
        assert stream is not None
        entry = vault.keep("store/evidence/one", stream)
    assert Vault(f"{uri}/vault").has(entry)
    vault.check(entry)
    with vault.open(entry) as kept:
        assert kept.read() == b"kept"
