"""What a backup holds: one canonical JSON document, named by its own SHA-256 and written last."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from telefine_assets.attribution.records import Fields, RecordError, load_json
from telefine_assets.canonical import canonical_json, sha256_hex
from telefine_assets.errors import TelefineError

FORMAT = 1
"""Version of the backup's format."""
_DIGEST = re.compile(r"[0-9a-f]{64}")
_STAMP = re.compile(r"[0-9]{8}T[0-9]{12}Z")
_MOST_BYTES = 2**53 - 1


class KeepingError(TelefineError):
    """What was asked of a backup cannot be done; the message says what would help."""


@dataclass(frozen=True)
class Entry:
    """One file of a backup.

    Attributes:
        name: ``part/path``, as in ``store/records/triage/attestations/2026-11-02.json``.
        sha256: of its bytes, 64 hexadecimal digits.
        size: bytes.
    """

    name: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """One backup.

    Attributes:
        deployment: whose it is.
        at: when it was begun, UTC, ``YYYYMMDDTHHMMSSffffffZ``.
        ledger_schema: the ledger's schema version.
        audit: digest of the newest row of the audit log before the ledger was copied.
        artifacts: URI of each folder of MLflow's artifacts, by its name in the backup.
        files: what there is.
    """

    deployment: str
    at: str
    ledger_schema: int
    audit: str
    artifacts: Mapping[str, str]
    files: tuple[Entry, ...]

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(each.size for each in self.files)

    def part(self, name: str) -> tuple[Entry, ...]:
        """The files of a part: ``ledger``, ``store``, ``mlflow``, ``artifacts`` or ``dagster``."""
        return tuple(each for each in self.files if each.name.startswith(f"{name}/"))

    def to_bytes(self) -> bytes:
        """The document's canonical bytes."""
        return canonical_json(
            {
                "format": FORMAT,
                "deployment": self.deployment,
                "at": self.at,
                "ledger_schema": self.ledger_schema,
                "audit": self.audit,
                "artifacts": [{"name": name, "uri": uri} for name, uri in self.artifacts.items()],
                "files": [{"name": each.name, "sha256": each.sha256, "size": each.size} for each in self.files],
            }
        )

    @property
    def label(self) -> str:
        """What the backup is called: when it was begun, and the SHA-256 of the document."""
        return f"{self.at}.{sha256_hex(self.to_bytes())}"


def read_manifest(content: bytes, label: str) -> Manifest:
    """Read the document of the backup ``label``.

    Raises:
        KeepingError: its bytes are not those that were written, or it is of another format.
    """
    if sha256_hex(content) != label.rpartition(".")[2]:
        raise KeepingError(f"backup {label}: its manifest was changed; use another backup")
    try:
        return _read(Fields(load_json(content, "manifest"), "manifest"))
    except RecordError as error:
        raise KeepingError(f"backup {label}: {error}") from None


def _read(fields: Fields) -> Manifest:
    fields.constant("format", FORMAT)
    manifest = Manifest(
        deployment=fields.text("deployment"),
        at=fields.text("at", _STAMP, "a time"),
        ledger_schema=fields.integer("ledger_schema", 1, 2**31),
        audit=fields.text("audit", _DIGEST, "a SHA-256"),
        artifacts=dict(map(_place, fields.objects("artifacts"))),
        files=tuple(_entry(each) for each in fields.objects("files")),
    )
    fields.done()
    return manifest


def _place(fields: Fields) -> tuple[str, str]:
    place = fields.text("name"), fields.text("uri")
    fields.done()
    return place


def _entry(fields: Fields) -> Entry:
    entry = Entry(
        fields.text("name"), fields.text("sha256", _DIGEST, "a SHA-256"), fields.integer("size", 0, _MOST_BYTES)
    )
    fields.done()
    path = PurePosixPath(entry.name)
    # What a name leads to is written: it must stay below its part's folder, in the one spelling that there is.
    if len(path.parts) < 2 or {"..", "/"} & {*path.parts} or str(path) != entry.name or "\\" in entry.name:
        raise RecordError(fields.path("name"), f"leads elsewhere: {entry.name!r}")
    return entry
