"""One canonical JSON document for each program, stage and day."""

from __future__ import annotations

import json
from typing import Any

from telefine_assets.canonical import canonical_json, sha256_hex
from telefine_assets.errors import TelefineError
from telefine_assets.store.files import Files
from telefine_assets.store.tables import MissingPartition, made_by


class BrokenRecord(TelefineError):
    """A stored record is not what its stage writes; the message names it and the command that makes it again."""

    def __init__(self, what: tuple[str, str, str], wrong: str) -> None:
        """Say what is ``wrong`` with the record of a program, a stage and a day."""
        program, stage, day = what
        self.said = f"the record of {program}/{stage} for {day} {wrong}"
        self.cure = f"make it again: {made_by(*what)}"
        super().__init__(f"{self.said}; {self.cure}")


class Record(dict[str, Any]):
    """A record or an object in it: what it lacks is told with the record's name, which no ``KeyError`` knows."""

    def __init__(self, values: dict[str, Any], what: tuple[str, str, str]) -> None:
        """Hold ``values`` of the record of a program, a stage and a day."""
        super().__init__(values)
        self._what = what

    def __missing__(self, key: str) -> Any:
        """Refuse: the stage writes ``key`` into every record."""
        raise BrokenRecord(self._what, f"lacks {key!r}")

    def __or__(self, more: Any) -> Any:
        """A record with more in it."""
        return Record({**self, **more}, self._what)


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
        """A record, or None when the stage has not run for that day.

        Raises:
            BrokenRecord: it is no record; and later, where a part is asked for that it lacks.
        """
        content, what = self._files.read(self.name(program, stage, day)), (program, stage, day)
        if content is None:
            return None
        try:
            record = json.loads(content, object_hook=lambda part: Record(part, what))
        except ValueError:
            raise BrokenRecord(what, "is no JSON") from None
        if not isinstance(record, Record):
            raise BrokenRecord(what, "is no object")
        return record

    def read(self, program: str, stage: str, day: str) -> dict[str, Any]:
        """A record.

        Raises:
            MissingPartition: when the stage has not run for that day.
            BrokenRecord: as ``find`` does.
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
