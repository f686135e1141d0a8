"""A trace id that stands on two stored days: the newer row counts, and no stage of the window stops."""

from dataclasses import replace

import dagster as dg
import pytest

from telefine_assets.definitions import build_defs
from telefine_assets.settings.loading import load_settings
from telefine_assets.store.files import Files
from telefine_assets.store.kept import RemovedError, keep_from
from telefine_assets.store.records import RecordStore
from telefine_assets.store.tables import TableStore
from telefine_assets.traces.records import cleaned_to_table
from telefine_assets_tests.attribution.signing import ADA, BOB, trace
from telefine_assets_tests.traces.deployment import FIRST, MIDDLE, Deployment
from telefine_assets_tests.traces.mlflow_store import empty_store

VICTIMS = trace(1, "hello world", ADA.address, day=FIRST)
FIRST_LOGGED = trace(9, "hello world", BOB.address, day=FIRST)
LOGGED_AGAIN = replace(FIRST_LOGGED, day=MIDDLE, arrival_ms=10)


@pytest.fixture
def deployment(tmp_path, monkeypatch):
    for name, value in {"LM__API_KEY": "any", "SIGNER__KIND": "environment", "SIGNER__PRIVATE_KEY": "4c" * 32}.items():
        monkeypatch.setenv(f"TELEFINE_{name}", value)
    empty_store(tmp_path / "template")
    made = Deployment(tmp_path / "template", tmp_path)
    made.settings = load_settings(tmp_path / "telefine.yaml")
    made.defs = build_defs(made.settings)
    tables = TableStore(Files(made.settings.store.uri))
    tables.write("tickets", "cleaned_traces", FIRST, cleaned_to_table([VICTIMS, FIRST_LOGGED]))
    tables.write("tickets", "cleaned_traces", MIDDLE, cleaned_to_table([LOGGED_AGAIN]))
    return made


def told_by(deployment, instance, stage):
    """The metadata of a stage's second day."""
    key = dg.AssetKey(["tickets", stage])
    ran = dg.materialize(
        [*deployment.defs.assets],
        selection=dg.AssetSelection.assets(key),
        instance=instance,
        resources=deployment.defs.resources,
        partition_key=MIDDLE,
    )
    return ran.asset_materializations_for_node("__".join(key.path))[0].metadata


def test_whoever_logs_a_trace_again_on_another_day_stops_nobodys_pay(deployment):
    records = RecordStore(Files(deployment.settings.store.uri))
    with dg.instance_for_test() as instance:
        told = [told_by(deployment, instance, stage) for stage in ("compiled_programs", "deltaone_reports")]
        compiled = records.read("tickets", "compiled_programs", MIDDLE)
        demo = {"cluster": "hello", "trace_id": VICTIMS.trace_id, "quality_ppm": 1_000_000}
        records.write("tickets", "compiled_programs", MIDDLE, compiled | {"demos": [demo]})
        told.append(told_by(deployment, instance, "contributor_weights"))
    assert [each["older_rows_left_out"].value for each in told] == [1, 1, 1]
    weighed = records.read("tickets", "contributor_weights", MIDDLE)
    assert [(each["address"], each["weight_ppm"]) for each in weighed["weights"]["lines"]] == [(ADA.address, 1_000_000)]
    assert weighed["given"] == {ADA.address: 1, BOB.address: 1}


def test_no_stage_makes_a_day_from_what_retention_left_of_its_window(deployment):
    records = RecordStore(Files(deployment.settings.store.uri))
    records.write("tickets", "compiled_programs", MIDDLE, {"candidate": None})
    keep_from(records, "tickets", MIDDLE)
    before = deployment.files()
    with dg.instance_for_test() as instance:
        for stage in ("compiled_programs", "deltaone_reports", "contributor_weights"):
            with pytest.raises(RemovedError, match=f"looks back to {FIRST}, and retention removed .* {MIDDLE}"):
                told_by(deployment, instance, stage)
    assert deployment.files() == before
