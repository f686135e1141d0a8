"""The auditor's script, as it stands in its page, comes to what was attested, and sees what is wrong."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from telefine_assets.canonical import canonical_json, canonical_lines, sha256_hex
from telefine_assets.deltaone.decision import decide
from telefine_assets.deltaone.records import PPM
from telefine_assets_tests.cli.attested_home import ALICE, MONDAY, evidence_of
from telefine_assets_tests.deltaone.rows import LOOSE, look, row
from telefine_assets_tests.runbooks.rehearsal import PAGES, Rehearsed


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one Python block of the page."""
    (block,) = re.findall(r"```python\n(.*?)```", (PAGES.parent / "auditing.md").read_text(), re.DOTALL)
    path = tmp_path_factory.mktemp("auditor") / "audit.py"
    path.write_text(block)
    return path


def audited(script: Path, folder: Path) -> tuple[int, str]:
    done = subprocess.run([sys.executable, script, folder], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def exported(folder: Path, **changed: bytes) -> Path:
    """An export with nothing in it but what the script reads; some of its files are others."""
    files = evidence_of(MONDAY, [ALICE]) | {name.replace("_", "."): content for name, content in changed.items()}
    (folder / "evidence").mkdir(parents=True)
    for content in files.values():
        (folder / "evidence" / sha256_hex(content)).write_bytes(content)
    evidence = [{"name": name, "sha256": sha256_hex(content)} for name, content in files.items()]
    statement = {"predicate": {"evidence": evidence, "decision": {"p": "?", "deltaPpm": 0}}}
    (folder / "attestation.json").write_bytes(canonical_json({"statement": statement}))
    return folder


def test_a_real_export_is_decided_as_it_was_attested(home: Rehearsed, script: Path) -> None:
    folder = home.folder / "out"
    assert home.run(f"telefine attest export DAY {folder}").code == 0
    code, said = audited(script, folder)
    assert (code, said.splitlines()[-1]) == (0, "reached"), said
    decision = json.loads((folder / "attestation.json").read_text())["statement"]["predicate"]["decision"]
    assert f"gain {decision['deltaPpm'] / 10_000:.2f} pp on {decision['n']} items" in said
    assert f"{decision['wins']} won, {decision['losses']} lost" in said
    found = re.search(r"p (\S+), level", said)
    assert found and float(found[1]) == pytest.approx(float(decision["p"]), rel=1e-3)
    assert "items learnt from too: 0" in said
    rows = next(path for path in (folder / "evidence").iterdir() if b'"baseline_error"' in path.read_bytes()[:20])
    rows.write_bytes(rows.read_bytes().replace(b'"baseline_ppm":1000000', b'"baseline_ppm":0000000', 1))
    code, said = audited(script, folder)
    assert (code, "rows.jsonl was changed" in said) == (1, True)


def test_groups_are_one_observation_and_an_item_that_was_learnt_from_is_seen(script: Path, tmp_path: Path) -> None:
    grouped = [row(n, 0, PPM // 2, group=f"session {n // 4}") for n in range(60)]
    grouped += [row(n, PPM, PPM // 4, group=f"session {n // 4}") for n in range(60, 84)]
    content = canonical_lines(each.to_record() for each in grouped)
    code, said = audited(script, exported(tmp_path / "grouped", rows_jsonl=content))
    found = re.search(r"p (\S+), level", said)
    wanted = decide(grouped, LOOSE, look())
    assert found and float(found[1]) == pytest.approx(float(wanted.p_value), rel=0.2)
    assert (code == 0, "in 21 groups" in said) == (wanted.reached, True)
    (line,) = (json.loads(each) for each in evidence_of(MONDAY, [ALICE])["trainset.jsonl"].splitlines())
    leaked = canonical_lines([line | {"cluster": grouped[0].item}])
    code, said = audited(script, exported(tmp_path / "leaked", trainset_jsonl=leaked))
    assert (code, "items learnt from too: 1" in said, said.splitlines()[-1]) == (1, True, "NOT reached")
