"""Where backups are: their files by SHA-256, shared by all of them, and one manifest for each.

::

    objects/ab/abcd...           a file's bytes
    backups/<time>.<sha256>.json a manifest
    erased.json                  whose words must not come back (``erasure_list``)

A file that is there is not written again, so that a second backup costs what
changed. A manifest is written when everything that it names is there.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO

from telefine_assets.keeping.manifest import Entry, KeepingError, Manifest, read_manifest
from telefine_assets.settings.addresses import without_password
from telefine_assets.store.files import Files

_CHUNK = 2**20
_IN_MEMORY = 2**25


class Vault:
    """Backups below one fsspec URI."""

    def __init__(self, uri: str) -> None:
        """Open it; nothing is made before the first write."""
        self.shown = without_password(uri)
        self.files = Files(uri)
        """What is there."""
        self._local = "://" not in uri
        self._there = self.files.sizes("objects")

    def make(self) -> None:
        """Make a folder on a local disk that only its owner can look into: traces are people's words."""
        if self._local:
            Path(self.files.path("")).mkdir(mode=0o700, parents=True, exist_ok=True)

    def has(self, entry: Entry) -> bool:
        """Whether the file's bytes are there, as far as their number tells."""
        return self._there.get(_place(entry.sha256)) == entry.size

    def keep(self, name: str, stream: IO[bytes]) -> Entry:
        """Keep what a stream holds, under ``name``; read once, so that the digest is that of what is kept."""
        with SpooledTemporaryFile(_IN_MEMORY) as copy:
            entry = Entry(name, *_copied(stream, copy))
            if not self.has(entry):
                copy.seek(0)
                with self.files.writing(_place(entry.sha256)) as file:
                    shutil.copyfileobj(copy, file.stream, _CHUNK)
                self._there[_place(entry.sha256)] = entry.size
        return entry

    def seal(self, manifest: Manifest) -> None:
        """Write the manifest: from now on there is a backup."""
        self.files.write(f"backups/{manifest.label}.json", manifest.to_bytes())

    def labels(self) -> list[str]:
        """What backups there are, oldest first."""
        return [name.removesuffix(".json") for name in self.files.names("backups") if name.endswith(".json")]

    def require_past(self, stamp: str) -> None:
        """Refuse backups that are of later than ``stamp``, which is now: what is newest is not known then.

        Raises:
            KeepingError: there is one.
        """
        if (newest := max(self.labels(), default="")).partition(".")[0] > stamp:
            raise KeepingError(
                f"backup {newest} is of a time that has not come: the clock is behind now, or was ahead then. Set it "
                f"right; if it was ahead, remove {self.shown}/backups/{newest}.json"
            )

    def manifest(self, label: str | None) -> Manifest:
        """A backup's manifest, the newest by default; ``label`` may be the beginning of one.

        Raises:
            KeepingError: there is none, or it was changed.
        """
        found = [each for each in self.labels() if each.startswith(label or "")]
        if not found or (label and len(found) > 1):
            known = ", ".join(self.labels()) or "none; a backup that was interrupted is none"
            raise KeepingError(f"{self.shown}: no backup {label or 'yet'} (there are: {known})")
        return read_manifest(self.files.read(f"backups/{found[-1]}.json") or b"", found[-1])

    def require_own(self, deployment: str) -> None:
        """Refuse a place that holds another deployment's backups: what one prunes, the other may be about to name.

        Raises:
            KeepingError: it does.
        """
        if self.labels() and (found := self.manifest(None).deployment) != deployment:
            raise KeepingError(f"{self.shown} holds backups of deployment {found!r}; give each a place of its own")

    def prune(self, keep: int) -> list[str]:
        """Remove all backups but the newest ``keep``, and the bytes that no other needs; returns what went.

        Manifests go first: one that was cut off leaves whole backups, and bytes for the next to remove.
        """
        labels = self.labels()
        old = labels[: max(0, len(labels) - keep)]
        needed = {_place(each.sha256) for label in labels[len(old) :] for each in self.manifest(label).files}
        for label in old:
            self.files.remove(f"backups/{label}.json")
        for place in [each for each in self._there if each not in needed]:
            self.files.remove(place)
            del self._there[place]
        return old

    @contextmanager
    def open(self, entry: Entry) -> Iterator[IO[bytes]]:
        """The bytes of a file.

        Raises:
            KeepingError: it is missing.
        """
        with self.files.reading(_place(entry.sha256)) as stream:
            if stream is None:
                raise KeepingError(f"{entry.name}: {self.shown}/{_place(entry.sha256)} is missing; use another backup")
            yield stream

    def check(self, entry: Entry) -> None:
        """Read a file and compare it with its digest.

        Raises:
            KeepingError: it is missing, or its bytes are not those that were kept.
        """
        with self.open(entry) as stream:
            if digest_of_stream(stream) != entry.sha256:
                place = f"{self.shown}/{_place(entry.sha256)}"
                raise KeepingError(f"{entry.name}: {place} was changed; remove it and back up again, or use another")


def digest_of_stream(stream: IO[bytes]) -> str:
    """SHA-256 of the rest of a stream."""
    digest = hashlib.sha256()
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _copied(stream: IO[bytes], copy: IO[bytes]) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
        copy.write(chunk)
    return digest.hexdigest(), size


def _place(sha256: str) -> str:
    return f"objects/{sha256[:2]}/{sha256}"
