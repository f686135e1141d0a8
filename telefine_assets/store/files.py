"""Whole files on any fsspec URI, written so that a reader never sees half of one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from uuid import uuid4


class Files:
    """Named byte strings below one root URI (a local path, ``s3://bucket/prefix``, ...)."""

    def __init__(self, uri: str) -> None:
        """Open the root; nothing is created before the first write."""
        from fsspec.core import url_to_fs

        self.uri = uri
        self._fs, self._root = url_to_fs(uri)

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
        path = self.path(name)
        if "file" not in _protocols(self._fs):
            self._fs.pipe_file(path, content)
            return
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f"{target.name}.{uuid4().hex}.part")
        try:
            with beside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)

    def names(self, folder: str) -> list[str]:
        """Names of the finished files directly in ``folder``, sorted."""
        try:
            entries = self._fs.ls(self.path(folder), detail=True)
        except FileNotFoundError:
            return []
        names = (entry["name"].rsplit("/", 1)[-1] for entry in entries if entry["type"] == "file")
        return sorted(name for name in names if not name.endswith(".part"))


def _protocols(fs: Any) -> tuple[str, ...]:
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)
