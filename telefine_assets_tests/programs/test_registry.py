"""Versions in a real MLflow registry: servable, with their facts, and never half there."""

import json
import shutil
import sqlite3
from dataclasses import replace

import pytest

from telefine_assets.lm.opening import identity_of
from telefine_assets.programs.registry import (
    ALIAS,
    Origin,
    Owner,
    Registry,
    RegistryError,
    experiment_id,
    note_attestation,
)
from telefine_assets.programs.versions import first_version, make_version
from telefine_assets_tests.knn_lm import lm_settings
from telefine_assets_tests.programs.examples import tickets_spec
from telefine_assets_tests.programs.test_packaging import WITH_MLFLOW, alone
from telefine_assets_tests.traces.mlflow_store import empty_store

SPEC = tickets_spec()
FIRST = first_version(SPEC, {"model": "m"})
DATASETS = {"train": {"digest": "a" * 64, "n": 40}, "validation": {"digest": "b" * 64, "n": 20}}


def version(strategy: str, lm=None):
    return make_version(SPEC, FIRST.state, {"strategy": strategy}, "a" * 64, lm or {"model": "m", "adapter": "plain"})


V1, V2 = version("s1"), version("s2")


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mlflow")
    empty_store(folder)
    return folder


@pytest.fixture
def registry(template, tmp_path, monkeypatch):
    """A registry on an MLflow of its own; the process's own tracking URI leads nowhere."""
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    shutil.copytree(template, tmp_path / "mlflow")
    (database,) = (tmp_path / "mlflow").glob("*.db")
    return Registry(
        MlflowClient(tracking_uri=f"sqlite:///{database}"), SPEC, Owner("production", str(tmp_path / "artifacts"), True)
    )


@pytest.fixture
def run_id(registry):
    experiment = experiment_id(registry.client, "telefine/tickets", registry.owner)
    return registry.client.create_run(experiment).info.run_id


def origin(run_id, **changes):
    return Origin(
        run_id, **{"description": "1-s1 won", "baseline": FIRST.digest, "metrics": {"validation_score": 0.9}} | changes
    )


def test_an_attested_version_says_by_what_it_is_attested(registry, run_id):
    registry.register(V1, origin(run_id))
    registry.register(V2, origin(run_id))
    for _ in range(2):
        note_attestation(registry.client, "tickets", V2.digest, {"attestation": "0x" + "a" * 64})
    found = {each.tags["telefine.version"]: each.tags for each in registry.client.search_model_versions()}
    assert found[V2.digest]["telefine.attestation"] == "0x" + "a" * 64
    assert "telefine.attestation" not in found[V1.digest]


def test_an_attestation_of_a_version_that_mlflow_lost_says_how_to_get_it_back(registry):
    with pytest.raises(RegistryError, match="Materialise compiled_programs of this day again"):
        note_attestation(registry.client, "tickets", V1.digest, {"attestation": "0x" + "a" * 64})


def test_a_registered_version_says_what_it_was_made_from(registry, run_id):
    number = registry.register(V1, origin(run_id, datasets=DATASETS))
    made = registry.client.get_model_version("tickets", number)
    assert (number, made.description, made.run_id) == ("1", "1-s1 won", run_id)
    facts = {
        "version": V1.digest,
        "strategy": "s1",
        "trainset": "a" * 64,
        "lm": "m",
        "code": SPEC.code_digest,
        "baseline": FIRST.digest,
    }
    assert made.tags == {f"telefine.{name}": value for name, value in facts.items()}
    (model_id,) = (
        each.model_id
        for each in registry.client.search_logged_models([registry.client.get_run(run_id).info.experiment_id])
    )
    model = registry.client.get_logged_model(model_id)
    assert model.params == facts
    assert [(metric.key, metric.value) for metric in model.metrics] == [("validation_score", 0.9)]
    inputs = {each.tags[0].value: each.dataset for each in registry.client.get_run(run_id).inputs.dataset_inputs}
    assert {side: json.loads(each.source)["sha256"] for side, each in inputs.items()} == {
        "train": "a" * 64,
        "validation": "b" * 64,
    }


def test_a_version_keeps_its_number_however_often_it_is_registered(registry, run_id):
    numbers = [registry.register(each, origin(run_id)) for each in (V1, V2, V1)]
    registry.ensure(V2)
    assert numbers == ["1", "2", "1"]
    assert len(registry.client.search_model_versions("name = 'tickets'")) == 2


def test_the_champion_is_served_by_its_alias_in_a_fresh_process(registry, run_id, knn, tmp_path):
    chosen = version("s1", identity_of(lm_settings(knn)))
    registry.register(chosen, origin(run_id))
    registry.point(chosen.digest)
    answer = alone(
        tmp_path,
        WITH_MLFLOW,
        f"models:/tickets@{ALIAS}",
        json.dumps([{"ticket": "my password is locked"}]),
        knn.api_base,
        MLFLOW_TRACKING_URI=registry.client.tracking_uri,
    )
    assert answer == [{"team": "login"}]


def test_no_pickle_and_no_key_is_among_the_files(registry, run_id, knn, tmp_path):
    registry.register(version("s1", identity_of(lm_settings(knn, api_key="a-secret-key"))), origin(run_id))
    files = [path for path in (tmp_path / "artifacts").rglob("*") if path.is_file()]
    assert {"MLmodel", "program.json", "serve.py"} <= {path.name for path in files}
    assert not [path for path in files if path.suffix in (".pkl", ".pickle")]
    assert not [path for path in files if b"a-secret-key" in path.read_bytes()]


def test_the_alias_moves_to_registered_versions_only(registry, run_id):
    registry.register(V1, origin(run_id))
    registry.point(V1.digest)
    with pytest.raises(RegistryError, match=r"which serves.*telefine programs rollback --program tickets"):
        registry.point(V2.digest)
    assert registry.client.get_model_version_by_alias("tickets", ALIAS).tags["telefine.version"] == V1.digest


def test_another_deployment_moves_no_alias_and_adds_neither_run_nor_version(registry, run_id):
    registry.register(V1, origin(run_id))
    registry.point(V1.digest)
    trial = replace(registry, owner=replace(registry.owner, deployment="trial"))
    deeds = (
        lambda: trial.point(V1.digest),
        lambda: trial.register(V2, origin(run_id)),
        lambda: trial.ensure(V2),
        lambda: experiment_id(trial.client, "telefine/tickets", trial.owner),
    )
    for deed in deeds:
        with pytest.raises(RegistryError, match=r"deployment 'production', and this one is 'trial'.*program otherwise"):
            deed()
    assert registry.client.get_model_version_by_alias("tickets", ALIAS).tags["telefine.version"] == V1.digest
    assert registry.number_of(V2.digest) is None
    registry.register(V2, origin(run_id))
    registry.point(V2.digest)


def test_a_model_of_nobody_is_the_first_deployment_s_that_registers_there(registry, run_id):
    registry.client.create_registered_model("tickets")
    registry.register(V1, origin(run_id))
    with pytest.raises(RegistryError, match="'trial'"):
        replace(registry, owner=replace(registry.owner, deployment="trial")).point(V1.digest)


def test_a_version_that_mlflow_lost_is_registered_again_when_it_is_chosen(registry, run_id):
    registry.register(V1, origin(run_id))
    registry.client.delete_model_version("tickets", "1")
    registry.ensure(V1)
    registry.point(V1.digest)
    assert registry.client.get_model_version_by_alias("tickets", ALIAS).tags["telefine.version"] == V1.digest
    assert registry.number_of(V1.digest) == "2"


def test_a_version_whose_files_cannot_be_stored_is_not_registered_and_the_alias_stays(registry, run_id, tmp_path):
    registry.register(V1, origin(run_id))
    registry.point(V1.digest)
    models = tmp_path / "artifacts" / "telefine" / "tickets" / "models"
    before = sorted(path.name for path in models.iterdir())
    with sqlite3.connect(registry.client.tracking_uri.removeprefix("sqlite:///")) as store:
        store.execute("UPDATE experiments SET artifact_location = ?", [str(tmp_path / "mlflow" / "a file" / "x")])
    (tmp_path / "mlflow" / "a file").write_text("in the way")
    with pytest.raises((RegistryError, OSError)):
        registry.register(V2, origin(run_id))
    assert registry.number_of(V2.digest) is None
    assert registry.client.get_model_version_by_alias("tickets", ALIAS).tags["telefine.version"] == V1.digest
    assert sorted(path.name for path in models.iterdir()) == before


def test_what_a_person_chose_has_a_run_of_its_own(registry):
    registry.ensure(V1)
    made = registry.client.get_model_version("tickets", "1")
    run = registry.client.get_run(made.run_id)
    assert (run.info.status, run.data.tags["telefine.stage"]) == ("FINISHED", "chosen")
