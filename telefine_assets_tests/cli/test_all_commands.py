"""What every command has in common: an example that is right, ``--json``, a line in the guide, tab completion."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from telefine_assets.attribution.submissions import Refusal
from telefine_assets.cli.main import app
from telefine_assets.cli.shared import program_names

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "command.md"
TELEFINE = Path(sys.executable).with_name("telefine")
OWN_JSON, LONG = "prints JSON in any case", "goes on for long, and says how far it is"
WITHOUT_JSON = {
    "config schema": OWN_JSON,
    "contributors proof": OWN_JSON,
    "payouts proof": OWN_JSON,
    "submissions sign": OWN_JSON,
    "submissions receipt": OWN_JSON,
    "alerts secret": "prints the secret and nothing else",
    "demo": LONG,
    "bench": LONG,
    "serve": LONG,
    "spool drain": LONG,
}


def leaves(command, *path):
    """The commands below one, by their full names."""
    below = getattr(command, "commands", None)
    if below is None:
        return {" ".join(path): command}
    return {name: leaf for each, sub in below.items() for name, leaf in leaves(sub, *path, each).items()}


COMMANDS = leaves(typer.main.get_command(app))
every = pytest.mark.parametrize("name", COMMANDS)


def example_of(name):
    """The example of a command's help, in one line."""
    found = re.search(r"\n\nExample: (telefine .+?)(?=\n\n|\Z)", COMMANDS[name].help or "", re.DOTALL)
    assert found, f"telefine {name}: its help has no paragraph 'Example: telefine ...'"
    return " ".join(found[1].split())


def parse(words):
    """Let the command that some words name parse the rest of them; returns the command's name."""
    assert words[0] == "telefine", words
    name = next(name for name in (" ".join(words[1 : 1 + depth]) for depth in (3, 2, 1)) if name in COMMANDS)
    COMMANDS[name].make_context(name, words[1 + len(name.split()) :])
    return name


@every
def test_the_help_has_an_example_that_the_command_understands(name):
    first, *more = (shlex.split(part) for part in example_of(name).split(" && "))
    assert parse(first) == name
    for part in more:
        parse(part)


@every
def test_the_answer_is_to_be_had_as_json(name):
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts}
    assert ("--json" in options) != (name in WITHOUT_JSON), WITHOUT_JSON.get(name, f"telefine {name} has no --json")


def test_every_exception_is_of_a_command():
    assert set(WITHOUT_JSON) <= set(COMMANDS)


def test_the_guide_lists_every_command_and_says_of_it_what_its_help_says():
    rows = [f"| `telefine {name}` | {COMMANDS[name].help.split(chr(10) * 2)[0].strip()} |" for name in COMMANDS]
    table = "\n".join(
        ["| Command | What it does |", "|---|---|", *(" ".join(row.split()).replace("<", "\\<") for row in rows)]
    )
    assert table in GUIDE.read_text(encoding="utf-8"), f"{GUIDE.name}: its table should be\n\n{table}\n"


def test_the_guide_names_every_code_of_a_submission():
    text = GUIDE.read_text(encoding="utf-8")
    assert [code for code in Refusal if f"`{code}`" not in text] == []


def completed(folder, *words):
    """What the shell is offered for the last word."""
    done = subprocess.run(
        [TELEFINE],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ
        | {
            "_TELEFINE_COMPLETE": "complete_bash",
            "COMP_WORDS": " ".join(("telefine", *words)),
            "COMP_CWORD": str(len(words)),
            "TELEFINE_CONFIG": str(folder / "telefine.yaml"),
        },
    )
    return done.stdout.split()


def test_tab_completes_commands_options_and_the_programs_of_the_settings(tmp_path):
    (tmp_path / "telefine.yaml").write_text("programs: {triage: {}, tickets: {}, refunds: {}}")
    assert completed(tmp_path, "attest", "rev") == ["revoke"]
    assert completed(tmp_path, "attest", "verify", "--js") == ["--json"]
    assert completed(tmp_path, "traces", "stats", "--program", "t") == ["triage", "tickets"]


@pytest.mark.parametrize("text", ["programs: [", "programs: 7", "[]", None])
def test_tab_offers_no_program_where_the_settings_cannot_be_read(tmp_path, text, monkeypatch):
    monkeypatch.setenv("TELEFINE_CONFIG", str(tmp_path / "telefine.yaml"))
    if text is not None:
        (tmp_path / "telefine.yaml").write_text(text)
    assert program_names() == []
