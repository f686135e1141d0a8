"""``telefine programs``: versions that people can look at, compare, take with them and choose."""

import json
import sqlite3
from contextlib import closing

import pytest

from telefine_assets.cli.main import main
from telefine_assets.ledger.champions import Champions
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.records import Promotion
from telefine_assets.lm.opening import identity_of
from telefine_assets.programs.spec import load_spec
from telefine_assets.programs.versions import first_version, make_version
from telefine_assets.settings.loading import load_settings
from telefine_assets.store.evidence import EvidenceStore
from telefine_assets.store.files import Files
from telefine_assets.store.records import RecordStore
from telefine_assets_tests.programs.tickets import tickets
from telefine_assets_tests.traces.mlflow_store import copy_store, empty_store

MONDAY, TUESDAY, WEDNESDAY = "2026-11-02", "2026-11-03", "2026-11-04"
ADA = "0x52908400098527886E0F7030069857D2E4169EE7"
HOSTILE = "\x1b[2Jgone"
SETTINGS = """
deployment: listed
partitions: {start: 2026-11-02}
lm: {model: openai/nearest-demos, api_base: "http://127.0.0.1:9", adapter: plain}
programs:
  tickets:
    module: telefine_assets_tests.programs.tickets:build
    experiment: tickets
    split: {key: test}
    compile: {strategies: [{strategy: labeled_few_shot}]}
"""


class Listed:
    """A deployment with a first version, two candidates, and an attested promotion of the one of Monday."""

    def __init__(self, home, template):
        self.home = home
        copy_store(template, home / ".telefine")
        (home / "telefine.yaml").write_text(SETTINGS)
        settings = load_settings(home / "telefine.yaml")
        files = Files(settings.store.uri)
        self.evidence, self.records = EvidenceStore(files), RecordStore(files)
        self.ledger = settings.ledger.url.removeprefix("sqlite:///")
        self.mlflow = settings.mlflow.tracking_uri
        self.spec = load_spec("tickets", settings.program("tickets"))
        self.lm = identity_of(settings.lm)
        self.first = first_version(self.spec, self.lm)
        self.monday = self.compiled(MONDAY, self.first, 4, 800_000, reached=True)
        self.tuesday = self.compiled(TUESDAY, self.monday, 6, 812_345, reached=False)
        self.records.write("tickets", "compiled_programs", WEDNESDAY, self.record(self.monday, None, [], None))
        asked = Promotion("tickets", MONDAY, self.monday.digest, self.first.digest, "0x1")
        with closing(Ledger(settings.ledger.url)) as ledger:
            from datetime import UTC, datetime

            Champions(ledger).promote(asked, datetime(2026, 11, 3, 3, tzinfo=UTC))

    def compiled(self, day, baseline, demos, score, reached):
        state = self.first.state
        state["sort"]["demos"] = [{"ticket": text, "team": team} for text, team in tickets(demos)]
        state["sort"]["demos"][0]["augmented"] = True
        state["sort"]["signature"]["instructions"] = f"Say which team it is.\nNever say {HOSTILE}."
        version = make_version(self.spec, state, {"strategy": "labeled_few_shot", "k": demos}, "a" * 64, self.lm)
        self.evidence.put(baseline.document)
        self.evidence.put(version.document)
        traced = [
            {"predictor": "sort", "position": at, "trace_id": f"tr-{at}", "contributor": ADA if at else None}
            for at in range(demos)
        ]
        self.records.write("tickets", "compiled_programs", day, self.record(baseline, version, traced, score))
        report = {"reached": reached, "code": "reached" if reached else "not_significant", "candidate": version.digest}
        self.records.write("tickets", "deltaone_reports", day, report)
        return version

    def record(self, baseline, candidate, demos, score):
        side = {"digest": "a" * 64, "n": 40}
        return {
            "candidate": candidate and candidate.digest,
            "baseline": baseline.digest,
            "winner": "1-labeled_few_shot",
            "reason": "1-labeled_few_shot won",
            "demos": demos,
            "trainset": side,
            "validation": side,
            "standings": [{"name": "baseline", "mean_ppm": 990_000}, {"name": "1-labeled_few_shot", "mean_ppm": score}],
        }

    def alias(self):
        """The version that MLflow's alias points at."""
        from mlflow import MlflowClient

        made = MlflowClient(tracking_uri=self.mlflow).get_model_version_by_alias("tickets", "champion")
        return made.tags["telefine.version"]


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    folder = tmp_path_factory.mktemp("template")
    empty_store(folder)
    return folder


@pytest.fixture
def listed(tmp_path, template):
    return Listed(tmp_path, template)


@pytest.fixture
def telefine(listed, capsys, monkeypatch):
    """Run ``telefine programs``; returns exit code, output and errors."""
    monkeypatch.setenv("TELEFINE_CONFIG", str(listed.home / "telefine.yaml"))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main(["programs", *map(str, arguments)])
        printed = capsys.readouterr()
        return caught.value.code or 0, printed.out, printed.err

    return run


def shown(telefine, name):
    return json.loads(telefine("show", name, "--json")[1])


def test_the_list_has_every_candidate_with_its_score_what_came_of_it_and_which_serves(telefine, listed):
    code, out, _ = telefine("list", "--json")
    assert code == 0
    columns = ("version", "day", "strategy", "validation_ppm", "deltaone", "serves")
    assert [tuple(each[name] for name in columns) for each in json.loads(out)] == [
        (listed.first.digest, None, "first", None, None, False),
        (listed.monday.digest, MONDAY, "labeled_few_shot", 800_000, "reached", True),
        (listed.tuesday.digest, TUESDAY, "labeled_few_shot", 812_345, "not_significant", False),
    ]


def test_the_list_is_printed_for_people(telefine, listed):
    line = next(each for each in telefine("list")[1].splitlines() if TUESDAY in each)
    assert line.split() == [listed.tuesday.digest[:12], TUESDAY, "labeled_few_shot", "81.23", "%", "not_significant"]


def test_versions_go_by_many_names(telefine, listed):
    names = {
        "first": listed.first,
        "champion": listed.monday,
        "candidate": listed.tuesday,
        MONDAY: listed.monday,
        listed.tuesday.digest: listed.tuesday,
        listed.tuesday.digest[:6]: listed.tuesday,
    }
    assert {name: shown(telefine, name)["version"] for name in names} == {
        name: version.digest for name, version in names.items()
    }


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("000000", "no version begins with 000000; there are"),
        ("0000", "at least 6 digits"),
        ("latest", "no version 'latest'; say champion, candidate, first"),
        (WEDNESDAY, "a day that has a candidate"),
    ],
)
def test_a_name_of_no_version_is_refused_with_those_there_are(telefine, listed, name, why):
    code, out, errors = telefine("show", name)
    assert (code, out) == (1, "")
    assert why in errors
    assert listed.monday.digest[:12] in errors


def test_a_prefix_of_several_versions_is_refused_with_both(telefine, listed):
    digests = [f"{listed.monday.digest[:6]}{number:058d}" for number in range(2)]
    for day, digest in zip(("2026-11-05", "2026-11-06"), digests, strict=True):
        record = listed.record(listed.monday, None, [], None) | {"baseline": digest}
        listed.records.write("tickets", "compiled_programs", day, record)
    code, _, errors = telefine("show", listed.monday.digest[:6])
    assert code == 1
    assert "is not enough, it may be" in errors
    assert shown(telefine, listed.monday.digest[:12])["version"] == listed.monday.digest


def test_a_version_is_shown_with_its_demos_and_whose_they_are(telefine, listed):
    found = shown(telefine, "candidate")
    assert found["lineage"] == [listed.tuesday.digest, listed.monday.digest, listed.first.digest]
    assert (found["lm"], found["strategy"]["k"], found["trainset"]) == (listed.lm, 6, "a" * 64)
    demos = found["predictors"]["sort"]["demos"]
    text, team = next(tickets(1))
    assert demos[0] == {
        "inputs": {"ticket": text},
        "outputs": {"team": team},
        "augmented": True,
        "trace_id": "tr-0",
        "contributor": None,
    }
    assert demos[1]["contributor"] == ADA


def test_a_version_is_shown_for_people_and_cannot_steer_the_terminal(telefine, listed):
    _, out, _ = telefine("show")
    assert f"tickets {listed.monday.digest}, which serves" in out
    assert "trace tr-1, by 0x5290" in out
    assert "the program's own answer" in out
    assert "gone" in out
    assert "\x1b" not in out + telefine("diff", "first", "champion")[1]


def test_a_diff_says_what_became_of_each_demo_word_and_setting(telefine, listed):
    found = json.loads(telefine("diff", "champion", "candidate", "--json")[1])
    assert (found["a"], found["b"]) == (listed.monday.digest, listed.tuesday.digest)
    assert found["settings"] == [["strategy.k", 4, 6]]
    (predictor,) = found["predictors"]
    assert [each["fate"] for each in predictor["demos"]] == ["same"] * 4 + ["added"] * 2
    assert {each["side"] for each in predictor["instructions"]} == {"both"}


def test_a_diff_is_lines_where_there_is_no_terminal_and_beside_each_other_where_there_is(telefine, monkeypatch):
    _, lines, _ = telefine("diff", "first", "champion")
    assert "~ strategy.strategy: first_version -> labeled_few_shot" in lines
    assert "[-" in lines
    assert "  + 0: ticket=" in lines
    assert "  - 0: ticket=the invoice says my card was charged, team=billing" in lines
    monkeypatch.setenv("FORCE_COLOR", "1")
    _, beside, _ = telefine("diff", "first", "champion")
    assert "\x1b[" in beside
    assert "gone" in beside
    assert "\x1b[2J" not in beside
    assert "demo added" in beside


def test_the_same_version_differs_in_nothing(telefine):
    assert "no difference between" in telefine("diff", "champion", MONDAY)[1]


def test_an_export_overwrites_nothing_without_being_told(telefine, listed, tmp_path):
    code, out, errors = telefine("export", "champion", tmp_path / "out", "--json")
    assert (code, errors) == (0, "")
    assert json.loads(out) == {
        "program": "tickets",
        "version": listed.monday.digest,
        "folder": str(tmp_path / "out"),
    }
    assert (tmp_path / "out" / "program.json").read_bytes() == listed.monday.document
    code, _, errors = telefine("export", "candidate", tmp_path / "out")
    assert code == 1
    assert "--force" in errors
    assert (tmp_path / "out" / "program.json").read_bytes() == listed.monday.document
    assert telefine("export", "candidate", tmp_path / "out", "--force")[0] == 0
    assert (tmp_path / "out" / "program.json").read_bytes() == listed.tuesday.document
    assert telefine("export", "candidate", listed.home, "--force")[0] == 1


def test_promoting_needs_a_reason_and_a_name(telefine, listed):
    for given in ((), ("--reason", "slow"), ("--by", "ann")):
        assert telefine("promote", "candidate", *given)[0] == 2
    code, _, errors = telefine("promote", "candidate", "--reason", " ", "--by", "ann")
    assert code == 1
    assert "--reason is empty" in errors
    assert shown(telefine, "champion")["version"] == listed.monday.digest


def test_a_promotion_and_two_rollbacks_move_champion_and_alias_and_are_in_the_history(telefine, listed):
    why = ("--reason", "slow since noon", "--by", "ann")
    served = []
    for command in (("promote", TUESDAY), ("rollback",), ("rollback",)):
        code, out, errors = telefine(*command, *why, "--json")
        assert (code, errors) == (0, "")
        champion = shown(telefine, "champion")["version"]
        told = json.loads(out)
        assert (told["program"], told["version"], told["reason"]) == ("tickets", champion, why[1])
        assert listed.alias() == champion
        served.append(champion)
    assert served == [listed.tuesday.digest, listed.monday.digest, listed.first.digest]
    code, _, errors = telefine("rollback", *why)
    assert code == 1
    assert "nothing served before it" in errors
    rows = json.loads(telefine("history", "--json")[1])
    assert [(row["actor"], row["action"]) for row in rows] == [
        ("telefine", "promoted"),
        ("ann", "promoted by hand"),
        ("ann", "rolled back"),
        ("ann", "rolled back"),
    ]
    assert "slow since noon" in telefine("history")[1]


def test_a_history_that_was_tampered_with_is_not_shown(telefine, listed):
    with closing(sqlite3.connect(listed.ledger)) as connection, connection:
        connection.execute("DROP TRIGGER audit_no_update")
        connection.execute("UPDATE audit SET actor = 'nobody'")
    code, out, errors = telefine("history")
    assert (code, out) == (1, "")
    assert "row 1 was changed" in errors


def test_a_champion_whose_document_is_gone_is_told_in_the_list_and_cured_by_a_rollback(telefine, listed):
    (listed.home / ".telefine" / "store" / EvidenceStore.name(listed.monday.digest)).unlink()
    assert "its document is missing" in telefine("list")[1]
    code, _, errors = telefine("promote", MONDAY, "--reason", "back", "--by", "ann")
    assert code == 1
    assert "missing" in errors
    assert telefine("rollback", "--reason", "it is gone", "--by", "ann")[0] == 0
    assert listed.alias() == listed.first.digest
