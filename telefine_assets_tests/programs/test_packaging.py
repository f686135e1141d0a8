"""An exported version runs without Telefine, and answers as it does within."""

import json
import os
import subprocess
import sys

import pytest

from telefine_assets.lm.opening import identity_of
from telefine_assets.programs.nearest import KNN
from telefine_assets.programs.packaging import PackageError, replace_package, write_package
from telefine_assets.programs.versions import Version, first_version, make_version
from telefine_assets_tests.knn_lm import lm_settings
from telefine_assets_tests.programs.examples import items, opened, tickets_spec

SPEC = tickets_spec()
QUESTIONS = [{"ticket": text} for text in ("my password is locked", "a refund for my card", "the parcel is late")]
# Telefine cannot be imported there, and neither can the program's own package.
ALONE = """
import json, sys
sys.path = [each for each in sys.path if not each.endswith("main")]
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0].startswith("telefine"):
            raise ImportError("no " + name + " here")
sys.meta_path.insert(0, Refuse())
questions = json.loads(sys.argv[2])
"""
WITH_DSPY = (
    ALONE
    + """
sys.path.insert(0, sys.argv[1])
import program
module = program.load()
with program.context():
    print(json.dumps([module(**each).toDict() for each in questions]))
"""
)
WITH_MLFLOW = (
    ALONE
    + """
import mlflow.pyfunc
model = mlflow.pyfunc.load_model(sys.argv[1], model_config={"api_base": sys.argv[3]})
print(json.dumps(model.predict(questions)))
"""
)


def compiled(knn, strategy):
    """A version with demos of all teams."""
    state = first_version(SPEC, {}).state
    state["sort"]["demos"] = [{**item.inputs, **item.label} for item in items(24)]
    return make_version(SPEC, state, strategy, "a" * 64, identity_of(lm_settings(knn)))


def alone(tmp_path, program, *arguments, **environment):
    """Run a program in an empty folder, in an interpreter of its own; returns what it printed as JSON."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TELEFINE_", "PYTHONPATH"))}
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=tmp_path,
        env=kept | {"TELEFINE_LM__API_KEY": "a-key"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def answers_within(knn, version):
    with opened(knn) as lm, lm.context():
        module = version.module(SPEC)
        return [module(**each).toDict() for each in QUESTIONS]


@pytest.mark.parametrize("strategy", [{"strategy": "labeled_few_shot"}, {"strategy": KNN, "k": 2}], ids=["few", "knn"])
def test_with_plain_dspy_an_exported_program_asks_and_answers_what_ours_does(tmp_path, knn, strategy):
    version = compiled(knn, strategy)
    write_package(tmp_path / "out", SPEC, version)
    ours = answers_within(knn, version)
    asked = list(knn.prompts)
    knn.prompts.clear()
    found = alone(tmp_path, WITH_DSPY, tmp_path / "out", json.dumps(QUESTIONS), TELEFINE_LM__API_BASE=knn.api_base)
    assert found == ours
    assert knn.prompts == asked
    assert len({each["team"] for each in found}) > 1


def test_the_folder_holds_the_version_and_nothing_that_could_run_by_being_read(tmp_path, knn):
    version = compiled(knn, {"strategy": "labeled_few_shot"})
    write_package(tmp_path / "out", SPEC, version)
    files = {path.relative_to(tmp_path / "out").as_posix(): path.read_bytes() for path in tmp_path.rglob("*.*")}
    assert Version(files["program.json"]) == version
    assert {name.rsplit(".", 1)[-1] for name in files} <= {"json", "py", "md", "txt", "yaml"}
    assert files["requirements.txt"].decode().split("==")[0] == "dspy"
    whole = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert knn.api_base.encode() not in whole
    assert b"pickle" not in files["program.json"] + (tmp_path / "out" / "MLmodel").read_bytes()
    assert b"mlflow-artifacts" not in whole
    assert str(tmp_path).encode() not in whole


def test_an_embedded_model_must_be_named(tmp_path, knn):
    version = make_version(SPEC, first_version(SPEC, {}).state, {}, "", {"model": "gemma", "sha256": "0" * 64})
    write_package(tmp_path / "out", SPEC, version)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "out" / "program.py"), json.dumps(QUESTIONS[0])],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "name them by TELEFINE_LM__MODEL" in done.stderr


def test_a_version_of_other_code_is_not_exported(tmp_path, knn):
    version = compiled(knn, {"strategy": "labeled_few_shot"})
    other = Version(version.document.replace(SPEC.code_digest.encode(), b"0" * 64))
    with pytest.raises(PackageError, match="was changed since version"):
        write_package(tmp_path / "out", SPEC, other)
    assert not (tmp_path / "out").exists()


def test_an_export_replaces_an_export_whole_and_nothing_else(tmp_path, knn):
    one, other = (compiled(knn, {"strategy": "labeled_few_shot", "n": number}) for number in (1, 2))
    replace_package(tmp_path / "out", SPEC, one)
    (tmp_path / "out" / "left over.txt").write_text("x")
    replace_package(tmp_path / "out", SPEC, other)
    assert Version((tmp_path / "out" / "program.json").read_bytes()) == other
    assert not (tmp_path / "out" / "left over.txt").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(PackageError, match="holds something else"):
        replace_package(tmp_path / "mine", SPEC, one)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "out"]
