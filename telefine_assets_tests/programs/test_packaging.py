"""An exported version runs without Telefine, and answers as it does within."""

import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from telefine_assets.lm.opening import identity_of
from telefine_assets.programs.nearest import KNN
from telefine_assets.programs.packaging import PackageError, replace_package, write_package
from telefine_assets.programs.spec import load_spec
from telefine_assets.programs.versions import Version, first_version, make_version
from telefine_assets.settings.lm import LmSettings
from telefine_assets_tests.knn_lm import lm_settings
from telefine_assets_tests.programs.examples import items, opened, program_settings, tickets_spec

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
    write_package(tmp_path / "out", SPEC, version, True)
    ours = answers_within(knn, version)
    asked = list(knn.prompts)
    knn.prompts.clear()
    found = alone(tmp_path, WITH_DSPY, tmp_path / "out", json.dumps(QUESTIONS), TELEFINE_LM__API_BASE=knn.api_base)
    assert found == ours
    assert knn.prompts == asked
    assert len({each["team"] for each in found}) > 1


def test_the_folder_holds_the_version_and_nothing_that_could_run_by_being_read(tmp_path, knn):
    version = compiled(knn, {"strategy": "labeled_few_shot"})
    write_package(tmp_path / "out", SPEC, version, True)
    files = {path.relative_to(tmp_path / "out").as_posix(): path.read_bytes() for path in tmp_path.rglob("*.*")}
    assert Version(files["program.json"]) == version
    assert {name.rsplit(".", 1)[-1] for name in files} <= {"json", "py", "md", "txt", "yaml"}
    assert files["requirements.txt"].decode().split("==")[0] == "dspy"
    whole = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert knn.api_base.encode() not in whole
    assert b"pickle" not in files["program.json"] + (tmp_path / "out" / "MLmodel").read_bytes()
    assert b"mlflow-artifacts" not in whole
    assert str(tmp_path).encode() not in whole


def run_export(folder, inputs, **environment):
    """Run the command of an export's README, with the keys of both Telefine and the provider at hand."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TELEFINE_")}
    keys = {"TELEFINE_LM__API_KEY": "a-key", "OPENAI_API_KEY": "a-key", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    command = [sys.executable, str(folder / "program.py"), json.dumps(inputs)]
    return subprocess.run(command, env=kept | keys | environment, capture_output=True, text=True, check=False)


def test_an_embedded_model_must_be_named(tmp_path):
    version = make_version(SPEC, first_version(SPEC, {}).state, {}, "", {"model": "gemma", "sha256": "0" * 64})
    write_package(tmp_path / "out", SPEC, version, False)
    done = run_export(tmp_path / "out", QUESTIONS[0])
    assert done.returncode != 0
    assert "name them by TELEFINE_LM__MODEL" in done.stderr


def test_a_program_of_a_server_of_one_s_own_asks_nobody_else(tmp_path, knn):
    """DSPy would ask the provider whose name the model begins with: here the stand-in, as OPENAI_API_BASE says."""
    version = compiled(knn, {"strategy": "labeled_few_shot"})
    at_provider = {"OPENAI_API_BASE": knn.api_base, "OPENAI_BASE_URL": knn.api_base}
    write_package(tmp_path / "own", SPEC, version, True)
    write_package(tmp_path / "provider's", SPEC, version, False)
    done = run_export(tmp_path / "own", QUESTIONS[0], **at_provider, TELEFINE_LM__MODEL="openai/another")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert "name it by TELEFINE_LM__API_BASE" in done.stderr
    assert not knn.prompts
    assert run_export(tmp_path / "provider's", QUESTIONS[0], **at_provider).stdout == '{"team": "login"}\n'
    assert "TELEFINE_LM__API_BASE=" in (tmp_path / "own" / "README.md").read_text()


class Refusal(BaseHTTPRequestHandler):
    """A language model that answers nobody."""

    def do_POST(self):
        self.send_error(401)

    def log_message(self, *said):
        """Say nothing."""


def test_what_cannot_be_answered_is_said_in_one_sentence(tmp_path, knn):
    write_package(tmp_path / "out", SPEC, compiled(knn, {"strategy": "labeled_few_shot"}), True)
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusal) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/v1"
        answers = [run_export(tmp_path / "out", each, TELEFINE_LM__API_BASE=address) for each in (QUESTIONS[0], [1])]
        server.shutdown()
    for done, why in zip(answers, ("no answer: ", "as one JSON object"), strict=True):
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
        assert why in done.stderr


def test_a_version_of_other_code_is_not_exported(tmp_path, knn):
    version = compiled(knn, {"strategy": "labeled_few_shot"})
    other = Version(version.document.replace(SPEC.code_digest.encode(), b"0" * 64))
    with pytest.raises(PackageError, match="was changed since version"):
        write_package(tmp_path / "out", SPEC, other, True)
    assert not (tmp_path / "out").exists()


def test_an_export_replaces_an_export_whole_and_nothing_else(tmp_path, knn):
    one, other = (compiled(knn, {"strategy": "labeled_few_shot", "n": number}) for number in (1, 2))
    replace_package(tmp_path / "out", SPEC, one, True)
    (tmp_path / "out" / "left over.txt").write_text("x")
    replace_package(tmp_path / "out", SPEC, other, True)
    assert Version((tmp_path / "out" / "program.json").read_bytes()) == other
    assert not (tmp_path / "out" / "left over.txt").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(PackageError, match="holds something else"):
        replace_package(tmp_path / "mine", SPEC, one, True)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "out"]


DATED = """
from datetime import date
import dspy

class Dated(dspy.Module):
    def __init__(self):
        super().__init__()
        self.read = dspy.Predict(dspy.Signature("received: date, count: int -> day", custom_types={"date": date}))
        self.say = dspy.Predict("day -> text: str")

    def forward(self, received: date | None, count, note="none"):
        return dspy.Prediction(text=f"{received:%A} {count + 1} {note}")

def build():
    return Dated()
"""


def test_json_inputs_come_as_the_types_that_the_program_was_judged_with(tmp_path, monkeypatch):
    (tmp_path / "dated_program.py").write_text(DATED)
    monkeypatch.syspath_prepend(str(tmp_path))
    spec = load_spec("dated", program_settings(module="dated_program:build"))
    write_package(tmp_path / "out", spec, first_version(spec, identity_of(LmSettings(model="openai/x"))), False)
    done = run_export(tmp_path / "out", {"received": "2026-11-24", "count": "3", "note": 7})
    assert done.stdout == '{"text": "Tuesday 4 7"}\n', done.stderr
