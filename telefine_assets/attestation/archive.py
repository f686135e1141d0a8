"""An attestation's files as one archive whose bytes depend on nothing but the files.

POSIX ustar, uncompressed: names in order, mode 0644, no owner, no time. Every
``tar`` unpacks it. The headers are written here and not by ``tarfile``, which
fills fields that do not matter differently from one Python to the next; without
compression, no version of zlib has a say either.

An archive is a stranger's file: there is exactly one archive of given files, and
anything else (a link, a path upwards, a name twice, bytes after the end) is refused.
Sizes are checked before anything is read. In a folder no link is followed.

Source: IEEE Std 1003.1-1988, section 10.1.1 (ustar).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from telefine_assets.attestation.bundle import BUNDLE_FILE
from telefine_assets.attestation.failures import FailureCode, VerificationFailed
from telefine_assets.errors import TelefineError

MAX_FILES = 1_000
MAX_BYTES = 2**29
"""Limits of an archive: files, and bytes in all. An attestation has a dozen files."""
SUFFIX = ".tar"

_BLOCK, _RECORD = 512, 10_240
_END = bytes(2 * _BLOCK)
# One part or more of plain characters, none of which begins with a dot. Longer names would need a prefix.
_NAME = re.compile(r"(?=.{1,100}\Z)\w[\w.-]*(/\w[\w.-]*)*", re.ASCII)
_SIZE = slice(124, 136)
_EVIDENCE = "evidence"
_EXPORT = "write an attested day into a folder with: telefine attest export DAY FOLDER"


def pack(files: Mapping[str, bytes]) -> bytes:
    """The one archive of these files: the same files give the same bytes, on any machine.

    Raises:
        VerificationFailed: ``bundle_malformed``; a name that ``unpack`` would
            refuse, or more than ``MAX_FILES`` or ``MAX_BYTES``.
    """
    _check(files)
    parts = []
    for name in sorted(files):
        content = files[name]
        parts += [_header(name, len(content)), content, _padding(len(content), _BLOCK)]
    size = sum(map(len, parts)) + len(_END)
    return b"".join([*parts, _END, _padding(size, _RECORD)])


def unpack(data: bytes) -> dict[str, bytes]:
    """The files of an archive that ``pack`` made.

    Raises:
        VerificationFailed: ``bundle_malformed``; the bytes are not what ``pack``
            makes of the files in them.
    """
    files: dict[str, bytes] = {}
    position = 0
    while (header := data[position : position + _BLOCK]) != bytes(_BLOCK):
        if len(header) < _BLOCK or len(files) == MAX_FILES:
            _refuse(f"it is cut off, or has more than {MAX_FILES} files")
        name, size = _read(header)
        position += _BLOCK
        files[name] = data[position : position + size]
        position += size + len(_padding(size, _BLOCK))
    if pack(files) != data:
        _refuse("it is not the one archive of its files: there is more in it, or less, or in another order")
    return files


def read_bundle(path: Path) -> dict[str, bytes]:
    """The files of an attestation: from its archive, its folder, or ``attestation.json`` in that folder.

    In a folder, whatever has no place in an archive is left alone, links among it.

    Raises:
        TelefineError: there is nothing at ``path``.
        VerificationFailed: ``bundle_malformed``; there is no attestation in it, it is
            no such archive, or more than ``MAX_FILES`` or ``MAX_BYTES``.
    """
    if not path.exists():
        raise TelefineError(f"{path}: no such file or folder; {_EXPORT}")
    if path.is_file() and path.suffix == SUFFIX:
        # Every file has a header and fills its last block.
        return unpack(_read_up_to(path, MAX_BYTES + 2 * _BLOCK * MAX_FILES + _RECORD))
    folder = path if path.is_dir() else path.parent
    if not (folder / BUNDLE_FILE).is_file():
        _refuse(f"{folder / BUNDLE_FILE}: no such file; {_EXPORT}")
    if path.is_file() and path.name != BUNDLE_FILE:
        _refuse(f"{path}: expected {BUNDLE_FILE}, the folder that it is in, or a {SUFFIX} file")
    return _read_folder(folder)


def _read_folder(folder: Path) -> dict[str, bytes]:
    names = sorted(name for name in (*_plain(folder), *_plain(folder, _EVIDENCE)) if _has_place(name))
    if len(names) > MAX_FILES:
        _refuse(f"more than {MAX_FILES} files")
    files: dict[str, bytes] = {}
    left = MAX_BYTES
    for name in names:
        files[name] = _read_up_to(folder / name, left)
        left -= len(files[name])
    return files


def _plain(folder: Path, below: str = "") -> list[str]:
    """Names of the plain files in a folder, or in the one below it; none if that is a link, or is not there."""
    inner = folder / below
    if not inner.is_dir() or (below and inner.is_symlink()):
        return []
    with os.scandir(inner) as entries:
        return [f"{below}/{each.name}".lstrip("/") for each in entries if each.is_file(follow_symlinks=False)]


def _read_up_to(path: Path, most: int) -> bytes:
    """A file's bytes, of which there may be ``most``."""
    with path.open("rb") as stream:
        if os.fstat(stream.fileno()).st_size > most:
            _refuse(f"{path.name}: more than {MAX_BYTES} bytes in all")
        return stream.read(most)


def _has_place(name: str) -> bool:
    """Whether a file in a folder belongs to an attestation: what lies beside it may be anything."""
    return re.fullmatch(rf"\w+\.json|{_EVIDENCE}/[0-9a-f]{{64}}", name) is not None


def _check(files: Mapping[str, bytes]) -> None:
    for name in files:
        if not _NAME.fullmatch(name):
            _refuse(f"{name[:200]!r} is no name for a file in it")
    if len(files) > MAX_FILES or sum(map(len, files.values())) > MAX_BYTES:
        _refuse(f"more than {MAX_FILES} files or {MAX_BYTES} bytes")


def _header(name: str, size: int) -> bytes:
    """The ustar header of a regular file."""
    fields = (
        name.encode("ascii").ljust(100, b"\0"),
        b"0000644\0" + 2 * b"0000000\0",
        b"%011o\0%011o\0" % (size, 0),
        b" " * 8 + b"0" + bytes(100) + b"ustar\x0000" + bytes(64),
        2 * b"0000000\0",
    )
    header = b"".join(fields).ljust(_BLOCK, b"\0")
    # The checksum is taken with blanks in its place.
    return header[:148] + b"%06o\0 " % sum(header) + header[156:]


def _read(header: bytes) -> tuple[str, int]:
    """Name and size in a header that is exactly the one of such a file."""
    name, size = header[:100].rstrip(b"\0").decode("ascii", "replace"), header[_SIZE][:-1]
    if not _NAME.fullmatch(name) or not re.fullmatch(rb"[0-7]{11}", size) or _header(name, int(size, 8)) != header:
        _refuse(f"the header of {name!r} is not that of a plain file as it is written here")
    return name, int(size, 8)


def _padding(size: int, unit: int) -> bytes:
    return bytes(-size % unit)


def _refuse(problem: str) -> NoReturn:
    raise VerificationFailed(FailureCode.BUNDLE_MALFORMED, f"archive: {problem}")
