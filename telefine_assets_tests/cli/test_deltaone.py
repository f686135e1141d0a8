"""``telefine deltaone``: what was decided, why, and what a holdout can show; nothing of a living one."""

import json
from dataclasses import replace

import pytest

from telefine_assets.canonical import canonical_json, canonical_lines
from telefine_assets.cli.main import main
from telefine_assets.deltaone.records import PPM, Rules
from telefine_assets.deltaone.refusals import too_small
from telefine_assets.deltaone.report import rendered
from telefine_assets.settings.loading import load_settings
from telefine_assets.store.evidence import EvidenceStore
from telefine_assets.store.files import Files
from telefine_assets.store.records import RecordStore
from telefine_assets_tests.deltaone.rows import look
from telefine_assets_tests.deltaone.told import no_look, story, tickets

MONDAY, TUESDAY, WEDNESDAY = "2026-11-02", "2026-11-03", "2026-11-04"
SETTINGS = """
deployment: told
partitions: {start: 2026-11-02}
lm: {model: openai/none, api_base: "http://127.0.0.1:9", adapter: plain}
programs:
  triage:
    module: nowhere.to:be_found
    experiment: tickets
    split: {key: test}
    compile: {strategies: [{strategy: labeled_few_shot}]}
    deltaone: {confidence: sure}
"""
PLAIN = Rules(min_power_ppm=0)


class Told:
    """A store with a success on Monday, a failure on Tuesday and no look on Wednesday."""

    def __init__(self, home):
        (home / "telefine.yaml").write_text(SETTINGS)
        files = Files(load_settings(home / "telefine.yaml").store.uri)
        self.home, self.records, self.evidence = home, RecordStore(files), EvidenceStore(files)
        self.reached = self.write(MONDAY, story(), keep=True)
        self.failed = self.write(TUESDAY, story(tickets(30, 33, 420, 0), PLAIN), keep=False)
        self.records.write("triage", "deltaone_reports", WEDNESDAY, no_look(sentence="No candidate: \x1b[2J wait."))

    def write(self, day, told, keep):
        """Store a record; without ``keep`` its evidence is lost, so that opening it would be noticed."""
        record, decision, context = told
        put = self.evidence.put if keep else lambda document: "0" * 64
        documents = {
            "report.json": canonical_json(
                {"decision": decision.to_record(), "rules": context.rules.to_record(), "look": look(3).to_record()}
            ),
            "rows.jsonl": canonical_lines(row.to_record() for row in context.items),
        }
        record = {**record, "evidence": {name: put(document) for name, document in documents.items()}}
        self.records.write("triage", "deltaone_reports", day, record)
        return record, decision, context


@pytest.fixture
def told(tmp_path):
    return Told(tmp_path)


@pytest.fixture
def telefine(tmp_path, capsys, monkeypatch):
    """Run ``telefine deltaone``; returns exit code, output and errors."""
    monkeypatch.setenv("TELEFINE_CONFIG", str(tmp_path / "telefine.yaml"))
    monkeypatch.setenv("COLUMNS", "160")

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main(["deltaone", *arguments])
        done = capsys.readouterr()
        return caught.value.code or 0, done.out, done.err

    return run


def test_show_tells_everything_of_a_success(told, telefine):
    code, out, _ = telefine("show", MONDAY)
    assert code == 0
    for part in ("Reached", "+8.18 pp", "61 / 23 / 380", "Where it is worse", "(ticket 0)", "billing"):
        assert part in out
    assert out.startswith("# "), "what goes into a file is Markdown, of no terminal's width"


def test_show_of_a_living_holdout_has_no_score_whatever_is_asked(told, telefine):
    _, decision, _ = told.failed
    private = {str(decision.delta_ppm), str(decision.baseline_sum_ppm), str(decision.candidate_sum_ppm)}
    for arguments in (
        ("show", TUESDAY),
        ("show", TUESDAY, "--json"),
        ("explain", TUESDAY),
        ("explain", TUESDAY, "--json"),
    ):
        code, out, err = telefine(*arguments)
        assert (code, err) == (0, "")
        assert not [each for each in (*private, decision.code, "delta_ppm", "ticket ") if each in out]
    assert json.loads(telefine("show", TUESDAY, "--json")[1])["public"]["code"] == "not_reached"


def test_show_without_a_day_is_the_latest_and_cannot_steer_the_terminal(told, telefine):
    code, out, _ = telefine("show")
    assert code == 0
    assert "No candidate" in out
    assert "\x1b[2J" not in out + telefine("explain")[1]


@pytest.mark.parametrize("day", [MONDAY, TUESDAY])
def test_the_html_is_the_report_itself(told, telefine, tmp_path, day):
    record, decision, context = told.reached if day == MONDAY else told.failed
    code, out, _ = telefine("show", day, "--html", str(tmp_path / "out.html"))
    page = (tmp_path / "out.html").read_bytes()
    assert (code, out.strip()) == (0, f"{tmp_path / 'out.html'}: triage {day}")
    context = replace(context, program="triage")
    assert page == rendered(record, decision, context)[2]


def test_explain_is_the_rule_in_order_and_ends_with_the_cure(told, telefine):
    lines = telefine("explain", TUESDAY)[1].splitlines()
    states = [line[:15].strip() for line in lines[1:-1]]
    assert states == [*["held"] * 9, "failed"]
    assert "not reached (not_reached)" in lines[0]
    assert "collect more held-out items" in lines[-1]
    lines = telefine("explain")[1].splitlines()
    assert [line[:15].strip() for line in lines[1:-1]] == ["failed", *["not looked at"] * 9]
    assert "failed" not in telefine("explain", MONDAY)[1]


def test_a_day_without_a_report_is_an_error_that_says_so(telefine, told):
    code, _, err = telefine("show", "2026-11-30")
    assert (code, "2026-11-30" in err) == (1, True)


def test_a_program_without_reports_says_what_to_do(tmp_path, telefine):
    (tmp_path / "telefine.yaml").write_text(SETTINGS)
    code, _, err = telefine("explain")
    assert (code, "materialise deltaone_reports first" in err) == (1, True)


def row_of(out, items):
    return next(line.split() for line in out.splitlines() if line.split()[:1] == [items])


WHOLE_PLAN = ("--gain-pp", "3", "--discordance-percent", "10", "--threshold-pp", "1", "--alpha", "0.05")


def test_power_of_a_whole_plan_is_as_published_and_needs_no_settings(telefine):
    code, out, _ = telefine("power", *WHOLE_PLAN)
    assert code == 0
    assert row_of(out, "681") == ["681", "0.769", "0.664"]
    assert row_of(out, "1,000") == ["1,000", "0.901", "0.835"]
    code, _, err = telefine("power")
    assert (code, "no such settings file" in err) == (1, True)


def test_power_of_what_the_settings_plan_is_what_too_few_items_asks_for(telefine, tmp_path):
    (tmp_path / "telefine.yaml").write_text(SETTINGS.replace("{confidence: sure}", "{target_gain_ppm: 80000}"))
    refused = too_small([1] * 20, Rules(target_gain_ppm=80_000), look(1), 1)
    out = telefine("power")[1]
    assert row_of(out, "for")[-2:] == [f"{refused.required_n:,}", "items"]
    assert "true gain is 8 pp and the programs differ on 20 %" in out
    assert "true gain is 5 pp and the programs differ on 20 %" in telefine("power", "--gain-pp", "5")[1]


def test_power_of_other_plans(telefine, tmp_path):
    (tmp_path / "telefine.yaml").write_text(SETTINGS)
    _, out, _ = telefine("power", "--items", "400", "--gain-pp", "6", "--look", "2")
    assert "alpha 0.008333 (look 2)" in out
    found = json.loads(telefine("power", "--items", "400", "--look", "2", "--json")[1])
    assert [(each["n"], each["alpha"]) for each in found] == [(400, "1/20"), (400, "1/120")]
    assert all(0 < each["power_ppm"] < PPM for each in found)
    assert "no number" in telefine("power", "--gain-pp", "1")[1]


@pytest.mark.parametrize("alpha", ["0", "0.5", "1/0", "often"])
def test_power_refuses_an_alpha_that_is_none(telefine, alpha):
    code, _, err = telefine("power", *WHOLE_PLAN[:-1], alpha)
    assert (code, "--alpha" in err) == (1, True)


def test_a_page_that_cannot_be_written_is_a_message(told, telefine, tmp_path):
    code, _, err = telefine("show", MONDAY, "--html", str(tmp_path / "nowhere" / "out.html"))
    assert code == 1
    assert "out.html: cannot be written: No such file or directory" in err.replace("\n", "")
    code, _, err = telefine("show", MONDAY, "--json", "--html", str(tmp_path / "out.html"))
    assert (code, (tmp_path / "out.html").exists()) == (1, False)
    assert "exclude each other" in err
