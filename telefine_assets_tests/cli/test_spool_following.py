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
    until = time.monotonic() + 30
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
