"""What drains the spool beside a server: begun again when it ends, and never left behind."""

import os
import signal
import subprocess
import sys
import time

import pytest

from telefine_assets.cli import spool_following
from telefine_assets.cli.spool_following import followed

ENDS = "import sys; print('begun', file=open(sys.argv[1], 'a'), flush=True)"
STAYS = "import os, sys; open(sys.argv[1], 'a').write(f'{os.getpid()}\\n'); sys.stdin.read()"
DEAF = "import os, sys, time; open(sys.argv[1], 'a').write(f'{os.getpid()}\\n'); time.sleep(600)"
SERVER = """
import sys, time
from telefine_assets.cli.spool_following import followed
with followed(print, (sys.executable, "-c", sys.argv[1], sys.argv[2])):
    print("serving", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log"


def eventually(true):
    until = time.monotonic() + 120
    while not true() and time.monotonic() < until:
        time.sleep(0.02)
    assert true()


def lines(log):
    return log.read_text().splitlines() if log.exists() else []


def is_gone(process_id):
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return True
    return False


def command(code, log):
    return sys.executable, "-c", code, str(log)


def test_a_process_that_ends_is_begun_again_and_that_is_said(log, monkeypatch):
    monkeypatch.setattr(spool_following, "PAUSE_SECONDS", 0.02)
    said = []
    with followed(said.append, command(ENDS, log)):
        eventually(lambda: len(lines(log)) >= 2)
    assert "ended with 0; it is begun again" in said[0]
    begun = len(lines(log))
    time.sleep(0.1)
    assert len(lines(log)) == begun


def test_what_could_not_even_begin_is_tried_again(log, tmp_path, monkeypatch):
    monkeypatch.setattr(spool_following, "PAUSE_SECONDS", 0.02)
    python, said = tmp_path / "python", []
    with followed(said.append, (str(python), *command(STAYS, log)[1:])):
        eventually(lambda: len(said) >= 2)
        python.symlink_to(sys.executable)
        eventually(lambda: lines(log))
    assert "No such file" in said[0]
    assert "it is begun again in" in said[0]


def test_who_waits_for_the_end_of_its_input_can_end_before():
    code = "from telefine_assets.cli.spool_following import at_end_of_input as ends; print(ends().wait(0.2))"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as waiting:
        assert (waiting.stdout.read(), waiting.stderr.read(), waiting.wait()) == ("False\n", "", 0)


@pytest.mark.parametrize("code", [STAYS, DEAF])
def test_nothing_is_left_behind_when_the_block_ends(log, monkeypatch, code):
    monkeypatch.setattr(spool_following, "_LAST_SECONDS", 0.2)
    with followed(print, command(code, log)):
        eventually(lambda: lines(log))
    assert is_gone(int(lines(log)[0]))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_its_server_however_that_ends(log, how):
    server = subprocess.Popen([sys.executable, "-c", SERVER, STAYS, str(log)], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout.readline() == "serving\n"
        eventually(lambda: lines(log))
        server.send_signal(how)
        assert server.wait(30) == (-signal.SIGKILL if how is signal.SIGKILL else 0)
        eventually(lambda: is_gone(int(lines(log)[0])))
    finally:
        server.kill()
        server.communicate()
