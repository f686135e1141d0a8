"""What happens to backups when something is wrong: nothing that was good is lost, and somebody is told."""

import os
import shutil
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime

import pytest
import time_machine

from telefine_assets.keeping.restoring import restore
from telefine_assets.keeping.vault import Vault
from telefine_assets.ledger.audit import Audit
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.payouts import Payouts
from telefine_assets_tests.cli.attested_home import MONDAY
from telefine_assets_tests.keeping.test_backup import places_of

LITTLE = ("--without", "mlflow", "--without", "dagster")
KILLED_WRITER = """
import os, signal, sys
from datetime import UTC, datetime
from telefine_assets.ledger.audit import Audit
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.records import AuditEntry

Audit(Ledger(sys.argv[1])).append(AuditEntry("mallory", "came after the backup", "x", {}), datetime.now(UTC))
os.kill(os.getpid(), signal.SIGKILL)
"""
SERVER = """
import sys
from telefine_assets.ledger.connection import Ledger

ledger = Ledger(sys.argv[1])
print("open")
input()
"""


@pytest.fixture
def dest(tmp_path):
    return tmp_path / "vault"


def labels(dest) -> list[str]:
    return Vault(str(dest)).labels()


def test_what_a_killed_writer_left_in_the_log_of_a_ledger_of_any_name_does_not_come_back(
    home, telefine, dest, monkeypatch
):
    home.close()
    (home.own / "ledger.db").rename(home.own / "ledger.sqlite")
    url = f"sqlite:///{home.own}/ledger.sqlite"
    monkeypatch.setenv("TELEFINE_LEDGER__URL", url)
    assert telefine("backup", dest, *LITTLE)[0] == 0
    home.close()
    manifest = Vault(str(dest)).manifest(None)
    places = places_of(type(home)(home.home))
    for _ in range(2):
        # The second time the file itself is as the backup has it, and only its log is not.
        subprocess.run([sys.executable, "-c", KILLED_WRITER, url], check=False)
        assert (home.own / "ledger.sqlite-wal").stat().st_size > 0
        restore(Vault(str(dest)), manifest, places, lambda items, _: items)
        shutil.copy(home.own / "ledger.sqlite", home.own / "looked-at.sqlite")
        assert not (home.own / "ledger.sqlite-wal").exists()
        with closing(Ledger(f"sqlite:///{home.own}/looked-at.sqlite")) as ledger:
            assert "came after the backup" not in [row.action for row in Audit(ledger).rows()]


def test_a_ledger_that_somebody_has_open_is_not_replaced(home, telefine, dest):
    telefine("backup", dest)
    home.close()
    before = (home.own / "ledger.db").read_bytes()
    command = [sys.executable, "-uc", SERVER, home.settings.ledger.url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        code, _, err = telefine("restore", dest, "--replace", "--yes")
        assert (code, "stop telefine serve" in err) == (1, True)
        process.communicate("\n")
    assert (home.own / "ledger.db").read_bytes() == before
    # Nothing was begun, so that what is there goes on.
    assert telefine("attest", "log")[0] == 0
    home.close()
    assert telefine("restore", dest, "--replace", "--yes")[0] == 0


def test_a_damaged_ledger_is_replaced(home, telefine, dest):
    telefine("backup", dest)
    home.close()
    (home.own / "ledger.db").write_bytes(b"no database" * 1000)
    assert telefine("restore", dest, "--replace", "--yes")[0] == 0


def test_a_store_that_is_not_mounted_is_not_backed_up_over_good_backups(home, telefine, dest):
    telefine("backup", dest, *LITTLE)
    good = labels(dest)
    (home.own / "store").rename(home.own / "unmounted")
    (home.own / "store").mkdir()
    for _ in range(2):
        code, _, err = telefine("backup", dest, *LITTLE, "--keep", "1")
        assert (code, "mounted" in err) == (1, True)
    assert labels(dest) == good
    assert telefine("restore", dest, "--check", *LITTLE)[0] == 0


@pytest.mark.parametrize("what", ["plan", "bundle"])
def test_where_evidence_is_missing_a_backup_is_made_but_no_older_one_goes(home, telefine, dest, what):
    telefine("backup", dest, *LITTLE)
    attestation = home.records.read("triage", "attestations", MONDAY)
    paid = Payouts(home.ledger).of(attestation["uid"])
    digest = {"plan": paid.plan, "bundle": attestation["bundle"]}[what]
    (home.own / f"store/evidence/{digest[:2]}/{digest}").unlink()
    code, _, err = telefine("backup", dest, *LITTLE, "--keep", "1")
    assert (code, digest in err, "No older backup was removed" in err) == (1, True, True)
    assert len(labels(dest)) == 2


def test_a_backup_of_when_the_clock_was_ahead_pushes_out_none_and_is_not_taken_for_the_newest(home, telefine, dest):
    with time_machine.travel(datetime(2040, 1, 1, tzinfo=UTC)):
        telefine("backup", dest, *LITTLE)
    (ahead,) = labels(dest)
    code, _, err = telefine("backup", dest, *LITTLE, "--keep", "1")
    assert (code, f"{ahead}.json" in err) == (1, True)
    assert len(labels(dest)) == 2
    code, _, err = telefine("restore", dest, "--check", *LITTLE)
    assert (code, f"{ahead}.json" in err) == (1, True)
    assert telefine("restore", dest, "--check", *LITTLE, "--backup", labels(dest)[0])[0] == 0
    (dest / f"backups/{ahead}.json").unlink()
    assert telefine("backup", dest, *LITTLE, "--keep", "1")[0] == 0
    assert len(labels(dest)) == 1


def test_a_home_that_cannot_be_written_is_named_with_its_cure(home, telefine, dest):
    telefine("backup", dest, *LITTLE)
    home.close()
    shutil.rmtree(home.own)
    home.own.write_text("not a folder")
    code, _, err = telefine("restore", dest, *LITTLE)
    assert (code, "make it writable" in err) == (1, True)


@pytest.mark.parametrize("written", ["a: [", "just words", "\x00"])
def test_settings_of_dagster_that_nobody_can_read_are_named_with_their_cure(home, telefine, dest, written):
    (home.own / "dagster/dagster.yaml").write_text(written)
    code, _, err = telefine("backup", dest)
    assert (code, "dagster.yaml" in err, "--without dagster" in err) == (1, True, True)


def test_a_full_disk_is_told(home, telefine, dest, monkeypatch):
    monkeypatch.setattr(Vault, "seal", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    code, _, err = telefine("backup", dest, *LITTLE)
    assert (code, "No space left" in err, "run it again" in err) == (1, True, True)


def test_what_a_killed_backup_left_half_written_goes_after_a_day(home, telefine, dest):
    telefine("backup", dest, *LITTLE)
    folder = next((dest / "objects").iterdir())
    old, young = (folder / f"abc.{digit * 32}.part" for digit in "01")
    of_a_stage = home.home / ".telefine" / "store" / "evidence" / "ab" / f"cd.{'2' * 32}.part"
    of_a_stage.parent.mkdir(parents=True, exist_ok=True)
    for each in (old, young, of_a_stage):
        each.write_bytes(b"half")
    for each in (old, of_a_stage):
        os.utime(each, (0, 0))
    assert telefine("backup", dest, *LITTLE)[0] == 0
    assert (old.exists(), young.exists(), of_a_stage.exists()) == (False, True, False)
