"""The embedded server's life: one a machine, ended with its last user, started again when it died."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from telefine_assets.errors import TelefineError
from telefine_assets.lm import embedded
from telefine_assets.lm.embedded import EmbeddedModel, embedded_model, model_identity

pytestmark = pytest.mark.model

USER = """
import sys, time
from pathlib import Path
from telefine_assets.lm.embedded import embedded_model
with embedded_model(state_dir=Path(sys.argv[1])) as model:
    print(model.api_base, flush=True)
    time.sleep(300)
"""


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One directory for all tests here, so that the weights are assembled once."""
    return tmp_path_factory.mktemp("lm")


@pytest.fixture
def users(state_dir: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes to be killed at the end, whatever happens."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.kill()
        process.communicate()
    wait_until_gone(state_dir)


def start_user(state_dir: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", USER, str(state_dir)], stdout=subprocess.PIPE, text=True)


def api_base(user: "subprocess.Popen[str]") -> str:
    assert user.stdout is not None
    return user.stdout.readline().strip()


def server_pid(state_dir: Path) -> int:
    return int(json.loads((state_dir / embedded.ADDRESS).read_text())["pid"])


def wait_until_gone(state_dir: Path, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while embedded._is_locked(state_dir / embedded.SERVING):
        assert time.monotonic() < deadline, "the server outlives its users"
        time.sleep(0.1)


def ask(model: EmbeddedModel, text: str) -> str:
    body = json.dumps({"messages": [{"role": "user", "content": text}], "max_tokens": 4, "stop": "\n"})
    request = urllib.request.Request(
        model.api_base + "/chat/completions", body.encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return str(json.load(response)["choices"][0]["message"]["content"])


def test_two_starters_get_one_server_that_ends_when_both_are_killed(state_dir, users) -> None:
    users.extend(start_user(state_dir) for _ in range(2))
    first, second = (api_base(user) for user in users)
    assert first == second != ""
    pid = server_pid(state_dir)
    users[0].send_signal(signal.SIGKILL)
    users[0].wait()
    time.sleep(1.2)  # longer than the server's poll
    os.kill(pid, 0)
    users[1].send_signal(signal.SIGKILL)
    users[1].wait()
    wait_until_gone(state_dir)


def test_it_answers_like_itself_and_a_killed_server_is_replaced(state_dir, users) -> None:
    prompt = "The capital of France is Paris.\nThe capital of Italy is"
    with embedded_model(state_dir=state_dir) as model:
        assert (model.model, model.digest) == model_identity()
        answer = ask(model, prompt)
        assert "Rome" in answer
        ask(model, "Something else altogether, to fill the cache with.")
        assert ask(model, prompt) == answer
        killed = server_pid(state_dir)
        os.kill(killed, signal.SIGKILL)
        with embedded_model(state_dir=state_dir) as again:
            assert server_pid(state_dir) != killed
            assert ask(again, prompt) == answer


def test_a_failed_start_names_the_cause_and_the_log(state_dir, users, monkeypatch) -> None:
    monkeypatch.setattr(embedded, "_assembled_model", lambda _: state_dir / "none.gguf")
    with (
        pytest.raises(TelefineError, match=r"(?s)No such file.*server\.log"),
        embedded_model(state_dir=state_dir, startup_seconds=20),
    ):
        pass


def test_a_missing_extra_names_the_install_command(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(TelefineError, match=r"pip install 'telefine-assets\[demo\]'"):
        model_identity()


def test_damaged_weights_are_assembled_anew(tmp_path, monkeypatch) -> None:
    path = embedded._assembled_model(tmp_path)
    with path.open("r+b") as file:
        file.write(b"damaged")
    changed = path.stat().st_mtime_ns
    assert embedded._assembled_model(tmp_path) == path
    assert path.stat().st_mtime_ns != changed
    assert path.open("rb").read(4) == b"GGUF"
    monkeypatch.setattr(embedded._model_package(), "assemble", None)
    embedded._assembled_model(tmp_path)  # remembered: assembling again would fail
