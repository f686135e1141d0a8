"""The archive of an attestation: the same files are the same bytes, and only those bytes are read."""

import hashlib
import io
import os
import subprocess
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.attestation import archive
from telefine_assets.attestation.archive import pack, read_bundle, unpack
from telefine_assets.attestation.failures import FailureCode, VerificationFailed
from telefine_assets.errors import TelefineError

FILES = {"attestation.json": b"{}", f"evidence/{'a' * 64}": b"x" * 700, "policy.json": b""}
NAMES = st.from_regex(r"\A[a-z0-9_][a-z0-9_.-]{0,20}(/[a-z0-9_][a-z0-9_.-]{0,20}){0,2}\Z")


def refused(data: bytes) -> str:
    with pytest.raises(VerificationFailed) as caught:
        unpack(data)
    assert caught.value.code is FailureCode.BUNDLE_MALFORMED
    return str(caught.value)


def by_tarfile(*members: tuple[str, bytes], **fields: object) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as made:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for field, value in fields.items():
                setattr(info, field, value)
            made.addfile(info, io.BytesIO(content))
    return stream.getvalue()


@given(st.dictionaries(NAMES, st.binary(max_size=1500), max_size=6))
def test_what_was_packed_is_unpacked_and_the_order_of_the_files_does_not_matter(files):
    packed = pack(files)
    assert unpack(packed) == files
    assert pack(dict(reversed(files.items()))) == packed


def test_the_bytes_are_these_on_every_machine():
    assert hashlib.sha256(pack(FILES)).hexdigest() == "0317907576aa395497eafca6aab63e37fd27d1b741838854273267801baaa2a3"


def test_other_programs_unpack_it(tmp_path):
    with tarfile.open(fileobj=io.BytesIO(pack(FILES))) as opened:
        assert {each.name: opened.extractfile(each).read() for each in opened} == FILES
        assert {(each.mode, each.uid, each.gid, each.mtime, each.uname) for each in opened} == {(0o644, 0, 0, 0, "")}
    (tmp_path / "bundle.tar").write_bytes(pack(FILES))
    subprocess.run(["tar", "-xf", "bundle.tar"], cwd=tmp_path, check=True)
    assert {name: (tmp_path / name).read_bytes() for name in FILES} == FILES


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../up",
        "a/../b",
        "a//b",
        "a/",
        "./a",
        ".hidden",
        "a b",
        "a\nb",
        "a\\b",
        "é",
        "",
        "x" * 101,
        "a/.",
    ],
)
def test_a_name_that_leads_elsewhere_is_neither_packed_nor_unpacked(name):
    with pytest.raises(VerificationFailed):
        pack({name: b"x"})
    if "\n" not in name:
        refused(by_tarfile((name[:99], b"x")) if name else bytes(100) + pack({"a": b"x"})[100:])


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_only_plain_files_are_unpacked(kind):
    assert "plain file" in refused(by_tarfile(("a", b""), type=kind, linkname="/etc/passwd"))


@pytest.mark.parametrize("fields", [{"mtime": 1}, {"mode": 0o755}, {"uid": 1}, {"uname": "me"}])
def test_an_archive_that_says_more_than_its_files_is_refused(fields):
    refused(by_tarfile(("a", b"x"), **fields))


def test_a_name_twice_is_refused():
    one = pack({"a": b"x"})[:1024]
    assert "not the one archive" in refused(one + pack({"a": b"x"}))


def test_another_order_is_refused():
    a, b = pack({"a": b"x"})[:1024], pack({"b": b"x"})
    assert unpack((a + b)[:10_240]) == {"a": b"x", "b": b"x"}
    refused((pack({"b": b"x"})[:1024] + pack({"a": b"x"}))[:10_240])


@given(st.integers(0, len(pack(FILES)) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_is_in_a_file(position, change):
    data = bytearray(pack(FILES))
    data[position] ^= change
    try:
        found = unpack(bytes(data))
    except VerificationFailed as failure:
        assert failure.code is FailureCode.BUNDLE_MALFORMED
    else:
        assert found != FILES
        assert found.keys() == FILES.keys()


@pytest.mark.parametrize("end", [b"\0", b"more", bytes(10_240)])
def test_nothing_may_follow(end):
    assert "more in it" in refused(pack(FILES) + end)


@given(st.integers(0, len(pack(FILES)) - 1))
def test_an_archive_that_was_cut_off_is_refused(length):
    refused(pack(FILES)[:length])


@given(st.binary(max_size=2000))
def test_any_bytes_are_refused_with_the_code(data):
    refused(data)


def test_too_many_and_too_large_files_are_refused(monkeypatch):
    large = pack({"a": bytes(2000)})
    many = pack({f"f{number}": b"" for number in range(5)})
    monkeypatch.setattr(archive, "MAX_BYTES", 1999)
    refused(large)
    monkeypatch.setattr(archive, "MAX_FILES", 4)
    assert "more than 4 files" in refused(many)


def test_a_header_may_not_claim_more_bytes_than_there_are():
    header = bytearray(pack({"a": b"x"})[:512])
    header[124:136] = b"77777777777\0"
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + sum(header[156:]) + 8 * 32)
    refused(bytes(header) + bytes(1536))


def test_a_folder_a_file_in_it_and_an_archive_are_the_same(tmp_path):
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "notes.txt").write_bytes(b"mine")
    (tmp_path / "evidence" / "odd name").write_bytes(b"mine")
    (tmp_path / "bundle.tar").write_bytes(pack(FILES))
    for path in (tmp_path, tmp_path / "attestation.json", tmp_path / "bundle.tar"):
        assert read_bundle(path) == FILES


def written(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def test_no_link_in_a_folder_is_followed(tmp_path):
    elsewhere = written(tmp_path / "elsewhere", {f"{'b' * 64}": b"secret"})
    folder = written(tmp_path / "given", FILES)
    (folder / "linked.json").symlink_to(elsewhere / ("b" * 64))
    (folder / "evidence" / ("b" * 64)).symlink_to(elsewhere / ("b" * 64))
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe.json")
    assert read_bundle(folder) == FILES
    (folder / "policy.json").unlink()
    bare = written(tmp_path / "bare", {"attestation.json": b"{}"})
    (bare / "evidence").symlink_to(elsewhere)
    assert read_bundle(bare) == {"attestation.json": b"{}"}
    (tmp_path / "named by me").symlink_to(bare)
    assert read_bundle(tmp_path / "named by me") == {"attestation.json": b"{}"}


def test_what_is_too_large_is_refused_before_it_is_read(tmp_path):
    folder = written(tmp_path / "given", FILES)
    os.truncate(folder / "evidence" / ("a" * 64), archive.MAX_BYTES)
    (tmp_path / "large.tar").touch()
    os.truncate(tmp_path / "large.tar", archive.MAX_BYTES + 2**21)
    for path in (folder, tmp_path / "large.tar"):
        with pytest.raises(VerificationFailed, match=r"bundle_malformed.*bytes in all"):
            read_bundle(path)


def test_too_many_files_in_a_folder_are_refused(tmp_path, monkeypatch):
    folder = written(tmp_path, FILES)
    monkeypatch.setattr(archive, "MAX_FILES", 3)
    assert read_bundle(folder) == FILES
    (folder / "one_more.json").touch()
    with pytest.raises(VerificationFailed, match="more than 3 files"):
        read_bundle(folder)


@pytest.mark.parametrize("path", ["none", "none.tar", "none/attestation.json"])
def test_where_there_is_nothing_the_error_says_so_and_how_to_export(tmp_path, path):
    said = rf"{path}: no such file or folder; .*telefine attest export DAY FOLDER"
    with pytest.raises(TelefineError, match=said) as error:
        read_bundle(tmp_path / path)
    assert not isinstance(error.value, VerificationFailed)


@pytest.mark.parametrize("path", ["policy.json", "."])
def test_what_is_no_attestation_is_refused(tmp_path, path):
    (tmp_path / "policy.json").write_bytes(b"{}")
    with pytest.raises(VerificationFailed, match="bundle_malformed: archive: "):
        read_bundle(tmp_path / path)
