"""One canonical JSON document for each program, stage and day."""

from __future__ import annotations

import json
from typing import Any

from telefine_assets.canonical import canonical_json, sha256_hex
from telefine_assets.store.files import Files
from telefine_assets.store.tables import MissingPartition, made_by


class RecordStore:
    """What a stage has to say about a day: its outcome and the digests it rests on."""

    def __init__(self, files: Files) -> None:
        """Keep records below ``records/`` of ``files``."""
        self._files = files

    @staticmethod
    def name(program: str, stage: str, day: str) -> str:
        """Name of a record's file."""
        return f"records/{program}/{stage}/{day}.json"

    def write(self, program: str, stage: str, day: str, record: dict[str, Any]) -> str:
        """Replace a record; returns the SHA-256 of its bytes."""
        content = canonical_json(record)
        self._files.write(self.name(program, stage, day), content)
        return sha256_hex(content)

    def find(self, program: str, stage: str, day: str) -> dict[str, Any] | None:
        """A record, or None when the stage has not run for that day."""
        content = self._files.read(self.name(program, stage, day))
        return None if content is None else json.loads(content)

    def read(self, program: str, stage: str, day: str) -> dict[str, Any]:
        """A record.

        Raises:
            MissingPartition: when the stage has not run for that day.
        """
        record = self.find(program, stage, day)
        if record is None:
            raise MissingPartition(
                f"{program}/{stage} has no record for {day}; make it first: {made_by(program, stage, day)}"
            )
        return record

    def days(self, program: str, stage: str) -> list[str]:
        """Days that have a record, oldest first."""
        return [name.removesuffix(".json") for name in self._files.names(f"records/{program}/{stage}")]
