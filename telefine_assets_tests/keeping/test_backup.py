"""Everything lost and put back: what was proved and earned is proved and earned again."""

import json
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import dagster as dg
import pytest

from telefine_assets.keeping import restoring
from telefine_assets.keeping.backing_up import back_up, head_of
from telefine_assets.keeping.places import Places
from telefine_assets.keeping.vault import Vault
from telefine_assets.ledger import schema
from telefine_assets.ledger.audit import Audit
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.schema import SCHEMA_VERSION
from telefine_assets.settings.file import UNFINISHED
from telefine_assets_tests.cli.attested_home import ALICE, BOB, KEY, MONDAY, TUESDAY
from telefine_assets_tests.keeping.conftest import PASSWORD

WRITER = """
import sys
from datetime import date, timedelta
from pathlib import Path
from telefine_assets_tests.cli.attested_home import ALICE
from telefine_assets_tests.keeping.conftest import KeptHome

home = KeptHome(Path(sys.argv[1]))
for number in range(1, 300):
    day = (date(2026, 11, 3) + timedelta(number)).isoformat()
    home.attest(day, [ALICE])
    home.pay(day)
    print(day, flush=True)
"""
SAID = ("contributors", "list", "--json"), ("payouts", "proof", ALICE), ("payouts", "proof", BOB), ("attest", "log")


@pytest.fixture
def dest(tmp_path):
    return tmp_path / "vault"


def objects(dest: Path) -> dict[str, float]:
    return {path.name: path.stat().st_mtime_ns for path in dest.glob("objects/*/*")}


def test_after_everything_was_lost_all_of_it_comes_back(home, telefine, dest):
    said = [telefine(*each) for each in SAID]
    assert all(code == 0 for code, _, _ in said)
    assert telefine("backup", dest)[0] == 0
    home.destroy()
    code, out, err = telefine("restore", dest)
    assert (code, err) == (0, "")
    assert "3 leaves of the log, 2 attestations, the claims of 2 payouts" in out
    assert [telefine(*each) for each in SAID] == said
    for day in (MONDAY, TUESDAY):
        assert telefine("evidence", "export", day, "-o", dest.with_name(f"{day}.tar"))[0] == 0
        assert telefine("attest", "verify", dest.with_name(f"{day}.tar"))[0] == 0
    with dg.DagsterInstance.from_config(str(home.own / "dagster")) as instance:
        (run,) = instance.get_runs()
        assert run.status is dg.DagsterRunStatus.SUCCESS
        assert len(instance.all_logs(run.run_id)) > 3
    assert len(list(home.own.glob("mlruns/*/run/artifacts/program.json"))) == 2
    with closing(sqlite3.connect(home.own / "mlflow.db")) as database:
        assert len(list(database.execute("SELECT * FROM experiments"))) == 2
    assert not (home.own / UNFINISHED).exists()


def test_both_are_in_the_audit_log_with_the_name_of_the_backup(home, telefine, dest):
    _, out, _ = telefine("backup", dest, "--by", "ann", "--json")
    label = json.loads(out)["backup"]
    home.destroy()
    telefine("restore", dest, "--by", "bob")
    restored = Audit(Ledger(home.settings.ledger.url)).rows()[-1]
    assert (restored.actor, restored.action, restored.details) == ("bob", "restored", {"backup": label})
    row = json.loads(telefine("audit", "show", "--action", "restored", "--json")[1])[0]
    assert (row["actor"], row["subject"]) == ("bob", "paid")


def test_no_secret_and_no_setting_is_in_a_backup(home, telefine, dest):
    code, out, _ = telefine("backup", dest)
    assert (code, "telefine.yaml" in out, "keystores" in out) == (0, True, True)
    everything = b"".join(path.read_bytes() for path in dest.rglob("*") if path.is_file())
    assert PASSWORD.encode() not in everything
    assert KEY.encode() not in everything
    assert b"nowhere.to:be_found" not in everything
    assert dest.stat().st_mode & 0o077 == 0


def test_a_second_backup_copies_only_what_changed(home, telefine, dest):
    telefine("backup", dest)
    before = objects(dest)
    assert telefine("backup", dest)[0] == 0
    after = objects(dest)
    assert before.items() <= after.items()
    # The ledger alone: it got the row about the first backup.
    assert len(after) == len(before) + 1
    assert len(list(dest.glob("backups/*.json"))) == 2


def test_a_backup_holds_all_that_it_names_whatever_is_written_between_its_steps(home, telefine, dest):
    days = (f"2026-12-{number:02}" for number in range(1, 32))
    steps = []

    def track(items, what):
        steps.append(what)
        if len(steps) <= 4:
            day = next(days)
            home.attest(day, [ALICE])
            home.pay(day)
        return items

    back_up(places_of(home), Vault(str(dest)), head_of(home.ledger), "20261123T120000000000Z", track)
    assert steps[:4] == ["records", "databases", "tables", "evidence"]
    home.destroy()
    code, _, err = telefine("restore", dest)
    assert (code, err) == (0, "")
    assert telefine("backup", dest)[0] == 0


def places_of(home) -> Places:
    own = home.settings
    return Places("paid", own.ledger.url, own.store.uri, own.mlflow.tracking_uri, home.own / "dagster", None, {})


def test_a_backup_while_another_process_writes_verifies(home, telefine, dest):
    """It attests and pays days as fast as it can."""
    with subprocess.Popen([sys.executable, "-c", WRITER, home.home], stdout=subprocess.PIPE, text=True) as writer:
        try:
            assert writer.stdout is not None
            writer.stdout.readline()
            assert telefine("backup", dest)[0] == 0
            writer.stdout.readline()
        finally:
            writer.kill()
    home.destroy()
    code, out, err = telefine("restore", dest)
    assert (code, err) == (0, "")
    assert int(out.split(" attestations")[0].rsplit(" ", 1)[1]) >= 3


def test_a_flipped_byte_in_any_file_is_found_before_anything_is_touched(home, telefine, dest):
    telefine("backup", dest)
    manifest = Vault(str(dest)).manifest(None)
    home.destroy()
    left = {*home.own.iterdir()}
    for part in ("ledger", "store/evidence", "store/records", "mlflow", "artifacts", "dagster"):
        entry = manifest.part(part)[0]
        flip(dest / "objects" / entry.sha256[:2] / entry.sha256)
        for arguments in (["--check"], []):
            code, _, err = telefine("restore", dest, *arguments)
            assert (code, entry.sha256 in err, "was changed" in err) == (1, True, True)
        flip(dest / "objects" / entry.sha256[:2] / entry.sha256)
    assert {path for path in home.own.iterdir() if not path.name.endswith(".lock")} == left
    assert telefine("restore", dest, "--check")[0] == 0


def test_a_changed_manifest_is_no_backup(home, telefine, dest):
    telefine("backup", dest)
    flip(next(dest.glob("backups/*.json")))
    code, _, err = telefine("restore", dest, "--check")
    assert (code, "manifest was changed" in err) == (1, True)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_home_that_is_not_empty_is_left_alone_unless_told(home, telefine, dest):
    telefine("backup", dest)
    home.records.write("triage", "contributor_payouts", "2026-11-30", {"outcome": "of after the backup"})
    home.close()
    code, _, err = telefine("restore", dest)
    assert (code, "there is something already" in err, "--replace" in err) == (1, True, True)
    assert home.records.find("triage", "contributor_payouts", "2026-11-30") is not None
    code, _, err = telefine("restore", dest, "--replace", "--yes")
    assert (code, err) == (0, "")
    assert home.records.find("triage", "contributor_payouts", "2026-11-30") is None
    actions = [row.action for row in Audit(Ledger(home.settings.ledger.url)).rows()]
    assert actions == ["attested", "promoted", "attested", "promoted", "restored"]


def test_a_backup_that_was_cut_off_is_none_and_the_next_goes_on(home, telefine, dest, monkeypatch):
    seal = Vault.seal
    monkeypatch.setattr(Vault, "seal", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    code, _, err = telefine("backup", dest)
    assert (code, "interrupted" in err, "run it again" in err) == (1, True, True)
    code, _, err = telefine("restore", dest, "--check")
    assert (code, "no backup yet" in err) == (1, True)
    copied = objects(dest)
    assert copied
    monkeypatch.setattr(Vault, "seal", seal)
    assert telefine("backup", dest)[0] == 0
    assert copied.items() <= objects(dest).items()


@pytest.mark.parametrize("after", [1, 30])
def test_a_restore_that_was_cut_off_goes_on(home, telefine, dest, monkeypatch, after):
    said = [telefine(*each) for each in SAID]
    telefine("backup", dest)
    home.destroy()
    put_back, done = restoring._put_back, []

    def cut_off(*arguments):
        if len(done) == after:
            raise KeyboardInterrupt
        done.append(arguments)
        put_back(*arguments)

    monkeypatch.setattr(restoring, "_put_back", cut_off)
    assert telefine("restore", dest)[0] == 1
    assert not (home.own / "ledger.db").exists()
    for command in (["backup", dest, "--keep", "1"], ["status"], ["attest", "log"], ["serve"], ["doctor"]):
        code, out, err = telefine(*command)
        assert (code, "run `telefine restore` again" in out + err) == (1, True)
    # Nobody made an empty ledger, nor a backup of it.
    assert not (home.own / "ledger.db").exists()
    assert len(list(dest.glob("backups/*.json"))) == 1
    monkeypatch.setattr(restoring, "_put_back", put_back)
    code, _, err = telefine("restore", dest)
    assert (code, err) == (0, "")
    assert [telefine(*each) for each in SAID] == said


def test_a_killed_restore_goes_on(home, telefine, dest):
    telefine("backup", dest)
    home.destroy()
    command = [sys.executable, "-m", "telefine_assets.cli.main", "restore", str(dest)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as restore:
        while not (home.own / UNFINISHED).exists() and restore.poll() is None:
            time.sleep(0.001)
        restore.kill()
    code, _, err = telefine("restore", dest)
    assert (code, err) == (0, "")


def test_only_the_newest_backups_are_kept_with_all_that_they_need(home, telefine, dest):
    home.records.write("triage", "notes", MONDAY, {"said": "only in the first"})
    telefine("backup", dest)
    first = objects(dest)
    (home.own / f"store/records/triage/notes/{MONDAY}.json").unlink()
    code, out, _ = telefine("backup", dest, "--keep", "1", "--json")
    (pruned,) = json.loads(out)["pruned"]
    assert (code, len(list(dest.glob("backups/*.json")))) == (0, 1)
    assert not list(dest.glob(f"backups/{pruned}*"))
    # The note, and the first ledger.
    assert len(first.keys() - objects(dest).keys()) == 2
    home.destroy()
    assert telefine("restore", dest)[0] == 0


def test_a_place_with_backups_of_another_deployment_is_refused(home, telefine, dest):
    telefine("backup", dest)
    file = home.home / "telefine.yaml"
    file.write_text(file.read_text().replace("deployment: paid", "deployment: other"))
    code, _, err = telefine("backup", dest)
    assert (code, "'paid'" in err) == (1, True)


def test_a_backup_may_be_anywhere(home, telefine):
    vault = f"memory://{uuid4().hex}"
    assert telefine("backup", vault)[0] == 0
    home.destroy()
    code, _, err = telefine("restore", vault)
    assert (code, err) == (0, "")


def test_dagster_elsewhere_is_named_with_its_cure(home, telefine, dest):
    (home.own / "dagster/dagster.yaml").write_text("storage: {postgres: {postgres_url: {env: URL}}}\n")
    code, _, err = telefine("backup", dest)
    assert (code, "--without dagster" in err, dest.exists()) == (1, True, False)
    assert telefine("backup", dest, "--without", "dagster")[0] == 0
    assert Vault(str(dest)).manifest(None).part("dagster") == ()


def test_another_deployment_or_schema_is_refused(home, telefine, dest, monkeypatch):
    telefine("backup", dest)
    file = home.home / "telefine.yaml"
    file.write_text(file.read_text().replace("deployment: paid", "deployment: other"))
    code, _, err = telefine("restore", dest, "--check")
    assert (code, "'paid'" in err, "'other'" in err) == (1, True, True)
    file.write_text(file.read_text().replace("deployment: other", "deployment: paid"))
    monkeypatch.setattr(schema, "SCHEMA_VERSION", SCHEMA_VERSION - 1)
    code, _, err = telefine("restore", dest, "--check")
    assert (code, f"has schema {SCHEMA_VERSION}, this Telefine knows {SCHEMA_VERSION - 1}" in err) == (1, True)


def test_damaged_evidence_is_told_and_what_the_vault_had_is_kept(home, telefine, dest):
    telefine("backup", dest)
    bundle = home.records.read("triage", "attestations", MONDAY)["bundle"]
    path = home.own / f"store/evidence/{bundle[:2]}/{bundle}"
    flip(path)
    telefine("backup", dest)
    home.destroy()
    assert telefine("restore", dest)[0] == 0
    for each in dest.glob(f"objects/*/{bundle}"):
        each.unlink()
    flip(path)
    code, _, err = telefine("backup", dest)
    assert (code, bundle in err) == (1, True)


def test_what_a_leaked_key_signed_is_no_loss(home, telefine, dest):
    rotated = ("attest", "rotate", BOB, "--reason", "stolen", "--compromised-from", "2", "--yes")
    assert telefine(*rotated)[0] == 0
    telefine("backup", dest)
    home.destroy()
    code, out, err = telefine("restore", dest)
    assert (code, err) == (0, "")
    assert " 1 attestations, the claims of 2 payouts\n1 attestations more are of leaked keys" in out


def test_what_a_restore_cannot_prove_is_told(home, telefine, dest):
    bundle = home.records.read("triage", "attestations", MONDAY)["bundle"]
    (home.own / f"store/evidence/{bundle[:2]}/{bundle}").unlink()
    code, _, err = telefine("backup", dest)
    assert (code, bundle in err) == (1, True)
    home.destroy()
    code, _, err = telefine("restore", dest)
    assert (code, "does not verify" in err, "evidence_missing" in err) == (1, True, True)
    # It is as whole as it will ever be.
    assert telefine("attest", "log")[0] == 0


def test_a_server_in_front_of_mlflow_is_named_with_its_cure(home, telefine, dest, monkeypatch):
    monkeypatch.setenv("TELEFINE_MLFLOW__TRACKING_URI", "http://127.0.0.1:9")
    code, _, err = telefine("backup", dest)
    assert (code, "--without mlflow" in err, dest.exists()) == (1, True, False)
    assert telefine("backup", dest, "--without", "mlflow")[0] == 0


def test_files_behind_a_server_are_found_where_it_keeps_them(home, telefine, dest):
    with closing(sqlite3.connect(home.own / "mlflow.db")) as database, database:
        database.execute("UPDATE experiments SET artifact_location = 'mlflow-artifacts:/' || experiment_id")
    code, _, err = telefine("backup", dest)
    assert (code, "--mlflow-artifacts" in err) == (1, True)
    assert telefine("backup", dest, "--mlflow-artifacts", home.own / "mlruns")[0] == 0
    assert len(Vault(str(dest)).manifest(None).part("artifacts")) == 2
