"""Versions in MLflow's model registry: servable, with their facts, and the alias of the one that serves.

Everything goes through one explicit client: no tracking URI of the process, no
active run. ``mlflow.dspy.log_model`` is not used: it pickles, and writes the
language model's key into the files.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from telefine_assets.canonical import canonical_json
from telefine_assets.errors import TelefineError
from telefine_assets.programs.packaging import write_package
from telefine_assets.programs.spec import ProgramSpec
from telefine_assets.programs.versions import Version

if TYPE_CHECKING:
    from mlflow import MlflowClient

ALIAS = "champion"
_TAG = "telefine.version"
_OWNER = "telefine.deployment"
# MLflow keeps 36 characters of a dataset's digest; the source has it whole.
_DATASET_DIGEST = 32


class RegistryError(TelefineError):
    """MLflow's model registry does not do what was asked."""


class AnothersError(RegistryError):
    """What MLflow has under a name is another deployment's."""

    def __init__(self, said: str, cure: str) -> None:
        """Say whose it is, and what helps."""
        super().__init__(f"{said}. {cure}")
        self.said, self.cure = said, cure


@dataclass(frozen=True)
class Origin:
    """How a version came about."""

    run_id: str
    """The MLflow run that it belongs to."""
    description: str
    baseline: str | None = None
    """The version that it was compiled against."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    datasets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """``train`` and ``validation`` -> ``{"digest": SHA-256, "n": items}``."""


@dataclass(frozen=True)
class Owner:
    """The deployment whose experiments and versions they are."""

    deployment: str
    artifacts: str
    """Where the files of an experiment go that is made here; where it is empty, MLflow's server knows where."""
    own_server: bool
    """Whether its language model stands at an address of its own."""

    def require(self, tags: Mapping[str, str], what: str) -> None:
        """Refuse what another deployment made.

        Raises:
            AnothersError: naming both.
        """
        if (other := tags.get(_OWNER, self.deployment)) != self.deployment:
            raise AnothersError(
                f"MLflow's {what} belongs to the deployment {other!r}, and this one is {self.deployment!r}",
                "Call the program otherwise in this deployment's settings (its traces may stay in the same "
                "experiment), or set mlflow.tracking_uri to an MLflow of its own; if "
                f"{other!r} is given up, delete the tag {_OWNER} there",
            )


@dataclass(frozen=True)
class Registry:
    """One program's versions in MLflow."""

    client: MlflowClient
    spec: ProgramSpec
    owner: Owner

    def number_of(self, digest: str) -> str | None:
        """MLflow's number of a version; None for one that is not registered."""
        return registered_number(self.client, self.spec.name, digest)

    def register(self, version: Version, origin: Origin) -> str:
        """Register a version as a model from code; returns MLflow's number, which it keeps.

        Tags, the model's parameters (facts that never change), its metrics and
        the datasets of the run say what it was made from.

        Raises:
            RegistryError: when MLflow refuses, or the program there is another deployment's;
                no version is registered then.
            PackageError: when the version cannot leave Telefine.
        """
        with _told():
            _claim_model(self.client, self.spec.name, self.owner)
            found = self.number_of(version.digest)
            return found or self._registered(version, origin)

    def _registered(self, version: Version, origin: Origin) -> str:
        client, name, facts = self.client, self.spec.name, _facts(version, origin)
        experiment = client.get_run(origin.run_id).info.experiment_id
        with TemporaryDirectory() as folder:
            write_package(Path(folder), self.spec, version, self.owner.own_server)
            model = client.create_logged_model(
                experiment, name=name, source_run_id=origin.run_id, params=facts, tags={_TAG: version.digest}
            )
            client.log_model_artifacts(model.model_id, folder)
        client.finalize_logged_model(model.model_id, "READY")
        for key, value in origin.metrics.items():
            client.log_metric(origin.run_id, key, value, model_id=model.model_id)
        client.log_inputs(origin.run_id, [_dataset(name, side, facts) for side, facts in origin.datasets.items()])
        tags = {f"telefine.{key}": value for key, value in facts.items()}
        # The place, not models:/...: MLflow would look that up at the process's tracking URI.
        made = client.create_model_version(
            name,
            model.artifact_location,
            origin.run_id,
            tags=tags,
            description=origin.description,
            model_id=model.model_id,
        )
        return str(made.version)

    def ensure(self, version: Version) -> None:
        """Register a version that a person chose, in a run of its own, unless it is registered.

        Raises:
            RegistryError, PackageError: see ``register``.
        """
        with _told():
            if self.number_of(version.digest) is not None:
                return
            experiment = experiment_id(self.client, f"telefine/{self.spec.name}", self.owner)
            name = f"chosen {version.digest[:12]}"
            run_id = self.client.create_run(experiment, tags={"telefine.stage": "chosen"}, run_name=name).info.run_id
            status = "FAILED"
            try:
                self.register(version, Origin(run_id, "chosen by hand"))
                status = "FINISHED"
            finally:
                self.client.set_terminated(run_id, status=status)

    def point(self, digest: str) -> None:
        """Move the alias ``champion`` to a registered version.

        Raises:
            RegistryError: see ``point_champion``.
        """
        point_champion(self.client, self.spec.name, digest, self.owner)


def point_champion(client: MlflowClient, program: str, digest: str, owner: Owner) -> None:
    """Move the alias ``champion`` of a program's model to a registered version.

    Raises:
        RegistryError: when it is not registered, the model is another deployment's, or
            MLflow cannot be reached; the alias stays where it was.
    """
    with _told():
        number = registered_number(client, program, digest)
        if number is None:
            raise RegistryError(
                f"{program}: MLflow has no version with the tag {_TAG} = {digest[:12]}..., which serves. "
                "Register it again with telefine programs promote, or go back to the version before it "
                f"with telefine programs rollback --program {program} --reason REASON --by NAME"
            )
        _claim_model(client, program, owner)
        client.set_registered_model_alias(program, ALIAS, number)


def note_attestation(client: MlflowClient, program: str, digest: str, facts: Mapping[str, str]) -> None:
    """Tag a registered version with what attests its gain: ``telefine.attestation`` and what else is known of it.

    Raises:
        RegistryError: when it is not registered, or MLflow cannot be reached.
    """
    with _told():
        number = registered_number(client, program, digest)
        if number is None:
            raise RegistryError(
                f"{program}: MLflow has no version with the tag {_TAG} = {digest[:12]}..., which was attested. "
                "Materialise compiled_programs of this day again: it is registered there"
            )
        for key, value in facts.items():
            client.set_model_version_tag(program, number, f"telefine.{key}", value)


def registered_number(client: MlflowClient, program: str, digest: str) -> str | None:
    """MLflow's number of a program's version; None for one that is not registered."""
    for model in client.search_model_versions(f"name = '{program}'"):
        if model.tags.get(_TAG) == digest:
            return str(model.version)
    return None


def experiment_id(client: MlflowClient, name: str, owner: Owner) -> str:
    """The id of an experiment for a deployment's runs, made if it does not exist.

    Raises:
        RegistryError: when it is another deployment's.
    """
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        place = f"{owner.artifacts}/{name}" if owner.artifacts else None
        try:
            return str(client.create_experiment(name, artifact_location=place, tags={_OWNER: owner.deployment}))
        except MlflowException:
            # Another run made it in the meantime.
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    owner.require(found.tags, f"experiment {name!r}")
    return str(found.experiment_id)


def require_own(client: MlflowClient, owner: Owner, experiments: Iterable[str], models: Iterable[str]) -> None:
    """Refuse experiments and registered models that another deployment made; what is not there is not made.

    Raises:
        AnothersError: naming both deployments.
        RegistryError: MLflow cannot be asked.
    """
    with _told():
        for name in experiments:
            experiment = client.get_experiment_by_name(name)
            owner.require(experiment.tags if experiment else {}, f"experiment {name!r}")
        for name in models:
            owner.require(_model_tags(client, name), f"registered model {name!r}")


def _model_tags(client: MlflowClient, name: str) -> Mapping[str, str]:
    """Tags of a registered model; none of one that is not there."""
    from mlflow.exceptions import MlflowException

    try:
        return dict(client.get_registered_model(name).tags)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return {}


def _facts(version: Version, origin: Origin) -> dict[str, str]:
    content = json.loads(version.document)
    facts = {
        "version": version.digest,
        "strategy": str(content["strategy"].get("strategy")),
        "trainset": content["trainset"],
        "lm": str(content["lm"].get("model")),
        "code": content["code"],
        "baseline": origin.baseline or "",
    }
    return {key: value for key, value in facts.items() if value}


def _dataset(program: str, side: str, facts: Mapping[str, Any]) -> Any:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source = canonical_json({"sha256": facts["digest"]}).decode()
    profile = canonical_json({"num_rows": facts["n"]}).decode()
    dataset = Dataset(f"{program}/{side}", facts["digest"][:_DATASET_DIGEST], "telefine", source, profile=profile)
    return DatasetInput(dataset, [InputTag("mlflow.data.context", side)])


def _claim_model(client: MlflowClient, name: str, owner: Owner) -> None:
    """Make the registered model the deployment's own, unless it is another's."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name, tags={_OWNER: owner.deployment})
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        tags = client.get_registered_model(name).tags
        owner.require(tags, f"registered model {name!r}")
        if _OWNER not in tags:
            client.set_registered_model_tag(name, _OWNER, owner.deployment)


@contextmanager
def _told() -> Iterator[None]:
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        raise RegistryError(f"MLflow's model registry: {error}") from error
