"""Checks of ``compiled_programs``, run by Dagster over stored records."""

import dagster as dg
import pyarrow as pa
import pytest

from telefine_assets.definitions import build_defs
from telefine_assets.settings.loading import load_settings
from telefine_assets.store.files import Files
from telefine_assets.store.kept import keep_from
from telefine_assets.store.records import RecordStore
from telefine_assets.store.tables import TableStore

MONDAY, TUESDAY, WEDNESDAY = "2026-11-02", "2026-11-03", "2026-11-04"
SETTINGS = """
deployment: checked
partitions: {start: 2026-11-02}
lm: {model: openai/none, api_base: "http://127.0.0.1:9", adapter: plain}
programs:
  tickets:
    module: telefine_assets_tests.programs.tickets:build
    experiment: tickets
    split: {key: test}
    compile: {lookback_days: 1, strategies: [{strategy: labeled_few_shot}]}
"""


@pytest.fixture
def compiled(tmp_path):
    """Stores days of a program: the sides of its traces, and the traces of its candidate's demos."""
    (tmp_path / "telefine.yaml").write_text(SETTINGS)
    settings = load_settings(tmp_path / "telefine.yaml")
    files = Files(settings.store.uri)
    records, tables = RecordStore(files), TableStore(files)

    def compiled(day, sides, *demos):
        split = pa.table({"trace_id": [*sides], "split": [*sides.values()]})
        tables.write("tickets", "cleaned_traces", day, split)
        made = [{"predictor": "answer", "digest": trace_id * 64, "trace_id": trace_id} for trace_id in demos]
        records.write("tickets", "compiled_programs", day, {"demos": made})

    compiled.settings, compiled.records = settings, records
    return compiled


def come_from_train(settings):
    """Whether the check passes for all days, and what it says."""
    defs = build_defs(settings)
    key = dg.AssetCheckKey(dg.AssetKey(["tickets", "compiled_programs"]), "demos_come_from_train")
    done = dg.materialize(
        [*defs.assets, *defs.asset_checks],
        selection=dg.AssetSelection.checks(key),
        resources=defs.resources,
        raise_on_error=False,
    )
    (found,) = done.get_asset_check_evaluations()
    return found.passed, str(found.metadata["problems"].value)


def test_a_candidate_that_competes_again_keeps_demos_whose_traces_left_the_window(compiled):
    compiled(MONDAY, {"a": "train", "b": "holdout"}, "a")
    compiled(TUESDAY, {"c": "train"}, "a", "c")
    compiled(WEDNESDAY, {"d": "train"}, "a", "c")
    assert come_from_train(compiled.settings) == (True, "none")


def test_a_demo_that_was_held_out_or_that_nobody_knows_fails_the_check(compiled):
    compiled(MONDAY, {"a": "train", "b": "holdout"}, "b")
    compiled(TUESDAY, {"c": "train"}, "b", "x")
    passed, said = come_from_train(compiled.settings)
    assert not passed
    assert "trace b, which is holdout on 2026-11-02" in said and "trace x, which is unknown" in said
    keep_from(compiled.records, "tickets", TUESDAY)
    assert "trace b" not in come_from_train(compiled.settings)[1]
