"""One program's champion teaches another: in Dagster's lineage, from the day before, and the same when done again."""

import json
from datetime import UTC, datetime

import dagster as dg
import pytest
import yaml

from telefine_assets.definitions import build_defs
from telefine_assets.ledger.champions import Champions
from telefine_assets.ledger.records import BY_HAND, Choice
from telefine_assets.programs.held_out import HeldOut
from telefine_assets.programs.spec import ProgramError
from telefine_assets.programs.state import dump_state
from telefine_assets.programs.versions import first_version, make_version
from telefine_assets.settings.loading import load_settings
from telefine_assets.settings.traces import NearDuplicateSettings
from telefine_assets.traces.records import cleaned_to_table
from telefine_assets_tests.knn_lm import MODEL
from telefine_assets_tests.programs.examples import cleaned_tickets
from telefine_assets_tests.programs.strategies.tasks import two_steps
from telefine_assets_tests.programs.teachers import first_step_knows, spec_of
from telefine_assets_tests.traces.deployment import FIRST, LAST, MIDDLE, Deployment

SENIOR, JUNIOR = "senior", "tickets"
COMPILES = dg.AssetKey([JUNIOR, "compiled_programs"])
CHAMPIONS = dg.AssetKey([SENIOR, "champions"])
STEPS = spec_of(two_steps)
TAUGHT = {"strategy": "bootstrap_few_shot", "max_bootstrapped_demos": 12, "max_labeled_demos": 12}


class Taught(Deployment):
    """A deployment in which ``senior`` teaches ``tickets``, with cleaned traces of the second and the third day."""

    def __init__(self, template, folder, api_base):
        super().__init__(template, folder)
        file = folder / "telefine.yaml"
        values = yaml.safe_load(file.read_text())
        values["lm"] = {"model": MODEL, "api_base": api_base, "adapter": "plain", "max_tokens": 8}
        junior = values["programs"][JUNIOR]
        senior = f"{two_steps.__module__}:{two_steps.__name__}"
        values["programs"][SENIOR] = {**junior, "module": senior, "experiment": SENIOR}
        junior["cleaning"] = {**junior.get("cleaning", {}), "near_duplicates": {"similarity_percent": 97}}
        junior["compile"] = {"strategies": [TAUGHT], "teacher_program": SENIOR, "lookback_days": 1}
        file.write_text(yaml.safe_dump(values))
        self.settings = load_settings(file)
        self.defs = build_defs(self.settings)
        self.records, self.tables = (getattr(self.defs.resources["store"], name) for name in ("records", "tables"))
        self.ledger = self.defs.resources["ledger"].open()
        for day in (MIDDLE, LAST):
            self.tables.write(JUNIOR, "cleaned_traces", day, cleaned_to_table(cleaned_tickets(200)))

    def compile(self, instance, day):
        """Compile the student on a day; returns its record."""
        dg.materialize(
            [*self.defs.assets],
            selection=dg.AssetSelection.assets(COMPILES),
            instance=instance,
            resources=self.defs.resources,
            partition_key=day,
        )
        return self.records.read(JUNIOR, "compiled_programs", day)

    def serve(self, day, instructions="Name the team, please."):
        """Let another version of the teacher serve from the end of a day on; returns its digest."""
        module = two_steps()
        module.team.signature = module.team.signature.with_instructions(instructions)
        version = make_version(STEPS, dump_state(module), {"strategy": "by hand"}, "", {})
        self.defs.resources["store"].evidence.put(version.document)
        champions = Champions(self.ledger)
        last = champions.current(SENIOR)
        choice = Choice(SENIOR, day, version.digest, "it is better", "ann", BY_HAND, last.seq if last else 0)
        champions.choose(choice, datetime(2026, 11, 23, tzinfo=UTC))
        return version.digest


@pytest.fixture
def deployment(empty_template, tmp_path, knn, monkeypatch):
    for name, value in {"LM__API_KEY": "any", "SIGNER__KIND": "environment", "SIGNER__PRIVATE_KEY": "4c" * 32}.items():
        monkeypatch.setenv(f"TELEFINE_{name}", value)
    knn.instead = first_step_knows
    return Taught(empty_template, tmp_path, knn.api_base)


@pytest.fixture
def instance():
    with dg.instance_for_test() as made:
        yield made


def test_the_lineage_shows_what_teaches_and_of_which_day(deployment):
    graph = deployment.defs.resolve_asset_graph()
    assert CHAMPIONS in graph.get(COMPILES).parent_keys
    (spec,) = [each for each in deployment.defs.resolve_all_asset_specs() if each.key == COMPILES]
    (dependency,) = [each for each in spec.deps if each.asset_key == CHAMPIONS]
    days = spec.partitions_def

    def taken_from(day):
        found = dependency.partition_mapping.get_upstream_mapped_partitions_result_for_partitions(
            days.subset_with_partition_keys([day]), days, days, datetime(2026, 11, 23, tzinfo=UTC)
        )
        return list(found.partitions_subset.get_partition_keys())

    assert {day: taken_from(day) for day in (FIRST, MIDDLE, LAST)} == {FIRST: [], MIDDLE: [FIRST], LAST: [MIDDLE]}
    senior = [each for each in deployment.defs.resolve_all_asset_specs() if each.key.path[0] == SENIOR]
    assert all(dep.asset_key.path[0] == SENIOR for each in senior for dep in each.deps)


def test_what_served_on_the_day_teaches_and_is_named_in_record_version_and_metadata(deployment, instance):
    served = deployment.serve(FIRST)
    deployment.serve(MIDDLE, "Too late for the second day.")
    record = deployment.compile(instance, MIDDLE)
    assert record["teacher"] == {
        "program": SENIOR, "version": served, "code": STEPS.code_digest, "since": FIRST
    }  # fmt: skip
    document = json.loads(deployment.defs.resources["store"].evidence.get(record["candidate"]))
    assert document["strategy"]["teacher"]["version"] == served
    told = instance.fetch_materializations(COMPILES, limit=1).records[0].asset_materialization.metadata
    assert told["teacher"].value == f"{SENIOR} {served[:12]}"
    assert record["demos"]
    train = {each.trace_id for each in cleaned_tickets(200) if each.split == "train"}
    assert {demo["trace_id"] for demo in record["demos"]} <= train
    deployment.compile(instance, MIDDLE)
    again = instance.fetch_materializations(COMPILES, limit=1).records[0].asset_materialization.metadata
    assert again["lm_calls"].value == 0
    assert again["lm_calls_remembered"].value == told["lm_calls"].value + told["lm_calls_remembered"].value > 0


def test_the_first_version_teaches_until_something_is_promoted(deployment, instance):
    record = deployment.compile(instance, MIDDLE)
    identity = deployment.defs.resources["lm"].identity()
    assert record["teacher"]["version"] == first_version(STEPS, identity).digest
    assert record["teacher"]["since"] is None


def test_a_day_that_is_compiled_again_has_the_same_bytes_even_when_an_older_day_was_decided_since(deployment, instance):
    deployment.serve("2026-10-30")
    record = deployment.compile(instance, LAST)
    deployment.serve(FIRST, "Decided late.")
    files = deployment.files()
    assert deployment.compile(instance, LAST) == record
    assert deployment.files() == files


def test_a_teacher_that_is_not_decided_on_yet_is_refused_with_the_command_that_cures_it(deployment, instance, knn):
    deployment.records.write(SENIOR, "compiled_programs", FIRST, {"candidate": "c" * 64})
    with pytest.raises(ProgramError) as caught:
        deployment.compile(instance, MIDDLE)
    command = "deltaone_reports contributor_weights attestations champions --program senior --day 2026-11-02"
    assert f"telefine run {command}," in str(caught.value)
    assert knn.calls == 0
    deployment.records.write(SENIOR, "attestations", FIRST, {"outcome": "not_reached"})
    deployment.records.write(SENIOR, "champions", FIRST, {"outcome": "kept"})
    assert deployment.compile(instance, MIDDLE)["teacher"]["program"] == SENIOR


def test_near_copies_are_told_as_the_students_settings_say(deployment, instance, monkeypatch):
    given = []
    init = HeldOut.__init__

    def watched(self, cleaned, own, near):
        given.append(near)
        init(self, cleaned, own, near)

    monkeypatch.setattr(HeldOut, "__init__", watched)
    deployment.compile(instance, MIDDLE)
    assert given == [NearDuplicateSettings(similarity_percent=97)]


def test_a_new_champion_of_the_teacher_makes_nothing_anew_by_itself(deployment, instance):
    for day in (FIRST, MIDDLE):
        for stage in ("traces", "cleaned_traces", "compiled_programs", "deltaone_reports"):
            instance.report_runless_asset_event(dg.AssetMaterialization([JUNIOR, stage], partition=day))
    asked = dg.evaluate_automation_conditions(deployment.defs, instance)
    instance.report_runless_asset_event(dg.AssetMaterialization(CHAMPIONS, partition=FIRST))
    again = dg.evaluate_automation_conditions(deployment.defs, instance, cursor=asked.cursor)
    assert not again.get_requested_partitions(COMPILES)
    assert not again.get_requested_partitions(dg.AssetKey([JUNIOR, "deltaone_reports"]))
