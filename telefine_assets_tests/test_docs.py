"""Documents tell the truth: commands that are named exist, links lead somewhere, settings load."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from telefine_assets.attestation.failures import FailureCode
from telefine_assets.settings import load_settings

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(document: Path, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", document.read_text(), re.DOTALL)


def commands() -> list[str]:
    """Every command line in a bash block of any document."""
    lines = [line for each in DOCUMENTS for block in blocks(each, "bash") for line in block.splitlines()]
    return [line.split("#")[0].strip() for line in lines if line.strip()]


def test_every_make_target_in_the_documents_exists():
    targets = {line.split()[1] for line in commands() if line.startswith("make ")}
    assert {"demo", "test", "ui", "mlflow"} <= targets
    for target in targets:
        assert subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text()):
        assert (document.parent / target).exists(), target


def test_the_settings_in_the_tutorial_are_valid(tmp_path):
    (block,) = blocks(ROOT / "docs" / "tutorial.md", "yaml")
    (tmp_path / "telefine.yaml").write_text(block)
    settings = load_settings(tmp_path / "telefine.yaml")
    assert list(settings.programs) == list(yaml.safe_load(block)["programs"])


def test_the_settings_in_the_guide_to_traces_are_valid(tmp_path):
    (tutorial,) = blocks(ROOT / "docs" / "tutorial.md", "yaml")
    reading, cleaning = (yaml.safe_load(block) for block in blocks(ROOT / "docs" / "traces.md", "yaml"))
    values = yaml.safe_load(tutorial)
    values["programs"]["triage"] |= reading["programs"]["triage"] | cleaning
    (tmp_path / "telefine.yaml").write_text(yaml.safe_dump(values))
    assert len(load_settings(tmp_path / "telefine.yaml").program("triage").cleaning.outcomes) == 3


def test_the_settings_in_the_guides_to_compiling_and_metrics_are_valid(tmp_path):
    (tutorial,) = blocks(ROOT / "docs" / "tutorial.md", "yaml")
    (compiling, _), (metric,) = (blocks(ROOT / "docs" / f"{name}.md", "yaml") for name in ("compile", "metrics"))
    values, changes = yaml.safe_load(tutorial), yaml.safe_load(compiling)
    values |= {name: changes[name] for name in ("lm", "lms")}
    for more in (changes["programs"]["triage"], yaml.safe_load(metric)):
        values["programs"]["triage"] |= more
        (tmp_path / "telefine.yaml").write_text(yaml.safe_dump(values))
        assert load_settings(tmp_path / "telefine.yaml").program("triage").compile.budget.max_cost == "5.00"


def test_the_settings_of_a_program_that_teaches_another_are_valid(tmp_path):
    (tutorial,) = blocks(ROOT / "docs" / "tutorial.md", "yaml")
    compiling, teaching = (yaml.safe_load(block) for block in blocks(ROOT / "docs" / "compile.md", "yaml"))
    values = yaml.safe_load(tutorial) | {"lms": compiling["lms"]}
    triage = values["programs"]["triage"]
    values["programs"] = {name: triage | changes for name, changes in teaching["programs"].items()}
    (tmp_path / "telefine.yaml").write_text(yaml.safe_dump(values))
    assert load_settings(tmp_path / "telefine.yaml").program("triage").compile.teacher_program == "senior"


def test_the_settings_in_the_guide_to_attribution_are_valid(tmp_path):
    (tutorial,), (attribution,) = (blocks(ROOT / "docs" / f"{name}.md", "yaml") for name in ("tutorial", "attribution"))
    values = yaml.safe_load(tutorial)
    values["programs"]["triage"] |= yaml.safe_load(attribution)
    (tmp_path / "telefine.yaml").write_text(yaml.safe_dump(values))
    assert load_settings(tmp_path / "telefine.yaml").program("triage").attribution.shapley.max_items == 200


def test_the_settings_in_the_guide_to_automation_are_valid(tmp_path):
    (tutorial,), (running,) = (blocks(ROOT / "docs" / f"{name}.md", "yaml") for name in ("tutorial", "automation"))
    values, changes = yaml.safe_load(tutorial), yaml.safe_load(running)
    values["programs"]["triage"] |= changes["programs"]["triage"]
    values |= {name: changes[name] for name in ("partitions", "automation")}
    (tmp_path / "telefine.yaml").write_text(yaml.safe_dump(values))
    assert load_settings(tmp_path / "telefine.yaml").program("triage").sensors.traces.enabled


def test_the_guide_to_alerts_tells_of_every_kind_and_its_settings_and_recipe_work(tmp_path, monkeypatch):
    import time

    from telefine_assets.alerts.records import Kind
    from telefine_assets.alerts.webhook import keys_of, secret_of, signed

    (tutorial,), (alerts,) = (blocks(ROOT / "docs" / f"{name}.md", "yaml") for name in ("tutorial", "alerts"))
    (tmp_path / "telefine.yaml").write_text(yaml.safe_dump(yaml.safe_load(tutorial) | yaml.safe_load(alerts)))
    assert set(load_settings(tmp_path / "telefine.yaml").alerts.channels) == {"chat", "mail", "ops"}
    assert [kind for kind in Kind if f"| `{kind}` |" not in (ROOT / "docs" / "alerts.md").read_text()] == []
    (recipe,), names, secret = blocks(ROOT / "docs" / "alerts.md", "python"), {}, secret_of(b"k" * 32)
    exec(recipe, names)
    headers, seen = signed(keys_of(secret), "msg_1", int(time.time()), b"{}"), set()
    assert [names["believable"](secret, headers, body, seen) for body in (b"{ }", b"{}", b"{}")] == [False, True, False]


def test_the_settings_in_the_guide_to_payouts_are_valid(tmp_path):
    (tutorial,), (chain,) = (blocks(ROOT / "docs" / f"{name}.md", "yaml") for name in ("tutorial", "payouts"))
    values, changes = yaml.safe_load(tutorial), yaml.safe_load(chain)
    values["programs"]["triage"]["payout"] |= changes["programs"]["triage"]["payout"]
    values |= {"chain": changes["chain"], "signer": values.get("signer", {}) | changes["signer"]}
    (tmp_path / "telefine.yaml").write_text(yaml.safe_dump(values))
    assert load_settings(tmp_path / "telefine.yaml").chain.distributors


def test_the_guide_to_attestation_names_every_code():
    guide = (ROOT / "docs" / "attestation.md").read_text()
    assert [code for code in FailureCode if f"`{code}`" not in guide] == []


def test_the_settings_in_the_guide_to_deltaone_are_valid(tmp_path):
    (tutorial,), (rule,) = (blocks(ROOT / "docs" / f"{name}.md", "yaml") for name in ("tutorial", "deltaone"))
    values = yaml.safe_load(tutorial)
    values["programs"]["triage"] |= yaml.safe_load(rule)
    (tmp_path / "telefine.yaml").write_text(yaml.safe_dump(values))
    assert set(load_settings(tmp_path / "telefine.yaml").program("triage").deltaone.guardrails) > {"valid", "polite"}


def test_the_settings_in_the_guide_to_the_improvement_report_are_valid(tmp_path):
    (tutorial,), (report,) = (blocks(ROOT / "docs" / f"{name}.md", "yaml") for name in ("tutorial", "improvement"))
    values = yaml.safe_load(tutorial)
    values["programs"]["triage"] |= yaml.safe_load(report)["programs"]["triage"]
    (tmp_path / "telefine.yaml").write_text(yaml.safe_dump(values))
    assert load_settings(tmp_path / "telefine.yaml").program("triage").improvement.ticks == "0 7 * * 1"


def test_the_guides_name_every_strategy_and_metric():
    from telefine_assets.programs.metrics.loading import BUILT_IN as METRICS
    from telefine_assets.settings_compile import BUILT_IN

    for guide, names in (("compile", BUILT_IN), ("metrics", METRICS)):
        text = (ROOT / "docs" / f"{guide}.md").read_text()
        assert [name for name in names if f"`{name}`" not in text] == []


def test_the_guide_to_traces_names_every_rule():
    from telefine_assets.traces.cleaning.rules import RULES

    text = (ROOT / "docs" / "traces.md").read_text()
    assert [rule for rule in RULES if f"`{rule}`" not in text] == []


def test_the_program_in_the_tutorial_can_be_loaded(tmp_path, monkeypatch):
    from telefine_assets.programs.spec import load_spec

    code, *_ = blocks(ROOT / "docs" / "tutorial.md", "python")
    (tmp_path / "triage_of_the_tutorial.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    (block,) = blocks(ROOT / "docs" / "tutorial.md", "yaml")
    (tmp_path / "telefine.yaml").write_text(block.replace("support.triage:build", "triage_of_the_tutorial:build"))
    program = load_settings(tmp_path / "telefine.yaml").program("triage")
    assert load_spec("triage", program).fields.outputs == ("queue",)


def test_the_settings_of_this_checkout_are_valid():
    assert list(load_settings(ROOT / "telefine.yaml").programs) == ["film_reviews"]


def test_the_guide_to_deltaone_names_every_code_that_may_be_shown():
    from telefine_assets.deltaone.decision import NOT_REACHED, PUBLIC_CODES, REACHED

    text = (ROOT / "docs" / "deltaone.md").read_text()
    assert [code for code in PUBLIC_CODES | {NOT_REACHED} if code != REACHED and f"`{code}`" not in text] == []


def test_the_settings_in_the_guide_to_keeping_are_valid(tmp_path):
    (tutorial,), (keeping,) = (blocks(ROOT / "docs" / f"{name}.md", "yaml") for name in ("tutorial", "keeping"))
    (tmp_path / "telefine.yaml").write_text(yaml.safe_dump(yaml.safe_load(tutorial) | yaml.safe_load(keeping)))
    assert load_settings(tmp_path / "telefine.yaml").retention.traces_days == 400
