"""Whole files on any fsspec URI, written so that a reader never sees half of one."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any
from uuid import uuid4

ABANDONED = timedelta(days=1)
"""So long nobody writes to a file that is being written."""
_UNFINISHED = re.compile(r"\.[0-9a-f]{32}\.part")


@dataclass(frozen=True)
class Unfinished:
    """A file that is being written; nobody sees it before the block ends."""

    path: Path
    stream: IO[bytes]

    def digest(self) -> str:
        """SHA-256 of what was written."""
        self.stream.flush()
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


class Files:
    """Named byte strings below one root URI (a local path, ``s3://bucket/prefix``, ...)."""

    def __init__(self, uri: str) -> None:
        """Open the root; nothing is created before the first write."""
        from fsspec.core import url_to_fs

        self.uri = uri
        # Others write too, from other machines: a listing that s3fs remembers would hide what they wrote.
        self._fs, self._root = url_to_fs(uri, use_listings_cache=False)
        self._local = "file" in _protocols(self._fs)

    def path(self, name: str) -> str:
        """The file system's own path of ``name``."""
        return f"{self._root.rstrip('/')}/{name}"

    def read(self, name: str) -> bytes | None:
        """The bytes of ``name``, or None when there is no such file."""
        try:
            content: Any = self._fs.cat_file(self.path(name))
        except FileNotFoundError:
            return None
        return bytes(content)

    def exists(self, name: str) -> bool:
        """Whether ``name`` was written."""
        return bool(self._fs.exists(self.path(name)))

    def write(self, name: str, content: bytes) -> None:
        """Write or replace ``name`` in one step.

        On a local disk the bytes go to a file beside it, are flushed to the
        disk and renamed over it. Object stores put an object in one step already.
        """
        if self._local:
            with self.writing(name) as file:
                file.stream.write(content)
        else:
            self._fs.pipe_file(self.path(name), content)

    @contextmanager
    def writing(self, name: str) -> Iterator[Unfinished]:
        """A stream whose bytes become ``name`` in one step when the block ends, and are lost when it fails."""
        target = Path(self.path(name))
        if not self._local:
            with TemporaryDirectory() as folder:
                beside = Path(folder) / target.name
                with beside.open("wb") as stream:
                    yield Unfinished(beside, stream)
                self._fs.put_file(str(beside), self.path(name))
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f"{target.name}.{uuid4().hex}.part")
        try:
            with beside.open("wb") as stream:
                _lock(stream)
                yield Unfinished(beside, stream)
                stream.flush()
                os.fsync(stream.fileno())
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)

    @contextmanager
    def reading(self, name: str) -> Iterator[IO[bytes] | None]:
        """A stream of ``name``'s bytes, or None when there is no such file."""
        try:
            stream: Any = self._fs.open(self.path(name), "rb")
        except FileNotFoundError:
            yield None
            return
        with stream:
            yield stream

    def walk(self, folder: str) -> Iterator[str]:
        """Names of all finished files anywhere below ``folder``, one folder at a time, in no order."""
        for path, _folders, files in self._fs.walk(self.path(folder)):
            below = path.rstrip("/").removeprefix(self.path("").rstrip("/"))
            yield from (f"{below}/{name}".lstrip("/") for name in files if not name.endswith(".part"))

    def sizes(self, folder: str) -> dict[str, int]:
        """Bytes of every finished file anywhere below ``folder``, by name, in the names' order."""
        found: dict[str, Any] = self._fs.find(self.path(folder), detail=True)
        root = self.path("")
        return {path.removeprefix(root): int(found[path]["size"]) for path in sorted(found) if path[-5:] != ".part"}

    def abandoned(self, now: datetime) -> dict[str, int]:
        """Bytes of what killed writers left behind more than a day ago, by name, in the names' order.

        None of it is being written, however slowly: a writer holds a lock on its file, where the disk
        knows locks. Object stores have none.
        """
        root = Path(self.path(""))
        found = [path for path in root.rglob("*.part") if _UNFINISHED.search(path.name)] if self._local else []
        sizes = {path.relative_to(root).as_posix(): _abandoned_size(path, now - ABANDONED) for path in sorted(found)}
        return {name: size for name, size in sizes.items() if size is not None}

    def sweep(self, now: datetime) -> list[str]:
        """Remove what is abandoned; returns its names."""
        gone = [*self.abandoned(now)]
        for name in gone:
            self.remove(name)
        return gone

    def modified(self, name: str) -> datetime | None:
        """When ``name`` was written last, in UTC; None when there is no such file."""
        try:
            found: datetime = self._fs.modified(self.path(name))
        except FileNotFoundError:
            return None
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found

    def size(self, name: str) -> int:
        """Bytes of ``name``, which is there."""
        return int(self._fs.size(self.path(name)))

    def refresh(self, name: str, content: bytes) -> None:
        """Make ``name``, which holds ``content``, as new as if it were written now."""
        if self._local:
            os.utime(self.path(name))
        else:
            self.write(name, content)

    def remove(self, name: str) -> None:
        """Remove ``name``, if it is there."""
        with suppress(FileNotFoundError):
            self._fs.rm_file(self.path(name))

    def names(self, folder: str) -> list[str]:
        """Names of the finished files directly in ``folder``, sorted."""
        try:
            entries = self._fs.ls(self.path(folder), detail=True)
        except FileNotFoundError:
            return []
        names = (entry["name"].rsplit("/", 1)[-1] for entry in entries if entry["type"] == "file")
        return sorted(name for name in names if not name.endswith(".part"))


def _lock(stream: IO[bytes]) -> None:
    """Say that it is being written. A disk without locks tells by the file's age alone."""
    with suppress(OSError):
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _abandoned_size(path: Path, before: datetime) -> int | None:
    """Bytes of a file that nobody has written to since ``before``, nor has open to be written; None for another."""
    with suppress(FileNotFoundError), path.open("rb") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        except OSError:
            pass  # a disk without locks
        found = os.fstat(stream.fileno())
        return found.st_size if found.st_mtime < before.timestamp() else None
    return None


def _protocols(fs: Any) -> tuple[str, ...]:
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)
