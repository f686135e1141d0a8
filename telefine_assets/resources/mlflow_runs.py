"""MLflow: where traces are read from, and where every asset partition has a run of its own.

Nothing global is touched: no tracking URI, no active run. Two Dagster runs in
one process do not see each other.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

from telefine_assets.resources.quiet import QuietResource

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from telefine_assets.ledger.records import Champion
    from telefine_assets.programs.registry import Owner
    from telefine_assets.programs.spec import ProgramSpec
    from telefine_assets.programs.versions import Version
    from telefine_assets.traces.sources.protocol import TraceSource


@dataclass(frozen=True)
class RunLog:
    """One open MLflow run."""

    client: MlflowClient
    run_id: str
    url: str | None
    owner: Owner
    prefix: str = ""
    """Keeps the stages apart where they share a run."""

    def facts(self, values: Mapping[str, object]) -> None:
        """Set what the stage found, as tags: a partition that is made again may find something else.

        MLflow's parameters can never change, and one run stands for one partition.
        """
        _set_tags(self.client, self.run_id, {f"telefine.{self.prefix}{key}": each for key, each in values.items()})

    def metrics(self, values: Mapping[str, float]) -> None:
        """Log metrics."""
        from mlflow.entities import Metric

        now = time.time_ns() // 1_000_000
        logged = [Metric(f"{self.prefix}{key}", float(value), now, 0) for key, value in values.items()]
        self.client.log_batch(self.run_id, metrics=logged)

    def file(self, name: str, content: bytes) -> None:
        """Log a file."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / Path(name).name
            path.write_bytes(content)
            parent = str(Path(self.prefix + name).parent)
            self.client.log_artifact(self.run_id, str(path), None if parent == "." else parent)

    def register_program(self, spec: ProgramSpec, version: Version, record: Mapping[str, Any]) -> str:
        """Register what a compile came to as a servable model; ``record`` is that of ``compiled_programs``.

        Returns MLflow's number, which a version keeps.
        """
        from telefine_assets.programs.catalogue import validation_ppm
        from telefine_assets.programs.registry import Origin, Registry

        score = validation_ppm(record)
        origin = Origin(
            self.run_id,
            record["reason"],
            record["baseline"],
            {} if score is None else {f"{self.prefix}validation_score": score / 1e6},
            {"train": record["trainset"], "validation": record["validation"]},
        )
        return Registry(self.client, spec, self.owner).register(version, origin)

    def log_attestation(self, program: str, record: Mapping[str, Any], bundle: bytes) -> None:
        """Log an attestation, and tag the version that it is about with where it is; ``record`` is the stage's.

        Raises:
            RegistryError: when MLflow has lost the version.
        """
        from telefine_assets.programs.registry import note_attestation

        self.file("attestation.json", bundle)
        facts = {"attestation": record["uid"], "attestation.sha256": record["bundle"], "attestation.run": self.run_id}
        note_attestation(self.client, program, record["candidate"], facts)

    def set_champion(self, name: str, champion: Champion | None) -> None:
        """Point the model's alias ``champion`` at the version that serves now.

        Raises:
            RegistryError: when MLflow has lost it, or the model is another deployment's; the alias stays.
        """
        from telefine_assets.programs.registry import point_champion

        if champion is not None:
            point_champion(self.client, name, champion.version, self.owner)


class MlflowResource(QuietResource):
    """MLflow at one tracking URI."""

    tracking_uri: str
    ui_url: str | None = None
    artifacts: str
    deployment: str
    own_server: bool
    """Whether the language model stands at an address of its own."""
    trace_source: Literal["auto", "direct", "api"] = "auto"

    def source(self, files: str | None = None) -> TraceSource:
        """Where traces are read from: MLflow, in the way of the settings, or exported files."""
        from telefine_assets.traces.sources.opening import open_source

        return open_source(self.trace_source, self.tracking_uri, files)

    def experiment_url(self, name: str) -> str | None:
        """Link to the traces of an experiment, if the settings say where MLflow's UI is."""
        found = client_of(self.tracking_uri).get_experiment_by_name(name)
        if self.ui_url is None or found is None:
            return None
        return f"{self.ui_url.rstrip('/')}/#/experiments/{found.experiment_id}/traces"

    @contextmanager
    def run(self, program: str, stage: str, day: str, dagster_run_id: str) -> Iterator[RunLog]:
        """The MLflow run of one asset partition: made the first time, opened again by a rerun.

        It ends as the block ends: FINISHED, or FAILED when an exception leaves it.
        """
        client = client_of(self.tracking_uri)
        experiment = self.experiment_id(f"telefine/{program}")
        tags = {"telefine.stage": stage, "telefine.day": day}
        query = " AND ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())
        found = client.search_runs([experiment], query, max_results=1, order_by=["attributes.start_time ASC"])
        if found:
            run_id = found[0].info.run_id
            client.update_run(run_id, status="RUNNING")
        else:
            run_id = client.create_run(experiment, tags=tags, run_name=f"{stage} {day}").info.run_id
        _set_tags(client, run_id, {"dagster.run_id": dagster_run_id})
        status = "FAILED"
        try:
            yield RunLog(client, run_id, self.run_url(experiment, run_id), self.owner)
            status = "FINISHED"
        finally:
            client.set_terminated(run_id, status=status)

    def run_url(self, experiment_id: str, run_id: str) -> str | None:
        """Link to a run, if the settings say where MLflow's UI is."""
        return f"{self.ui_url.rstrip('/')}/#/experiments/{experiment_id}/runs/{run_id}" if self.ui_url else None

    def experiment_id(self, name: str) -> str:
        """The id of an experiment for runs, made if it does not exist; another deployment's is refused."""
        from telefine_assets.programs.registry import experiment_id

        return experiment_id(client_of(self.tracking_uri), name, self.owner)

    @property
    def owner(self) -> Owner:
        """Whose runs and versions they are."""
        from telefine_assets.programs.registry import Owner

        return Owner(self.deployment, self.artifacts, self.own_server)


def _set_tags(client: MlflowClient, run_id: str, values: Mapping[str, object]) -> None:
    """Set tags of a run that another process may have open, too.

    Of two that give a run its first tag of a name with ``set_tag`` at once, MLflow
    fails one; in batches it tries again.
    """
    from mlflow.entities import RunTag

    client.log_batch(run_id, tags=[RunTag(key, str(value)) for key, value in values.items()])


@lru_cache
def client_of(tracking_uri: str) -> Any:
    """MLflow's client; one for each process and address."""
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=tracking_uri)
