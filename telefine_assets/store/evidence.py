"""Content-addressed evidence: a file is found by its SHA-256 and never changes."""

from __future__ import annotations

from telefine_assets.canonical import sha256_hex
from telefine_assets.errors import TelefineError
from telefine_assets.store.files import Files


class EvidenceError(TelefineError):
    """Evidence is missing or is not what its name says."""


class EvidenceStore:
    """Write once, verify on every read."""

    def __init__(self, files: Files) -> None:
        """Keep evidence below ``evidence/`` of ``files``."""
        self._files = files

    @staticmethod
    def name(digest: str) -> str:
        """Name of the file with that SHA-256 (64 hexadecimal digits)."""
        return f"evidence/{digest[:2]}/{digest}"

    def put(self, content: bytes) -> str:
        """Store ``content`` unless it is there and whole; returns its SHA-256.

        What is there becomes as new as if it were written now: it is about to be
        named by somebody, and the garbage collection takes only what is old.
        """
        digest = sha256_hex(content)
        if self._files.read(self.name(digest)) == content:
            self._files.refresh(self.name(digest), content)
        else:
            self._files.write(self.name(digest), content)
        return digest

    def is_there(self, digest: str) -> bool:
        """Whether anything is stored under ``digest``."""
        return self._files.exists(self.name(digest))

    def find(self, digest: str) -> bytes | None:
        """Whatever is stored under ``digest``, unverified, or None. For verifiers, which hash it themselves."""
        return self._files.read(self.name(digest))

    def get(self, digest: str) -> bytes:
        """The evidence with that digest.

        Raises:
            EvidenceError: when it is missing or its bytes have changed.
        """
        content = self.find(digest)
        if content is None:
            raise EvidenceError(
                f"evidence {digest} is missing; restore it or materialise the stage that made it, unless it was erased "
                "at a person's request"
            )
        if sha256_hex(content) != digest:
            raise EvidenceError(f"evidence {digest} was changed: its bytes have SHA-256 {sha256_hex(content)}")
        return content
