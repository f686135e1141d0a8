"""Documents tell the truth: commands that are named exist, links lead somewhere, settings load."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from telefine_assets.attestation.failures import FailureCode
from telefine_assets.settings.loading import load_settings
from telefine_assets.settings.schema import Settings
from telefine_assets_tests.traces.mlflow_store import copy_store

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
"""Those of folders, too: their commands are run by tests of their own."""
TUTORIAL = ROOT / "docs" / "tutorial.md"


def blocks(document: Path, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", document.read_text(), re.DOTALL)


def commands() -> list[str]:
    """Every command line in a bash block of any document, once."""
    lines = [line for each in DOCUMENTS for block in blocks(each, "bash") for line in block.splitlines()]
    return list(dict.fromkeys(line.split("#")[0].strip() for line in lines if line.strip()))


def test_every_make_target_in_the_documents_exists():
    targets = {line.split()[1] for line in commands() if line.startswith("make ")}
    assert {"demo", "test", "ui", "mlflow"} <= targets
    for target in targets:
        assert subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("document", [*ROOT.glob("*.md"), *PAGES], ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text()):
        assert (document.parent / target).exists(), target


def test_the_guide_to_alerts_tells_of_every_kind_and_its_recipe_works():
    import time

    from telefine_assets.alerts.records import Kind
    from telefine_assets.alerts.webhook import keys_of, secret_of, signed

    assert [kind for kind in Kind if f"| `{kind}` |" not in (ROOT / "docs" / "alerts.md").read_text()] == []
    (recipe,), names, secret = blocks(ROOT / "docs" / "alerts.md", "python"), {}, secret_of(b"k" * 32)
    exec(recipe, names)
    headers, seen = signed(keys_of(secret), "msg_1", int(time.time()), b"{}"), set()
    assert [names["believable"](secret, headers, body, seen) for body in (b"{ }", b"{}", b"{}")] == [False, True, False]


def test_the_guide_to_attestation_names_every_code():
    guide = (ROOT / "docs" / "attestation.md").read_text()
    assert [code for code in FailureCode if f"`{code}`" not in guide] == []


def test_the_guides_name_every_strategy_and_metric():
    from telefine_assets.programs.metrics.loading import BUILT_IN as METRICS
    from telefine_assets.settings.compile import BUILT_IN

    for guide, names in (("compile", BUILT_IN), ("metrics", METRICS)):
        text = (ROOT / "docs" / f"{guide}.md").read_text()
        assert [name for name in names if f"`{name}`" not in text] == []


def test_the_guide_to_traces_names_every_rule():
    from telefine_assets.traces.cleaning.rules import RULES

    text = (ROOT / "docs" / "traces.md").read_text()
    assert [rule for rule in RULES if f"`{rule}`" not in text] == []


def settings_shown() -> list[Any]:
    """Every block of settings in any document."""
    found = [(page, number, text) for page in PAGES for number, text in enumerate(blocks(page, "yaml"))]
    return [pytest.param(text, id=f"{page.stem}-{number}") for page, number, text in found]


@pytest.mark.parametrize("shown", settings_shown())
def test_the_settings_in_the_documents_are_valid(shown, tmp_path, own_environment):
    """Laid over the tutorial's: those of a deployment, or of its program."""
    base = yaml.safe_load(blocks(TUTORIAL, "yaml")[0])
    models = yaml.safe_load(blocks(ROOT / "docs" / "compile.md", "yaml")[0])["lms"]
    changes = yaml.safe_load(shown)
    if not changes.keys() <= {*Settings.model_fields, "profiles"}:
        changes = {"programs": {"triage": changes}}
    groups = changes.get("programs", {"triage": {}})
    programs = {name: base["programs"]["triage"] | group for name, group in groups.items()}
    (tmp_path / "telefine.yaml").write_text(yaml.safe_dump(base | {"lms": models} | changes | {"programs": programs}))
    for profile in [None, *changes.get("profiles", {})]:
        assert load_settings(tmp_path / "telefine.yaml", profile).programs.keys() == groups.keys()


def written_by_the_tutorial(folder: Path) -> Path:
    """Every module of the tutorial, by the name in its first line."""
    (folder / "support").mkdir()
    for code in blocks(TUTORIAL, "python"):
        for name in re.findall(r"\A# (support/\w+\.py)\n", code):
            (folder / name).write_text(code)
    return folder


def test_the_programs_in_the_tutorial_have_the_fields_that_it_names(tmp_path, monkeypatch, own_environment):
    from telefine_assets.programs.spec import load_spec

    monkeypatch.syspath_prepend(str(written_by_the_tutorial(tmp_path)))
    first, second = map(yaml.safe_load, blocks(TUTORIAL, "yaml"))
    fields = []
    for own in (first, second):
        program = first["programs"]["triage"] | own["programs"]["triage"]
        (tmp_path / "telefine.yaml").write_text(yaml.safe_dump(first | {"programs": {"triage": program}}))
        found = load_spec("triage", load_settings(tmp_path / "telefine.yaml").program("triage")).fields
        fields.append((found.inputs, found.outputs))
    assert fields == [(("message",), ("queue",)), (("message",), ("queue", "urgent"))]


SERVED = """
import json, mlflow
from support.serving import answer, judge
queue, trace_id = answer("i am locked out", "0x52908400098527886E0F7030069857D2E4169EE7")
mlflow.flush_trace_async_logging()
judge(trace_id, "ann", helpful=False, right="login")
trace = mlflow.get_trace(trace_id)
said = {each.name: [each.value, each.source.source_id] for each in trace.info.assessments}
print(json.dumps([queue, trace.info.tags["telefine.contributor"], said]))
"""


def test_the_application_of_the_tutorial_logs_contributor_feedback_and_expectation(tmp_path, empty_template):
    serving = written_by_the_tutorial(tmp_path) / "support" / "serving.py"
    copy_store(empty_template, tmp_path / "store")
    code = serving.read_text().replace('"http://127.0.0.1:5000"', repr(f"sqlite:///{tmp_path}/store/mlflow.db"))
    serving.write_text(code.replace('dspy.LM("openai/gpt-4o-mini")', 'dspy.utils.DummyLM([{"queue": "billing"}])'))
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "MLFLOW_TRACKING_URI": ""}
    # MLflow keeps a trace's spans in the folder that it runs in.
    where = {"cwd": tmp_path, "env": environment}
    told = subprocess.run([sys.executable, "-c", SERVED], **where, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr[-2000:]
    assert json.loads(told.stdout.splitlines()[-1]) == [
        "billing",
        "0x52908400098527886E0F7030069857D2E4169EE7",
        {"helpful": [False, "ann"], "queue": ["login", "ann"]},
    ]


def test_the_settings_of_this_checkout_are_valid():
    assert list(load_settings(ROOT / "telefine.yaml").programs) == ["film_reviews"]


def test_the_guide_to_deltaone_names_every_code_that_may_be_shown():
    from telefine_assets.deltaone.decision import NOT_REACHED, PUBLIC_CODES, REACHED

    text = (ROOT / "docs" / "deltaone.md").read_text()
    assert [code for code in PUBLIC_CODES | {NOT_REACHED} if code != REACHED and f"`{code}`" not in text] == []


def test_no_message_sends_to_a_page_that_only_the_repository_has():
    """Who installed the package has no docs/; the demonstration is run in the repository."""
    sources = [path for path in (ROOT / "telefine_assets").rglob("*.py") if path.parent.name != "demo"]
    named = [(path.name, text) for path in sources for text in texts_of(path) if re.search(r"(?<![\w/.])docs/", text)]
    assert named == []


def texts_of(path: Path) -> list[str]:
    """The texts of a source file that name ``docs/`` anywhere; docstrings, which are for who reads it, are none."""
    if "docs/" not in (source := path.read_text(encoding="utf-8")):
        return []
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    nodes = list(ast.walk(ast.parse(source)))
    told = {ast.get_docstring(node, clean=False) for node in nodes if isinstance(node, documented)}
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [text for text in texts if text not in told]


OWN = {"--help", "--install-completion", "--show-completion", "--version"}


def named_commands() -> set[tuple[str, str]]:
    """Every command of Telefine in code of a document, with the document; up to a pipe, a comment or what follows."""
    found = set()
    for page in [*ROOT.glob("*.md"), *PAGES]:
        text = page.read_text(encoding="utf-8")
        fenced = [line for block in re.findall(r"```\w*\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
        inline = re.findall(r"(?<!`)`(telefine [^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
        found |= {
            (page.name, each)
            for line in [*fenced, *(" ".join(each.split()) for each in inline)]
            for each in re.findall(r"(?:^|\$\()(telefine [^|#;&)>]+)", line.strip())
        }
    return found


def test_every_command_in_the_documents_exists_with_its_options():
    from telefine_assets_tests.cli.test_all_commands import COMMANDS

    groups = {" ".join(name.split()[:depth]) for name in COMMANDS for depth in (1, 2)} | {"COMMAND"}
    wrong = []
    for page, line in sorted(named_commands()):
        words = line.replace(",", " ").split()[1:]
        options = {word.split("=")[0] for word in words if word.startswith("--")} - OWN
        name = next((" ".join(words[:depth]) for depth in (3, 2, 1) if " ".join(words[:depth]) in COMMANDS), None)
        known = {each for parameter in (COMMANDS[name].params if name else ()) for each in spellings(parameter)}
        if options - known or (name is None and words[0] not in groups | OWN):
            wrong.append((page, line))
    assert not wrong, wrong


def spellings(parameter: Any) -> list[str]:
    """How an option may be written: its names, and those that turn it off."""
    return [*parameter.opts, *parameter.secondary_opts]


def test_the_guide_to_the_architecture_names_every_room():
    text = (ROOT / "docs" / "architecture.md").read_text()
    rooms = sorted(path.parent.name for path in (ROOT / "telefine_assets").glob("*/__init__.py"))
    assert [room for room in rooms if f"  {room}/" not in text] == []
