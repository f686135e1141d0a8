"""The command line: exit codes, messages of one line, no secrets."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from telefine_assets.cli.main import main
from telefine_assets.settings.loading import load_settings, printable

ROOT = Path(__file__).parents[2]
CONFIG = str(ROOT / "telefine.yaml")
SECRET = "sk-7f3a-not-to-be-shown"


@pytest.fixture
def telefine(capsys, monkeypatch):
    """Run ``telefine`` with some arguments; returns exit code, output and errors."""
    for name in [each for each in os.environ if each.upper().startswith("TELEFINE_")]:
        monkeypatch.delenv(name)

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(list(arguments))
        printed = capsys.readouterr()
        return caught.value.code or 0, printed.out, printed.err

    return run


def changed(tmp_path, **groups) -> str:
    values = yaml.safe_load(Path(CONFIG).read_text()) | groups
    (tmp_path / "telefine.yaml").write_text(yaml.safe_dump(values))
    return str(tmp_path / "telefine.yaml")


def test_help_names_the_commands():
    script = Path(sys.executable).with_name("telefine")
    done = subprocess.run([script, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    for command in ("config", "attest", "payouts", "demo"):
        assert command in done.stdout


def test_the_installed_command_exits_1_with_one_line_and_no_traceback(tmp_path):
    script = Path(sys.executable).with_name("telefine")
    missing = tmp_path / "none.yaml"
    done = subprocess.run([script, "config", "check", "-c", missing], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"telefine: {missing}: no such settings file")
    assert done.stderr.count("\n") == 1


def test_a_command_that_does_not_exist_exits_2(telefine):
    code, _, errors = telefine("confgi")
    assert code == 2
    assert "No such command 'confgi'" in errors


def test_valid_settings_pass_and_name_their_programs(telefine):
    assert telefine("config", "check", "-c", CONFIG) == (0, "ok: 1 program(s): film_reviews\n", "")


def test_every_mistake_has_its_line_and_the_exit_code_is_1(telefine, tmp_path):
    path = changed(tmp_path, lm={"temperature": 9}, signer={"chain_id": 0})
    code, output, errors = telefine("config", "check", "-c", path)
    assert (code, output) == (1, "")
    assert [line.split(" = ")[0] for line in errors.splitlines()] == [
        "telefine: telefine.yaml: lm.temperature",
        "telefine.yaml: signer.chain_id",
    ]


def test_a_profile_is_checked_too(telefine, tmp_path):
    path = changed(tmp_path, profiles={"hot": {"lm": {"temperature": 9}}})
    assert telefine("config", "check", "-c", path)[0] == 0
    code, _, errors = telefine("config", "check", "-c", path, "-p", "hot")
    assert code == 1
    assert "lm.temperature = 9" in errors


def test_weights_that_may_lack_items_are_warned_of_and_those_that_must_are_refused(telefine, tmp_path):
    program = yaml.safe_load(Path(CONFIG).read_text())["programs"]["film_reviews"]

    def check(*arguments: str, **compile_settings: int) -> tuple[int, str, str]:
        changes = {"attribution": {"method": method}, "compile": program["compile"] | compile_settings}
        return telefine("config", "check", *arguments, "-c", changed(tmp_path, programs={"films": program | changes}))

    method = "shapley"
    assert check(min_validation=20)[1].count("\n") == 1
    code, output, _ = check(min_validation=19)
    (_, line) = output.splitlines()
    assert code == 0
    assert line.startswith("warning: programs.films.compile.min_validation = 19: with attribution.method = shapley")
    assert "set compile.min_validation to 20 or more" in line
    (warned,) = json.loads(check("--json", min_validation=19)[1])["warnings"]
    assert (warned["name"], "nobody is paid" in warned["said"]) == ("weights of films", True)
    code, _, errors = check(min_validation=19, max_validation=19)
    assert (code, "compile.max_validation (19) must be at least 20" in errors) == (1, True)
    method = "usage"
    assert check(min_validation=19, max_validation=19)[:2] == (0, "ok: 1 program(s): films\n")


def test_show_prints_the_settings_in_force(telefine, monkeypatch):
    monkeypatch.setenv("TELEFINE_LM__MODEL", "openai/environment")
    code, output, errors = telefine("config", "show", "-c", CONFIG)
    shown = yaml.safe_load(output)
    assert (code, errors) == (0, "")
    assert shown == printable(load_settings(Path(CONFIG)))
    assert (shown["lm"]["model"], shown["lm"]["num_retries"]) == ("openai/environment", 8)


def test_show_masks_secrets(telefine, monkeypatch):
    monkeypatch.setenv("TELEFINE_LM__API_KEY", SECRET)
    monkeypatch.setenv("TELEFINE_SIGNER__PRIVATE_KEY", SECRET)
    code, output, errors = telefine("config", "show", "-c", CONFIG)
    assert code == 0
    assert SECRET not in output + errors
    assert "film-reviews-demo" not in output
    assert yaml.safe_load(output)["lm"]["api_key"] == "**********"


def test_a_key_in_the_file_is_refused_without_repeating_it(telefine, tmp_path):
    code, output, errors = telefine("config", "show", "-c", changed(tmp_path, lm={"api_key": SECRET}))
    assert code == 1
    assert "TELEFINE_LM__API_KEY" in errors
    assert SECRET not in output + errors


def test_the_schema_describes_settings_files(telefine):
    code, output, _ = telefine("config", "schema")
    assert code == 0
    schema = json.loads(output)
    jsonschema.Draft202012Validator.check_schema(schema)
    values = yaml.safe_load(Path(CONFIG).read_text()) | {"profiles": {"big": {"lm": {"max_tokens": 9}}, "plain": None}}
    values = json.loads(json.dumps(values, default=str))
    jsonschema.validate(values, schema)
    with pytest.raises(jsonschema.ValidationError, match="lmm"):
        jsonschema.validate(values | {"lmm": {}}, schema)


@pytest.mark.parametrize("what", ["none.json", ""], ids=["a file", "a folder"])
def test_verifying_an_attestation_that_is_not_there_exits_1_and_says_how_to_get_one(telefine, tmp_path, what):
    code, output, errors = telefine("attest", "verify", str(tmp_path / what))
    assert (code, output) == (1, "")
    assert f"{tmp_path / (what or 'attestation.json')}: no such file" in errors
    assert "telefine attest export" in errors


def test_verifying_without_a_policy_exits_1_and_asks_for_one(telefine, tmp_path):
    (tmp_path / "attestation.json").write_text("{}")
    code, _, errors = telefine("attest", "verify", str(tmp_path))
    assert code == 1
    assert "there is no policy.json" in errors
    assert "--policy" in errors


def test_exporting_an_attestation_that_is_not_there_exits_1(telefine, tmp_path, monkeypatch):
    monkeypatch.setenv("TELEFINE_CONFIG", changed(tmp_path))
    code, _, errors = telefine("attest", "export", "2026-11-02", str(tmp_path / "out"))
    assert code == 1
    assert "no attestation 2026-11-02" in errors
    assert not (tmp_path / "out").exists()


def test_payouts_of_a_fresh_deployment_are_none_and_the_cure_is_named(telefine, tmp_path, monkeypatch):
    monkeypatch.setenv("TELEFINE_CONFIG", changed(tmp_path))
    code, out, err = telefine("payouts", "show")
    assert (code, out) == (1, "")
    assert "materialise contributor_payouts" in err
    assert not (tmp_path / ".telefine").exists()
