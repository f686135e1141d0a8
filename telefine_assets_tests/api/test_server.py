"""The real server, as a process: it answers, withstands what no client would send, and ends when it is told to."""

import json
import os
import re
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from telefine_assets.cli.serve import serve
from telefine_assets.errors import TelefineError
from telefine_assets_tests.api.served import small_home

COMMAND = [sys.executable, "-m", "telefine_assets.cli.main"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    small_home(folder)
    return folder


@pytest.fixture(scope="module")
def environment(home):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TELEFINE_", "DAGSTER_"))}
    return kept | {"TELEFINE_CONFIG": str(home / "telefine.yaml"), "PYTHONUNBUFFERED": "1"}


@pytest.fixture(scope="module")
def key(environment):
    made = subprocess.run(
        [*COMMAND, "keys", "create", "a test", "--scope", "read", "--json"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(made.stdout)["key"]


@pytest.fixture(scope="module")
def server(environment, key):
    """Port of a running server."""
    process = subprocess.Popen(
        [*COMMAND, "serve", "--port", "0"],
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    lines = []
    try:
        for line in process.stderr:
            lines.append(line)
            if found := re.search(r"running on http://127\.0\.0\.1:(\d+)", line):
                break
        else:
            pytest.fail("".join(lines))
        yield int(found[1])
        process.send_signal(signal.SIGTERM)
        logged = "".join(lines) + process.communicate(timeout=20)[1]
        assert process.returncode in (0, -signal.SIGTERM)
        assert "GET /v1/programs 200" in logged
        assert key.split("_")[2] not in logged
    finally:
        process.kill()
        process.wait()


def said(port, request):
    """The first line of what comes back for bytes that no client would send."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        return connection.makefile("rb").readline().strip()


def test_it_answers(server, key):
    with httpx.Client(base_url=f"http://127.0.0.1:{server}") as client:
        assert client.get("/v1/health").json() == {"alive": True}
        assert client.get("/v1/programs").status_code == 401
        answer = client.get("/v1/programs", headers={"Authorization": f"Bearer {key}"})
        assert [each["program"] for each in answer.json()["items"]] == ["triage"]
        assert "server" not in answer.headers
        stages = client.get("/v1/programs/triage/stages", headers={"Authorization": f"Bearer {key}"})
        assert (stages.status_code, stages.json()[0]["stage"]) == (200, "traces")


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /v1/health HTTP/1.1\r\n\r\n",
        b"GARBAGE\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"POST /v1/runs HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n",
        b"GET /v1/\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /v1/programs/%ff%2f..%00 HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
def test_it_withstands_what_no_client_would_send(server, request_bytes):
    assert re.match(rb"HTTP/1\.1 (4\d\d) ", said(server, request_bytes) or b"HTTP/1.1 400 closed by it")
    assert said(server, b"GET /v1/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").endswith(b"200 OK")


def test_it_ends_although_somebody_follows_a_run(tmp_path):
    small_home(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-m", "telefine_assets_tests.api.streaming", str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        port, run_id, key = json.loads(process.stdout.readline())
        events = f"http://127.0.0.1:{port}/v1/runs/{run_id}/events"
        with httpx.stream("GET", events, headers={"Authorization": f"Bearer {key}"}, timeout=60) as stream:
            assert next(stream.iter_lines()) == "event: run"
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=10)
    finally:
        process.kill()
        process.communicate()


def test_an_address_that_is_none_is_refused(home, monkeypatch):
    monkeypatch.setenv("TELEFINE_CONFIG", str(home / "telefine.yaml"))
    with pytest.raises(TelefineError, match="--host everywhere: give an address"):
        serve("everywhere", 0)
