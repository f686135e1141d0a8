"""Whole files: a reader sees the old one or the new one, never half of one."""

import os
from datetime import UTC, datetime, timedelta
from threading import Thread
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.store.files import Files


@pytest.fixture(params=["local", "memory"])
def files(request, tmp_path):
    return Files(str(tmp_path / "store") if request.param == "local" else f"memory://{uuid4().hex}")


@pytest.fixture
def local(tmp_path):
    return Files(str(tmp_path))


def everything_below(folder) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_what_was_written_is_read(files):
    files.write("a/b/c.bin", b"\x00\xff content")
    assert files.read("a/b/c.bin") == b"\x00\xff content"
    assert files.exists("a/b/c.bin")


def test_an_empty_file_is_a_file(files):
    files.write("empty", b"")
    assert (files.read("empty"), files.exists("empty")) == (b"", True)


def test_a_file_that_was_never_written_is_none(files):
    assert (files.read("a/none"), files.exists("a/none"), files.names("a")) == (None, False, [])


def test_sizes_are_those_of_all_finished_files_below_a_folder(files):
    for name, content in (("a/b/c", b"123"), ("a/d", b""), ("z", b"1")):
        files.write(name, content)
    files.write("a/cut-off.part", b"half")
    assert files.sizes("a") == {"a/b/c": 3, "a/d": 0}
    assert files.sizes("") == {"a/b/c": 3, "a/d": 0, "z": 1}
    assert files.sizes("nowhere") == {}


def test_writing_again_replaces_the_whole_file(files):
    files.write("a", b"long content")
    files.write("a", b"short")
    assert files.read("a") == b"short"


def test_names_are_the_files_of_one_folder_in_order(files):
    for name in ("t/2026-11-03", "t/2026-11-02", "t/deeper/2026-11-01", "other/2026-11-04"):
        files.write(name, b"x")
    assert files.names("t") == ["2026-11-02", "2026-11-03"]


def test_a_walk_finds_all_finished_files_below_a_folder(files):
    for name in ("t/a", "t/b/c/d", "t/b/e.0123.part", "other/f"):
        files.write(name, b"x")
    assert sorted(files.walk("t")) == ["t/a", "t/b/c/d"]
    assert list(files.walk("none")) == []


def test_a_removed_file_is_gone_and_may_be_removed_again(files):
    files.write("a/b", b"four")
    assert files.size("a/b") == 4
    files.remove("a/b")
    files.remove("a/b")
    assert (files.read("a/b"), files.modified("a/b")) == (None, None)


def test_a_refreshed_file_is_as_new_as_a_written_one(files):
    files.write("a", b"x")
    written = files.modified("a")
    files.refresh("a", b"x")
    assert (files.read("a"), files.modified("a") >= written) == (b"x", True)
    assert abs(files.modified("a") - datetime.now(UTC)) < timedelta(minutes=10)


def test_opening_a_store_creates_nothing(tmp_path):
    Files(str(tmp_path / "store")).names("t")
    assert not (tmp_path / "store").exists()


@given(st.lists(st.tuples(st.sampled_from("abc"), st.binary(max_size=20)), max_size=12))
def test_the_last_content_written_stands(writes):
    files = Files(f"memory://{uuid4().hex}")
    for name, content in writes:
        files.write(name, content)
    assert {name: files.read(name) for name, _ in writes} == dict(writes)


def test_a_disk_that_fails_midway_leaves_the_old_file_whole_and_no_litter(local, tmp_path, monkeypatch):
    local.write("t/day", b"old")

    def full_disk(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        local.write("t/day", b"new and longer")
    assert local.read("t/day") == b"old"
    assert everything_below(tmp_path) == ["t/day"]


def test_a_write_that_cannot_be_put_in_place_leaves_no_litter(local, tmp_path):
    (tmp_path / "t/day").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        local.write("t/day", b"new")
    assert everything_below(tmp_path) == []


def test_what_a_killed_writer_left_behind_is_not_listed(local, tmp_path):
    local.write("t/2026-11-02.parquet", b"whole")
    (tmp_path / "t/2026-11-03.parquet.0123.part").write_bytes(b"ha")
    assert local.names("t") == ["2026-11-02.parquet"]


def test_only_what_nobody_writes_any_more_is_swept_and_never_a_file_that_is_being_written(local, tmp_path):
    now, old = datetime.now(UTC), (datetime.now(UTC) - timedelta(days=2)).timestamp()
    dead, young, foreign = (tmp_path / f"evidence/ab/{name}" for name in ("a", "b", "c.part"))
    dead, young = (path.with_name(f"{path.name}.{uuid4().hex}.part") for path in (dead, young))
    with local.writing("evidence/ab/slow") as slow:
        slow.stream.write(b"ha")
        slow.stream.flush()
        for path in (dead, young, foreign):
            path.write_bytes(b"half")
        for path in (dead, foreign, slow.path):
            os.utime(path, (old, old))
        name = dead.relative_to(tmp_path).as_posix()
        assert local.abandoned(now) == {name: 4}
        assert (local.sweep(now), local.abandoned(now)) == ([name], {})
    assert local.read("evidence/ab/slow") == b"ha"
    assert (dead.exists(), young.exists(), foreign.exists()) == (False, True, True)


def test_an_object_store_has_nothing_half_written():
    files = Files(f"memory://{uuid4().hex}")
    files.write(f"a.{uuid4().hex}.part", b"x")
    assert files.sweep(datetime.now(UTC) + timedelta(days=9)) == []


def test_the_bytes_are_on_the_disk_before_the_file_has_its_name(local, tmp_path, monkeypatch):
    seen = []
    real = os.fsync

    def look_then_sync(descriptor):
        seen.append((tmp_path / "day").exists())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", look_then_sync)
    local.write("day", b"content")
    assert seen == [False]


def test_a_reader_beside_two_writers_sees_only_whole_files(local):
    contents = [bytes([letter]) * 100_000 for letter in b"ab"]
    local.write("day", contents[0])
    writers = [Thread(target=lambda c=c: [local.write("day", c) for _ in range(20)]) for c in contents]
    for writer in writers:
        writer.start()
    read = set()
    while any(writer.is_alive() for writer in writers):
        read.add(local.read("day"))
    for writer in writers:
        writer.join()
    assert read <= set(contents)
