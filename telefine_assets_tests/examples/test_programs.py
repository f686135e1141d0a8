"""The sample programs of docs/examples go the whole way: real traces in MLflow, a gain, an attestation, a payout."""

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from telefine_assets_tests.examples.home import DAY, EXAMPLES, NAMES, PROGRAMS, Home, copied, local_lm
from telefine_assets_tests.test_docs import blocks
from telefine_assets_tests.traces.mlflow_store import copy_store


@pytest.fixture(scope="module")
def homes(empty_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Home]]:
    """Every example with a day of traces, and its line made: the first one's by the command."""
    with local_lm() as lm, pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("examples")
        made = {name: copied(name, folder, lm) for name in NAMES}
        for each in made.values():
            # What MLflow would make there when it is first used, in seconds.
            copy_store(empty_template, each.folder / ".telefine")
        first, *others = made.values()
        folders = [each.folder for each in made.values()]
        first.run(sys.executable, "-m", "telefine_assets_tests.examples.production", *folders)
        run_line, *_ = commands()
        first.run("bash", "-c", run_line)
        for name in [each for each in os.environ if each.startswith("TELEFINE_")]:
            patch.delenv(name)
        for each in others:
            make_line(each, patch)
        yield made


def make_line(home: Home, patch: pytest.MonkeyPatch) -> None:
    """What ``telefine run`` has done, in this process: the rest is the same."""
    for name in ("TELEFINE_CONFIG", "TELEFINE_SIGNER__PRIVATE_KEY"):
        patch.setenv(name, home.environment[name])
    patch.syspath_prepend(str(home.folder))
    import dagster as dg

    from telefine_assets.definitions import build_defs
    from telefine_assets.settings.loading import load_settings

    # Jobs are resolved while an instance lives: Dagster may remember one that an earlier test has closed.
    with dg.DagsterInstance.ephemeral() as instance:
        job = build_defs(load_settings()).resolve_job_def(f"{home.name}_line")
        assert job.execute_in_process(partition_key=DAY, instance=instance).success


@pytest.mark.parametrize("name", NAMES)
def test_it_gains_and_is_attested_and_paid(name, homes):
    home = homes[name]
    assert home.record("compiled_programs")["outcome"] == "candidate"
    report = home.record("deltaone_reports")
    assert report["reached"] and report["public"]["delta_ppm"] > 150_000, report["public"]
    assert home.record("champions")["serves"] == home.record("compiled_programs")["candidate"]
    weights = home.record("contributor_weights")["weights"]
    assert sum(each["weight_ppm"] for each in weights["lines"]) == 1_000_000
    assert len(weights["lines"]) > 1
    payments = home.record("contributor_payouts")["plan"]["payments"]
    assert sum(int(each["amount"]) for each in payments) == 10**21
    assert {each["address"] for each in payments} == {each["address"] for each in weights["lines"]}


@pytest.mark.parametrize("name", NAMES)
def test_all_is_kept_but_what_nobody_labelled(name, homes):
    cleaned = homes[name].record("cleaned_traces")
    assert set(cleaned["dropped"]) == {"unlabelled"}
    rows = homes[name].rows()
    data = {json.dumps(each["inputs"]): each["label"] for each in map(json.loads, lines_of(name))}
    assert len(rows) + cleaned["dropped"]["unlabelled"] == len(data)
    # Corrections and accepted outputs alike are values of the fields' own types, in JSON.
    assert all(json.loads(row["label"]) == data[json.dumps(json.loads(row["inputs"]))] for row in rows)
    assert {row["label_source"].split(":")[0] for row in rows} == {"expectation", "output"}


def lines_of(name: str) -> list[str]:
    return (PROGRAMS / name / "data.jsonl").read_text().splitlines()


@pytest.mark.parametrize("name", NAMES)
def test_every_demo_of_every_predictor_is_a_train_trace(name, homes):
    compiled = homes[name].record("compiled_programs")
    train = {row["trace_id"]: row["contributor"] for row in homes[name].rows() if row["split"] == "train"}
    assert all(train[demo["trace_id"]] == demo["contributor"] for demo in compiled["demos"])
    predictors = {"rag": {"write_query", "answer"}, "agent": {"react", "extract.predict"}}
    assert len({demo["predictor"] for demo in compiled["demos"]}) == len(predictors.get(name, {"one"}))
    assert {demo["predictor"] for demo in compiled["demos"]} >= predictors.get(name, set())


def test_typed_outputs_stay_typed_in_the_demos(homes):
    home = homes["extraction"]
    digest = home.record("compiled_programs")["candidate"]
    (part,) = json.loads((home.store / "evidence" / digest[:2] / digest).read_bytes())["state"].values()
    assert all(set(demo["order"]) == {"product", "quantity", "unit"} for demo in part["demos"])
    assert all(type(demo["order"]["quantity"]) is int for demo in part["demos"])


def commands() -> list[str]:
    """What docs/examples/README.md has people run once there are traces, for the day of these."""
    block = next(each for each in blocks(EXAMPLES / "README.md", "") if "telefine run" in each)
    return block.replace("$(date -u +%F)", DAY).splitlines()


def test_what_the_index_says_next_works_too_and_the_example_verifies_it(homes):
    home = homes[NAMES[0]]
    for line in commands()[1:]:
        home.run("bash", "-c", line)
    attested = home.record("attestations")
    verifier = EXAMPLES / "verifying" / "verify.py"
    assert attested["uid"] in home.run(sys.executable, verifier, "out", attested["signer"])


def test_the_index_names_every_example_and_nothing_that_is_not_there():
    index = EXAMPLES / "README.md"
    linked = {(EXAMPLES / each).resolve() for each in re.findall(r"\]\(([^)]+)\)", index.read_text())}
    assert not [each for each in linked if not each.is_file()]
    shown = {each.resolve() for each in EXAMPLES.rglob("*") if each.suffix in {".py", ".mjs", ".md", ".yaml"}}
    assert shown - {index, *(PROGRAMS / name / "telefine.yaml" for name in NAMES)} == linked
