"""One deployment, as its processes are seen: what a run does, what a sensor's tick does, what both ask of models."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

from telefine_assets.errors import TelefineError
from telefine_assets.lm.watching import Unwatched, Watch
from telefine_assets.observing.logs import about, log_run
from telefine_assets.observing.masking import Masker
from telefine_assets.observing.reporting import Reporting
from telefine_assets.observing.tracing import Tracing, parent_of_run
from telefine_assets.observing.watching import Watched
from telefine_assets.settings.observing import ObservingSettings

if TYPE_CHECKING:
    from telefine_assets.observing.counting import Counts, Tally
    from telefine_assets.settings.schema import Settings

logger = logging.getLogger("telefine.runs")
SUCCEEDED, FAILED, INTERRUPTED = "succeeded", "failed", "interrupted"
_INTERRUPTIONS = ("DagsterExecutionInterruptedError", "KeyboardInterrupt", "SystemExit", "GeneratorExit")


@dataclass(frozen=True)
class StageWork:
    """One stage that a run makes.

    Attributes:
        program: whose line.
        stage: the asset.
        partition: its day, or the first and the last of a range as ``FIRST..LAST``.
        run_id: Dagster's.
        tags: of the run.
    """

    program: str
    stage: str
    partition: str
    run_id: str
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def about(self) -> dict[str, str | None]:
        """What logs, spans and reports say of it."""
        names = ("program", "stage", "partition", "run_id")
        return {name: getattr(self, name) for name in names}


class Observer:
    """What the settings want to be seen. Nothing is opened, started or imported before something happens."""

    def __init__(self, settings: ObservingSettings, deployment: str, home: Path, masker: Masker) -> None:
        """See the work of a deployment that lives in ``home``."""
        self.settings, self._deployment, self._home, self._masker = settings, deployment, home, masker

    @classmethod
    def of(cls, settings: Settings) -> Observer:
        """The observer of a deployment."""
        return cls(settings.observing, settings.deployment, settings.home, Masker.of(settings))

    def opened(self) -> Observer:
        """Itself, with all that the settings ask for: who lacks something finds out before any work is done.

        Raises:
            MissingExtra: something is not installed.
        """
        assert self.tracing and self.reporting
        return self

    @cached_property
    def tracing(self) -> Tracing:
        """Spans."""
        return Tracing(self.settings.otlp_endpoint, "telefine", self._deployment)

    @cached_property
    def reporting(self) -> Reporting:
        """Errors that nobody expected."""
        dsn = self.settings.sentry_dsn
        return Reporting(dsn.get_secret_value() if dsn else None, self._deployment)

    @cached_property
    def counts(self) -> Counts:
        """What this process counted."""
        from telefine_assets.observing.counting import Counts

        return Counts()

    @cached_property
    def tally(self) -> Tally:
        """What all processes of this machine counted."""
        from telefine_assets.observing.counting import Tally

        return Tally(self.settings.metrics, self._home, self._deployment)

    @contextmanager
    def stage(self, work: StageWork) -> Iterator[None]:
        """Around the making of a stage: logged, timed, counted, traced; an error that leaves it is reported.

        Raises:
            MissingExtra: something that the settings ask for is not installed; nothing was begun.
        """
        self.opened()
        log_run(self.settings, self._masker)
        parent = parent_of_run(work.run_id, work.tags)
        with (
            about(**work.about),
            self._counted(work),
            self.tracing.span(f"stage {work.stage}", "CONSUMER", parent, **work.about),
            self._watched(work),
        ):
            yield

    @contextmanager
    def tick(self, name: str) -> Iterator[None]:
        """Around a tick of a schedule or sensor: an error that nobody expected is reported."""
        self.opened()
        log_run(self.settings, self._masker)
        with about(sensor=name), self.tracing.span(f"tick {name}", sensor=name):
            try:
                yield
            except TelefineError:
                # Somebody can put it right, and the daemon's own alert and metric tell of it at every tick.
                raise
            except Exception as error:
                self.reporting.report(error, {"sensor": name})
                raise

    @contextmanager
    def _counted(self, work: StageWork) -> Iterator[None]:
        began, outcome = time.monotonic(), SUCCEEDED
        logger.info("%s of %s begins", work.stage, work.partition)
        for each in (SUCCEEDED, FAILED, INTERRUPTED):
            # What did not happen is 0: of a series that begins at 1 nobody sees the increase.
            self.counts.stages.labels(work.program, work.stage, each)
        try:
            with self._told_now_and_then():
                yield
        except BaseException as error:
            outcome = INTERRUPTED if type(error).__name__ in _INTERRUPTIONS else FAILED
            self._failed(work, error, outcome)
            raise
        finally:
            seconds = time.monotonic() - began
            told = {"outcome": outcome, "seconds": round(seconds, 3)}
            logger.info("%s of %s %s after %.1f s", work.stage, work.partition, outcome, seconds, extra=told)
            self.counts.stages.labels(work.program, work.stage, outcome).inc()
            self.counts.stage_seconds.labels(work.program, work.stage).observe(seconds)
            self.tally.add(self.counts)
            self.reporting.flush()
            self.tracing.flush()

    def _failed(self, work: StageWork, error: BaseException, outcome: str) -> None:
        self.counts.stage_errors.labels(work.program, work.stage, type(error).__name__).inc()
        if outcome == FAILED:
            self.reporting.report(error, work.about)

    @contextmanager
    def _watched(self, work: StageWork) -> Iterator[None]:
        token = _work.set((self, work))
        try:
            yield
        finally:
            _work.reset(token)

    @contextmanager
    def _told_now_and_then(self) -> Iterator[None]:
        """A compile may take hours: what it counted until now is written at once, and now and then."""
        ended = Event()

        def tell() -> None:
            self.tally.add(self.counts)
            while not ended.wait(self.settings.metrics.every_seconds):
                self.tally.add(self.counts)

        thread = Thread(target=tell, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


_work: ContextVar[tuple[Observer, StageWork] | None] = ContextVar("telefine_work", default=None)
UNOBSERVED = Observer(ObservingSettings(), "telefine", Path(), Masker())


def watch_of(model: str) -> Watch:
    """Who is told what a model is asked in the stage that is being made here; outside of one, nobody."""
    found = _work.get()
    if found is None:
        return Unwatched()
    observer, work = found
    return Watched(observer.counts, observer.tracing, work.program, work.stage, model)


@contextmanager
def waiting_for_turn() -> Iterator[None]:
    """Around waiting until models may be asked."""
    found, began = _work.get(), time.monotonic()
    yield
    if found is not None:
        observer, work = found
        observer.counts.turns.labels(work.program, work.stage).inc(time.monotonic() - began)
