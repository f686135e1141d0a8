"""What is stored is damaged, the disk is full, the port is taken: one line with a cure, never a traceback."""

import os
import resource
import shutil
import socket
import sqlite3
from contextlib import closing, contextmanager

import pytest
from sqlalchemy.exc import OperationalError

from telefine_assets.cli.main import main, told
from telefine_assets.control.health import Check, Health, examine
from telefine_assets.control.health_services import SERVICES
from telefine_assets.control.health_store import RECORDS
from telefine_assets.settings.loading import load_settings
from telefine_assets_tests.cli import attested_home
from telefine_assets_tests.cli.attested_home import ALICE, MONDAY, PaidHome

CHECKS = {each.name: each for each in (*SERVICES, RECORDS)}
ATTESTED = f"records/triage/attestations/{MONDAY}.json"
COMPARED = f"records/triage/deltaone_reports/{MONDAY}.json"


@pytest.fixture(scope="module")
def paid(tmp_path_factory):
    """A deployment with an attested and paid day, to be copied."""
    folder = tmp_path_factory.mktemp("paid")
    home = PaidHome(folder)
    home.attest(MONDAY, [ALICE])
    home.pay(MONDAY)
    home.ledger.close()
    settings = folder / "telefine.yaml"
    settings.write_text(f"{settings.read_text()}\nretention: {{traces_days: 400}}\n")
    return folder


@pytest.fixture
def home(paid, tmp_path, monkeypatch):
    folder = tmp_path / "home"
    shutil.copytree(paid, folder)
    for name in ("DAGSTER_HOME", "TELEFINE_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TELEFINE_CONFIG", str(folder / "telefine.yaml"))
    monkeypatch.setenv("TELEFINE_SIGNER__PRIVATE_KEY", attested_home.KEY)
    monkeypatch.chdir(folder)
    return folder / ".telefine"


@pytest.fixture
def telefine(home, capsys):
    """Run a command; returns its exit code and what it said about failing, which is one line."""

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main(list(arguments))
        said = capsys.readouterr().err.splitlines()
        return caught.value.code or 0, said[-1] if said else ""

    return run


@pytest.fixture
def found(home):
    return lambda name: next(examine(load_settings(), [CHECKS[name]]))


@contextmanager
def no_room():
    """No file of this process may grow: the system then refuses what it refuses on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def write(home, name, content):
    (home / "store" / name).parent.mkdir(parents=True, exist_ok=True)
    (home / "store" / name).write_text(content)


def garble(home, *tables):
    """Overwrite the first page of tables with what no database has."""
    with closing(sqlite3.connect(home / "ledger.db")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        pages = dict(database.execute("SELECT name, rootpage FROM sqlite_master"))
        (size,) = database.execute("PRAGMA page_size").fetchone()
    with (home / "ledger.db").open("r+b") as file:
        for table in tables:
            file.seek((pages[table] - 1) * size)
            file.write(os.urandom(size))


@pytest.mark.parametrize(
    ("name", "content", "commands", "said"),
    [
        (ATTESTED, "", [("retention", "plan")], "is no JSON"),
        (ATTESTED, '{"format": 99}', [("retention", "plan")], "lacks 'uid'"),
        (COMPARED, '{"reached": tr', [("deltaone", "show"), ("status",)], "is no JSON"),
        (COMPARED, '{"format": 99}', [("deltaone", "show"), ("status",)], "lacks '"),
        (COMPARED, "[1]", [("deltaone", "explain")], "is no object"),
    ],
)
def test_a_record_that_is_none_is_named_with_what_makes_it_again(home, telefine, found, name, content, commands, said):
    stage = name.split("/")[2]
    cure = f"telefine run {stage} --program triage --day {MONDAY}"
    write(home, name, content)
    for command in commands:
        code, line = telefine(*command)
        assert (code, f"triage/{stage} for {MONDAY} {said}" in line, line.endswith(cure)) == (1, True, True), line
    finding = found("records")
    assert (finding.health, f"triage/{stage} for {MONDAY}" in finding.said) == (Health.BROKEN, True), finding
    assert finding.cure == f"make it again: {cure}"


def test_records_in_order_are_so_without_a_ledger_that_says_otherwise(home, found):
    assert (found("records").health, found("records").said) == (Health.OK, "the newest 2 can be read")
    (home / "ledger.db").unlink()
    finding = found("records")
    assert (finding.health, "telefine restore" in finding.cure) == (Health.BROKEN, True)
    assert finding.said == f"triage has an attestation of {MONDAY}, and the log in the ledger is empty"


def test_a_day_on_which_nothing_was_attested_needs_no_ledger(home, found):
    (home / "ledger.db").unlink()
    write(home, ATTESTED, '{"outcome": "nothing", "uid": null}')
    assert found("records").health is Health.OK


def test_damaged_pages_of_the_ledger_are_named(home, telefine, found):
    assert found("ledger").said.endswith("append-only, whole")
    garble(home, "champions", "alerts", "audit")
    finding = found("ledger")
    assert (finding.health, "ledger.db is damaged" in finding.said) == (Health.BROKEN, True), finding
    assert "telefine restore" in finding.cure
    for command in (("audit", "verify"), ("alerts", "list")):
        code, line = telefine(*command)
        assert (code, "malformed" in line, "telefine restore" in line) == (1, True, True), line


def test_looking_for_damaged_pages_ends_in_time(home, found, monkeypatch):
    monkeypatch.setattr("telefine_assets.control.health_store._PAGES_SECONDS", 0)
    monkeypatch.setattr("telefine_assets.control.health_store._STEPS", 1)
    assert (found("ledger").health, "whole as far as 0 seconds show" in found("ledger").said) == (Health.OK, True)


def test_a_full_disk_is_told_in_one_line(telefine):
    assert telefine("keys", "create", "x", "--scope", "read")[0] == 0
    with no_room():
        code, line = telefine("keys", "create", "y", "--scope", "read")
    assert (code, line.startswith("telefine: "), "full" in line, "room" in line) == (1, True, True, True), line


def test_a_store_that_is_a_file_is_told_in_one_line(home, telefine):
    shutil.rmtree(home / "store")
    (home / "store").write_text("x")
    code, line = telefine("status")
    assert (code, line.startswith("telefine: "), "store.uri" in line) == (1, True, True), line


@pytest.mark.parametrize(
    ("error", "cure"),
    [
        (OSError(30, "Read-only file system", "/x"), "mount it"),
        (OSError(28, "No space left on device"), "make room"),
        (OSError(13, "Permission denied", "/x"), "permission"),
    ],
)
def test_a_disk_is_blamed_and_no_setting(home, capsys, error, cure):
    def look(_):
        try:
            raise error
        except OSError as caught:
            raise RuntimeError("no key could be read") from caught

    (finding,) = examine(load_settings(), [Check("signer", look, "look at signer.kind")])
    assert (cure in finding.cure, "signer.kind" in finding.cure) == (True, False)

    def fails():
        raise error

    with pytest.raises(SystemExit) as caught:
        told(fails)()
    assert (caught.value.code, cure in capsys.readouterr().err) == (1, True)


@pytest.mark.parametrize(
    "defect",
    [
        KeyError("reached"),
        FileNotFoundError(2, "No such file or directory"),
        OperationalError("SELEC 1", {}, sqlite3.OperationalError('near "SELEC": syntax error')),
    ],
)
def test_a_defect_keeps_its_traceback(defect):
    def fails():
        raise defect

    with pytest.raises(type(defect)):
        told(fails)()


def test_a_home_that_cannot_be_written_is_named(home, found, monkeypatch):
    # Root may write whatever the permissions say.
    may = os.access
    monkeypatch.setattr("os.access", lambda place, how: (place, how) != (home, os.W_OK) and may(place, how))
    finding = found("disk")
    assert (finding.health, f"{home} cannot be written" in finding.said) == (Health.BROKEN, True)


def test_a_port_that_is_taken_is_named(telefine):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, line = telefine("serve", "--port", port)
    assert (code, f"--port {port}" in line, "in use" in line) == (1, True, True), line
