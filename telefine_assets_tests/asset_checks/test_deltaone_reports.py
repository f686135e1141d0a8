"""Checks of ``deltaone_reports``, run by Dagster over stored records."""

import dagster as dg
import pytest

from telefine_assets.canonical import canonical_json, canonical_lines
from telefine_assets.definitions import build_defs
from telefine_assets.deltaone.records import Rules
from telefine_assets.settings.loading import load_settings
from telefine_assets.store.evidence import EvidenceStore
from telefine_assets.store.files import Files
from telefine_assets.store.records import RecordStore
from telefine_assets_tests.deltaone.rows import look
from telefine_assets_tests.deltaone.told import LOST, no_look, story, tickets

MONDAY, TUESDAY = "2026-11-02", "2026-11-03"
SETTINGS = """
deployment: checked
partitions: {{start: 2026-11-02}}
lm: {{model: openai/none, api_base: "http://127.0.0.1:9", adapter: plain}}
programs:
  tickets:
    module: telefine_assets_tests.programs.tickets:build
    experiment: tickets
    split: {{key: test}}
    compile: {{strategies: [{{strategy: labeled_few_shot}}]}}
    deltaone: {{{deltaone}}}
"""
PLAIN = Rules(min_power_ppm=0)


class Checked:
    """A store with records, whose checks Dagster runs."""

    def __init__(self, home, deltaone=""):
        (home / "telefine.yaml").write_text(SETTINGS.format(deltaone=deltaone))
        self.settings = load_settings(home / "telefine.yaml")
        files = Files(self.settings.store.uri)
        self.records, self.evidence = RecordStore(files), EvidenceStore(files)

    def write(self, day, record):
        self.records.write("tickets", "deltaone_reports", day, record)

    def look(self, items, stored=None):
        """A look with its evidence; ``stored`` are other rows than those that were decided on."""
        record, decision, _ = story(items, PLAIN, regressions=None)
        report = {"decision": decision.to_record(), "rules": PLAIN.to_record(), "look": look(3).to_record()}
        documents = {
            "report.json": canonical_json(report),
            "rows.jsonl": canonical_lines(row.to_record() for row in (stored or items)),
        }
        evidence = {name: self.evidence.put(document) for name, document in documents.items()}
        return {**record, "evidence": evidence}, decision

    def run(self, name):
        """The outcome of one check over all stored days."""
        defs = build_defs(self.settings)
        key = dg.AssetCheckKey(dg.AssetKey(["tickets", "deltaone_reports"]), name)
        done = dg.materialize(
            [*defs.assets, *defs.asset_checks],
            selection=dg.AssetSelection.checks(key),
            resources=defs.resources,
            raise_on_error=False,
        )
        (found,) = done.get_asset_check_evaluations()
        return found


@pytest.fixture
def checked(tmp_path):
    return Checked(tmp_path)


def text_of(evaluation):
    return "\n".join(str(value.value) for value in evaluation.metadata.values())


def regressions(losses, wins, listed=None):
    items = [{**LOST, "item": f"{at:064x}"} for at in range(losses if listed is None else listed)]
    return {"asked": 80, "regressed": items, "count": losses, "p_value": "0.5", "wins": wins, "losses": losses}


def test_a_decision_follows_from_its_rows(checked):
    checked.write(MONDAY, checked.look(tickets(unresolved=0))[0])
    checked.write(TUESDAY, checked.look(tickets(20, 26, 420, 0))[0])
    assert checked.run("decision_follows_from_rows").passed


def test_a_changed_row_is_found_and_nothing_of_a_living_holdout_is_said(checked):
    items = tickets(20, 10, 420, 0)
    record, decision = checked.look(items, tickets(1, 30, 419, 0))
    checked.write(MONDAY, record)
    found = checked.run("decision_follows_from_rows")
    assert decision.code in ("below_threshold", "not_significant")
    assert not found.passed
    assert "do not give the stored decision" in text_of(found)
    assert not {"below_threshold", "not_significant"} & set(text_of(found).replace("|", " ").split())


def test_nothing_regresses_while_nothing_has_retired(checked):
    checked.write(MONDAY, no_look())
    checked.write(TUESDAY, checked.look(tickets(20, 26, 420, 0))[0])
    found = checked.run("candidate_does_not_regress")
    assert found.passed
    assert found.metadata["asked"].value == "none: nothing has retired, or no candidate was compared"


def test_a_few_regressions_pass_and_are_listed(checked):
    checked.write(MONDAY, no_look(regressions=regressions(2, 1)))
    found = checked.run("candidate_does_not_regress")
    assert (found.passed, found.metadata["asked"].value) == (True, 80)
    assert "Where is my invoice" in text_of(found)


def test_a_candidate_that_regresses_fails_without_blocking_and_fifty_items_are_listed(checked):
    checked.write(MONDAY, no_look(regressions=regressions(60, 3, 50)))
    checked.write(TUESDAY, no_look(regressions=regressions(60, 3, 50)))
    found = checked.run("candidate_does_not_regress")
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert found.metadata["worse"].value.count("Where is my invoice") == 50
    assert found.metadata["problems"].value.count("more than chance explains") == 2


def test_the_settings_limit_fails_a_candidate_that_chance_would_excuse(tmp_path):
    limited = Checked(tmp_path, "max_regressions: 1")
    limited.write(MONDAY, no_look(regressions=regressions(2, 9)))
    found = limited.run("candidate_does_not_regress")
    assert not found.passed
    assert "the rules allow 1" in found.metadata["problems"].value
