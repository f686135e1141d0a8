"""Champion, alias and files: what a failed compile leaves alone, and what is said of a champion that was lost."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from mlflow import MlflowClient

from telefine_assets.definitions import build_defs
from telefine_assets.ledger.champions import Champions
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.records import Promotion
from telefine_assets.lm.opening import identity_of
from telefine_assets.programs.registry import ALIAS, Origin, Owner, Registry, experiment_id
from telefine_assets.programs.spec import load_spec
from telefine_assets.programs.versions import first_version, make_version
from telefine_assets.settings.loading import load_settings
from telefine_assets.store.evidence import EvidenceStore
from telefine_assets.store.files import Files
from telefine_assets.store.records import RecordStore
from telefine_assets_tests.traces.deployment import FIRST, LAST, MIDDLE, Deployment, three_days

KEY = "0x" + "4c" * 32


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return three_days(tmp_path_factory.mktemp("template"))


@pytest.fixture
def served(template, tmp_path, monkeypatch):
    """A version serves that was attested on the first day; the language model cannot be reached."""
    monkeypatch.setenv("TELEFINE_LM__NUM_RETRIES", "0")
    monkeypatch.setenv("TELEFINE_LM__API_KEY", "any")
    monkeypatch.setenv("TELEFINE_SIGNER__KIND", "environment")
    monkeypatch.setenv("TELEFINE_SIGNER__PRIVATE_KEY", KEY)
    made = Deployment(template, tmp_path)
    made.settings = load_settings(tmp_path / "telefine.yaml")
    made.defs = build_defs(made.settings)
    spec, lm = load_spec("tickets", made.settings.program("tickets")), identity_of(made.settings.lm)
    first = first_version(spec, lm)
    made.version = make_version(spec, first.state, {"strategy": "labeled_few_shot"}, "a" * 64, lm)
    EvidenceStore(Files(made.settings.store.uri)).put(made.version.document)
    Champions(Ledger(made.settings.ledger.url)).promote(
        Promotion("tickets", FIRST, made.version.digest, first.digest, "0x1"), datetime(2026, 11, 3, tzinfo=UTC)
    )
    made.client = MlflowClient(tracking_uri=made.settings.mlflow.tracking_uri)
    owner = Owner(made.settings.deployment, str(made.settings.home / "mlflow-artifacts"), True)
    run = made.client.create_run(experiment_id(made.client, "telefine/tickets", owner))
    registry = Registry(made.client, spec, owner)
    registry.register(made.version, Origin(run.info.run_id, "won"))
    registry.point(made.version.digest)
    return made


def materialise(deployment, instance, stage, day):
    return dg.materialize(
        [*deployment.defs.assets],
        selection=dg.AssetSelection.assets(f"tickets/{stage}"),
        instance=instance,
        resources=deployment.defs.resources,
        partition_key=day,
        raise_on_error=False,
    )


def state_of(deployment):
    """Champion, alias, versions, ledger and files of a deployment."""
    alias = deployment.client.get_model_version_by_alias("tickets", ALIAS)
    with sqlite3.connect(deployment.settings.ledger.url.removeprefix("sqlite:///")) as ledger:
        rows = {table: ledger.execute(f"SELECT * FROM {table}").fetchall() for table in ("champions", "audit", "looks")}
    artifacts = Path(deployment.settings.home / "mlflow-artifacts")
    models = {path: path.read_bytes() for path in artifacts.rglob("models/**/*") if path.is_file()}
    versions = [each.version for each in deployment.client.search_model_versions("name = 'tickets'")]
    return alias.tags, rows, models, versions, deployment.files()


def kept(deployment, day):
    """The record of a day without an attestation."""
    nothing = {"outcome": "not_reached", "reason": "no candidate", "uid": None, "bundle": None}
    RecordStore(Files(deployment.settings.store.uri)).write("tickets", "attestations", day, nothing)


def test_a_failed_compile_leaves_champion_alias_versions_and_files_as_they_were(served):
    with dg.instance_for_test() as instance:
        assert served.run(instance, FIRST, MIDDLE, LAST).success
        before = state_of(served)
        failed = materialise(served, instance, "compiled_programs", LAST)
        (event,) = [each for each in failed.all_events if each.is_step_failure]
    assert "language model" in str(event.event_specific_data)
    assert state_of(served) == before
    assert before[0]["telefine.version"] == served.version.digest


def test_a_day_without_an_attestation_keeps_the_champion_and_its_alias(served):
    kept(served, LAST)
    served.client.delete_registered_model_alias("tickets", ALIAS)
    with dg.instance_for_test() as instance:
        assert materialise(served, instance, "champions", LAST).success
    alias = served.client.get_model_version_by_alias("tickets", ALIAS)
    assert alias.tags["telefine.version"] == served.version.digest


def test_a_champion_that_was_deleted_in_mlflow_fails_the_stage_with_the_cure_and_nothing_takes_its_place(served):
    kept(served, LAST)
    served.client.delete_model_version("tickets", "1")
    with dg.instance_for_test() as instance:
        failed = materialise(served, instance, "champions", LAST)
        (event,) = [each for each in failed.all_events if each.is_step_failure]
    assert not failed.success
    assert "telefine programs rollback --program tickets" in str(event.event_specific_data)
    assert served.client.get_registered_model("tickets").aliases == {}


def test_a_champion_whose_evidence_is_gone_fails_the_compile_with_the_cure(served):
    with dg.instance_for_test() as instance:
        assert served.run(instance, FIRST, MIDDLE, LAST).success
        (served.home / "store" / EvidenceStore.name(served.version.digest)).unlink()
        before = state_of(served)
        failed = materialise(served, instance, "compiled_programs", LAST)
        (event,) = [each for each in failed.all_events if each.is_step_failure]
    assert "telefine programs rollback --program tickets" in str(event.event_specific_data)
    assert state_of(served) == before
