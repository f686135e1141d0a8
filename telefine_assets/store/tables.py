"""Parquet tables, one file for each program, table and day.

The same rows give the same bytes: columns come in the schema's order, rows in
the caller's order, and nothing in the file depends on the clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING

from telefine_assets.canonical import sha256_hex
from telefine_assets.errors import TelefineError
from telefine_assets.store.files import Files

if TYPE_CHECKING:
    import pyarrow as pa


class MissingPartition(TelefineError):
    """A table has no file for a day; the message says what to materialise."""


class TableStore:
    """Reads and writes whole daily partitions."""

    def __init__(self, files: Files) -> None:
        """Keep tables below ``tables/`` of ``files``."""
        self._files = files

    @staticmethod
    def name(program: str, table: str, day: str) -> str:
        """Name of a partition's file."""
        return f"tables/{program}/{table}/{day}.parquet"

    def path(self, program: str, table: str, day: str) -> str:
        """Path of a partition's file, for people and for DuckDB."""
        return self._files.path(self.name(program, table, day))

    def exists(self, program: str, table: str, day: str) -> bool:
        """Whether the partition was ever written."""
        return self._files.exists(self.name(program, table, day))

    def write(self, program: str, table: str, day: str, rows: pa.Table) -> str:
        """Replace one partition; returns the SHA-256 of the file."""
        import pyarrow.parquet as pq

        buffer = BytesIO()
        pq.write_table(rows, buffer, compression="zstd")
        content = buffer.getvalue()
        self._files.write(self.name(program, table, day), content)
        return sha256_hex(content)

    def read(self, program: str, table: str, day: str) -> pa.Table:
        """One partition.

        Raises:
            MissingPartition: when it was never written.
        """
        import pyarrow.parquet as pq

        content = self._files.read(self.name(program, table, day))
        if content is None:
            raise MissingPartition(
                f"{program}/{table} has no partition {day}; materialise it first: "
                f"dagster asset materialize -m telefine_assets.definitions "
                f"--select {program}/{table} --partition {day}"
            )
        return pq.read_table(BytesIO(content))

    def read_days(self, program: str, table: str, days: Sequence[str]) -> pa.Table:
        """The partitions of ``days``, one after the other; all must exist."""
        import pyarrow as pa

        return pa.concat_tables([self.read(program, table, day) for day in days])

    def read_window(self, program: str, table: str, days: Sequence[str]) -> pa.Table:
        """The stored partitions of a window that ends with its last day.

        Earlier days may be missing: a deployment did not always run. The last
        one is what the window is for.

        Raises:
            MissingPartition: when the last day was never written.
        """
        earlier = [day for day in days[:-1] if self.exists(program, table, day)]
        return self.read_days(program, table, [*earlier, days[-1]])

    def days(self, program: str, table: str) -> list[str]:
        """Days whose partition exists, oldest first."""
        names = self._files.names(f"tables/{program}/{table}")
        return [name.removesuffix(".parquet") for name in names]
