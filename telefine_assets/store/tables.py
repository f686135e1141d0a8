"""Parquet tables, one file for each program, table and day.

The same rows give the same bytes: columns come in the schema's order, rows in
the caller's order, and nothing in the file depends on the clock.

They are read without Arrow's threads: one that lets go of Python's bytes while the
interpreter ends takes the whole process down, after its work is done; and with one
file of one stream threads make nothing faster.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

from telefine_assets.canonical import sha256_hex
from telefine_assets.errors import TelefineError
from telefine_assets.store.files import Files
from telefine_assets.store.row_groups import row_groups

if TYPE_CHECKING:
    import pyarrow as pa


def made_by(program: str, stage: str, day: str) -> str:
    """The command that makes a day of a stage."""
    return f"telefine run {stage} --program {program} --day {day}"


class MissingPartition(TelefineError):
    """A table has no file for a day; the message says what to materialise."""


@dataclass(frozen=True)
class Written:
    """A partition that was written."""

    digest: str
    """SHA-256 of the file."""
    rows: int


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

    def write_batches(
        self, program: str, table: str, day: str, batches: Iterable[pa.RecordBatch], schema: pa.Schema
    ) -> Written:
        """Replace one partition by a stream of rows, holding one row group at a time.

        When the stream fails, the old partition stands as it was.
        """
        import pyarrow.parquet as pq

        rows = 0
        with self._files.writing(self.name(program, table, day)) as file:
            with pq.ParquetWriter(file.stream, schema, compression="zstd") as writer:
                for group in row_groups(batches, schema):
                    writer.write_table(group, row_group_size=group.num_rows)
                    rows += group.num_rows
            return Written(file.digest(), rows)

    def batches(
        self, program: str, table: str, day: str, columns: Sequence[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """The rows of one partition, a row group at a time.

        Raises:
            MissingPartition: when it was never written.
        """
        import pyarrow.parquet as pq

        with self._files.reading(self.name(program, table, day)) as stream:
            if stream is None:
                raise self._missing(program, table, day)
            file = pq.ParquetFile(stream)
            for group in range(file.num_row_groups):
                yield from file.read_row_group(group, columns, use_threads=False).to_batches()

    def read(self, program: str, table: str, day: str) -> pa.Table:
        """One partition.

        Raises:
            MissingPartition: when it was never written.
        """
        import pyarrow.parquet as pq

        content = self._files.read(self.name(program, table, day))
        if content is None:
            raise self._missing(program, table, day)
        return pq.ParquetFile(BytesIO(content)).read(use_threads=False)

    @staticmethod
    def _missing(program: str, table: str, day: str) -> MissingPartition:
        return MissingPartition(
            f"{program}/{table} has no partition {day}; make it first: {made_by(program, table, day)}"
        )

    def columns(self, program: str, table: str, day: str, names: Sequence[str]) -> pa.Table:
        """Some columns of one partition; the others are not read."""
        import pyarrow as pa

        schema = self.schema(program, table, day)
        return pa.Table.from_batches(
            self.batches(program, table, day, names), pa.schema([schema.field(name) for name in names])
        )

    def schema(self, program: str, table: str, day: str) -> pa.Schema:
        """Columns and types of one partition."""
        return self._footer(program, table, day).schema.to_arrow_schema()

    def rows(self, program: str, table: str, day: str) -> int:
        """Number of rows of one partition."""
        return int(self._footer(program, table, day).num_rows)

    def _footer(self, program: str, table: str, day: str) -> Any:
        import pyarrow.parquet as pq

        with self._files.reading(self.name(program, table, day)) as stream:
            if stream is None:
                raise self._missing(program, table, day)
            return pq.read_metadata(stream)

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
