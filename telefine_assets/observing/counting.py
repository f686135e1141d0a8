"""Counts of what only a run knows, summed up over all runs of a machine in one file.

A run is short, and several may go on at once: a gauge of each would be overwritten, and a counter of
each would start at zero again and again. So every process adds what is new since it last did to one
file in Prometheus' text format, under a lock. The file is what node_exporter, a Pushgateway or the API
tell. A file that is lost is a counter that starts again, which Prometheus knows.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import logging
import os
import socket
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from threading import Lock, Thread

from filelock import FileLock, Timeout
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, push_to_gateway
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from telefine_assets.canonical import sha256_hex
from telefine_assets.settings.observing import CountsSettings

logger = logging.getLogger("telefine.observing")
JOB = "telefine_runs"
_LABELS = ("program", "stage")
_OF_MODELS = (*_LABELS, "model")
_STAGE_SECONDS = (1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400)
_CALL_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120)
_WAIT_SECONDS = 10.0
_PUSH_SECONDS = 2.0
_CREATED = "_created"
Sample = tuple[str, tuple[tuple[str, str], ...]]
"""Name and labels."""


class Counts:
    """What one process counted. Threads may share one."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.told: dict[Sample, float] = {}
        """What of it was added to a tally."""
        self.registry = registry = CollectorRegistry()
        self.stages = Counter(
            "telefine_stage_runs", "Stages that ended, by outcome.", (*_LABELS, "outcome"), registry=registry
        )
        self.stage_seconds = Histogram(
            "telefine_stage_duration_seconds",
            "From a stage's begin to its end, however it ended.",
            _LABELS,
            buckets=_STAGE_SECONDS,
            registry=registry,
        )
        self.stage_errors = Counter(
            "telefine_stage_errors", "Stages that failed, by class of error.", (*_LABELS, "error"), registry=registry
        )
        self.attempts = Counter(
            "telefine_lm_attempts",
            "Requests to language models: answered, or the class of error.",
            (*_OF_MODELS, "outcome"),
            registry=registry,
        )
        self.attempt_seconds = Histogram(
            "telefine_lm_attempt_duration_seconds",
            "Of one request to a language model, answered or not; waiting for one's turn is not in it.",
            _OF_MODELS,
            buckets=_CALL_SECONDS,
            registry=registry,
        )
        self.retries = Counter("telefine_lm_retries", "Requests that were sent again.", _OF_MODELS, registry=registry)
        self.remembered = Counter(
            "telefine_lm_remembered", "Questions that the journal answered.", _OF_MODELS, registry=registry
        )
        self.batches = Counter(
            "telefine_lm_batches",
            "Groups of questions that ended, such as a contender's round: how far a compile has come.",
            _OF_MODELS,
            registry=registry,
        )
        self.tokens = Counter(
            "telefine_lm_tokens", "Tokens that models say they used.", (*_OF_MODELS, "direction"), registry=registry
        )
        self.turns = Counter(
            "telefine_lm_turn_wait_seconds",
            "For how long work waited until it might ask its models (lm.runs_at_once).",
            _LABELS,
            registry=registry,
        )


class Tally:
    """The file in which the counts of all processes of a machine are summed up."""

    def __init__(self, settings: CountsSettings, home: Path, deployment: str) -> None:
        """Keep it where the settings say; by default in the ``home`` of the ``deployment``."""
        self._own = _folder(settings, home) if settings.textfile_dir is None else None
        self.path = (self._own or settings.textfile_dir or home) / "telefine.prom"
        self._pushgateway = settings.pushgateway
        # Two deployments of a machine are two groups of the gateway: the later one would take the other's place.
        self._key = {"instance": socket.gethostname(), "home": sha256_hex(f"{deployment}\n{home}".encode())[:12]}
        self._lock = Lock()

    def add(self, counts: Counts) -> None:
        """Add what ``counts`` counted since the last call. What goes wrong is logged: no run fails for it."""
        try:
            with self._lock:
                new = self._add(counts)
            if new and self._pushgateway is not None:
                self._push(self._pushgateway)
        except Exception as error:  # noqa: BLE001 - a disk that is full, a gateway that is away: the work goes on
            logger.warning("counts could not be written to %s: %s", self.path, type(error).__name__)

    def read(self) -> list[Metric]:
        """Everything that was counted; nothing where no run was."""
        try:
            return list(text_string_to_metric_families(self.path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return []

    def _add(self, counts: Counts) -> bool:
        """Whether there was anything new."""
        self._require_folder()
        with FileLock(f"{self.path}.lock", timeout=_WAIT_SECONDS):
            # Read once, and under the lock: threads go on counting, and what is added is what is told.
            families = list(counts.registry.collect())
            now = {key: value for family in families for key, value in _samples(family)}
            if now == counts.told:
                return False
            self._replace(generate_latest(_Summed(self._kept(), families, counts.told)))
            counts.told = now
            return True

    def _push(self, gateway: str) -> None:
        """Hand the sums on, in a thread of its own: the client's timeout is of each byte that is waited for."""
        pushing = Thread(target=self._push_newest, args=(gateway,), daemon=True)
        pushing.start()
        pushing.join(_PUSH_SECONDS)

    def _push_newest(self, gateway: str) -> None:
        pushed = None
        try:
            # One at a time: an older sum must not come after a newer one. Who finds another at it leaves it to that
            # one, which looks again after it let go.
            while pushed != (newest := self.path.read_bytes()):
                with FileLock(f"{self.path}.push.lock", timeout=0):
                    newest = self.path.read_bytes()
                    summed = _Summed(text_string_to_metric_families(newest.decode()), (), {})
                    push_to_gateway(gateway, JOB, summed, self._key, timeout=_PUSH_SECONDS)
                    pushed = newest
        except Timeout:
            return
        except Exception as error:  # noqa: BLE001 - a gateway that is away: the next push has it all
            logger.warning("counts could not be handed to observing.metrics.pushgateway: %s", type(error).__name__)

    def _kept(self) -> list[Metric]:
        try:
            return self.read()
        except ValueError:
            logger.warning("%s was not in Prometheus' text format: counts begin anew", self.path)
            return []

    def _require_folder(self) -> None:
        """Make the folder. One of our own, into which others may write, is refused: they could place links there."""
        if self._own is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return
        self._own.parent.mkdir(parents=True, exist_ok=True)
        self._own.mkdir(mode=0o700, exist_ok=True)
        found = self._own.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise PermissionError(f"{self._own} must be a folder of this user, into which nobody else may write")

    def _replace(self, content: bytes) -> None:
        beside = self.path.with_suffix(f".{os.getpid()}.new")
        # Of a process that was killed and had the same number.
        beside.unlink(missing_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            # For node_exporter, which is another user.
            os.fchmod(descriptor, 0o644)
        beside.replace(self.path)


def _folder(settings: CountsSettings, home: Path) -> Path:
    """In the home; where a gateway keeps them, by machine: others may share the home, and push their own."""
    return home / "observing" / (socket.gethostname() if settings.pushgateway else "")


class _Summed(Collector):
    """What was kept, and what is new of a process beside what it had told."""

    def __init__(self, kept: Iterable[Metric], own: Iterable[Metric], told: dict[Sample, float]) -> None:
        self._families = {family.name: (family, dict(_samples(family))) for family in kept}
        for family in own:
            _, summed = self._families.setdefault(family.name, (family, {}))
            for key, value in _samples(family):
                summed[key] = summed.get(key, 0.0) + value - told.get(key, 0.0)

    def collect(self) -> Iterator[Metric]:
        for family, summed in self._families.values():
            metric = Metric(family.name, family.documentation, family.type)
            for (name, labels), value in summed.items():
                metric.add_sample(name, dict(labels), value)
            yield metric


def _samples(family: Metric) -> Iterator[tuple[Sample, float]]:
    """Its samples by name and labels; when each began to be counted is nobody's matter."""
    for each in family.samples:
        if not each.name.endswith(_CREATED):
            yield (each.name, tuple(sorted(each.labels.items()))), each.value
