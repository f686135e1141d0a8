"""What a source of traces is, and what it is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from telefine_assets.errors import TelefineError

if TYPE_CHECKING:
    import pyarrow as pa

PURPOSE = "telefine.purpose"
"""Tag of traces that Telefine's own compiling and evaluating left behind: never production."""
SOURCE_RUN = "mlflow.sourceRun"
TOKEN_USAGE = "mlflow.trace.tokenUsage"
SESSION = "mlflow.trace.session"


class TraceSourceError(TelefineError):
    """Traces cannot be read; nothing that was stored has changed."""


class SourceUnreachable(TraceSourceError):
    """The source does not answer, or another holds it: it may do so later."""


MOST_NAMED = 20
"""Experiments that are named where the one that was asked for is not there."""


def unknown_experiment(name: str, where: str, there: Sequence[str]) -> TraceSourceError:
    """The error of an experiment that is not at ``where`` (without credentials), where some of ``there`` are."""
    theirs = [repr(each) for each in there if not each.startswith("telefine/")]
    return TraceSourceError(
        f"MLflow has no experiment {name!r}; check programs.*.experiment and mlflow.tracking_uri: at {where} "
        f"there are {', '.join(theirs[:MOST_NAMED]) or 'none'}{', ...' if len(theirs) >= MOST_NAMED else ''}"
    )


@dataclass(frozen=True)
class OutcomeRange:
    """Only traces of which a valid feedback of this name lies in the range; None is unbounded."""

    feedback: str
    at_least: float | None = None
    at_most: float | None = None


@dataclass(frozen=True)
class Filters:
    """Which traces count; everything that is named must hold."""

    statuses: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    versions: tuple[str, ...] = ()
    outcome: OutcomeRange | None = None


@dataclass(frozen=True)
class TraceQuery:
    """The production traces of one program that started in ``[start_ms, end_ms)``, Unix milliseconds, UTC."""

    experiment: str
    start_ms: int
    end_ms: int
    input_fields: tuple[str, ...]
    filters: Filters = Filters()
    version_key: str = "mlflow.modelId"
    """Tag or metadata that names the program's version."""
    from_runs: Literal["skip", "keep"] = "skip"
    """Whether traces that were made inside an MLflow run are production traces."""
    spans: Literal["none", "all"] = "none"
    """Whether inner spans are kept."""

    @property
    def metadata_keys(self) -> tuple[str, ...]:
        """The trace metadata that is read; the rest says nothing that is kept."""
        return tuple(dict.fromkeys((SOURCE_RUN, TOKEN_USAGE, SESSION, self.version_key)))


class TraceSource(Protocol):
    """Reads a program's production traces, each exactly once, while others write."""

    @property
    def described(self) -> str:
        """Which source this is and why it was chosen, for people."""
        ...

    def read(self, query: TraceQuery) -> Iterator[pa.RecordBatch]:
        """Traces in the columns of ``records.trace_schema``, ordered by start and id.

        Memory is bounded by the size of a page, not by the number of traces.

        Raises:
            TraceSourceError: the experiment does not exist, or the store fails.
        """
        ...

    def fingerprints(self, query: TraceQuery) -> Iterator[pa.RecordBatch]:
        """``trace_id``, ``request_time_ms`` and ``fingerprint`` of the same traces, without reading spans."""
        ...

    def counts(self, query: TraceQuery) -> dict[str, int]:
        """How many traces :meth:`read` would bring, by UTC day (``YYYY-MM-DD``); days without any are left out."""
        ...
