"""``telefine doctor``: each thing that a deployment depends on, broken on purpose, is named with its cure."""

import json
import os
import re
import sqlite3
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import yaml
from eth_account import Account

from telefine_assets.attestation.log_writing import begin
from telefine_assets.attestation.signers import LocalKeySigner
from telefine_assets.control.health import Check, Health, examine
from telefine_assets.control.health_alerts import ALERTS
from telefine_assets.control.health_cluster import CLUSTER
from telefine_assets.control.health_dagster import DAGSTER
from telefine_assets.control.health_erasures import ERASURES
from telefine_assets.control.health_labels import LABELS
from telefine_assets.control.health_observing import OBSERVING
from telefine_assets.control.health_runs import LOST_RUNS
from telefine_assets.control.health_services import MODELS, SERVICES
from telefine_assets.control.health_store import RECORDS, UNFINISHED
from telefine_assets.control.spool_failures import keep_failure
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.log import LogLeaves
from telefine_assets.ledger.spool import Spool
from telefine_assets.ledger.turns import turn
from telefine_assets.settings.loading import load_settings
from telefine_assets_tests.control.home import ROOT, SETTINGS, Home, command
from telefine_assets_tests.ledger.spooling import batch, offer

CHECKS = {
    each.name: each
    for each in (
        *SERVICES,
        LABELS,
        RECORDS,
        UNFINISHED,
        *DAGSTER,
        *CLUSTER,
        LOST_RUNS,
        ALERTS,
        ERASURES,
        OBSERVING,
        MODELS,
    )
}
ONE_PROGRAM = yaml.safe_load(SETTINGS)
del ONE_PROGRAM["programs"]["slow"]


@pytest.fixture
def home(tmp_path, traced):
    return Home(tmp_path / "home", traced, yaml.safe_dump(ONE_PROGRAM))


@pytest.fixture
def telefine(home, capsys, monkeypatch):
    return command(home, capsys, monkeypatch)


@pytest.fixture
def found(telefine):
    """What one check finds, with the settings as they are now."""
    return lambda name: next(examine(load_settings(), [CHECKS[name]]))


@pytest.fixture
def server():
    """A server that answers every request with one body and one date."""

    class Handler(BaseHTTPRequestHandler):
        body, date = b"{}", datetime.now(UTC)

        def date_time_string(self, timestamp=None):
            return format_datetime(Handler.date, usegmt=True)

        def do_GET(self):
            self.send_response(200)
            self.send_header("content-length", str(len(Handler.body)))
            self.end_headers()
            self.wfile.write(Handler.body)

        do_POST = do_GET

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        Handler.url = f"http://127.0.0.1:{running.server_port}"
        yield Handler
        running.shutdown()


def write_settings(home, **changes):
    home.telefine.write_text(yaml.safe_dump(ONE_PROGRAM | changes))


def program(**changes):
    return {"tickets": ONE_PROGRAM["programs"]["tickets"] | changes}


def test_a_whole_deployment_has_nothing_broken(telefine, knn, monkeypatch):
    monkeypatch.setenv("TELEFINE_LM__API_BASE", knn.api_base)
    code, out, _ = telefine("doctor", "--json")
    health = {each["name"]: each["health"] for each in json.loads(out)}
    assert (code, {*health}) == (0, {"settings", *CHECKS})
    assert not {name for name, each in health.items() if each == "broken"}
    assert knn.calls == 1


def test_no_lm_asks_no_model_and_one_broken_thing_hides_no_other(home, telefine, knn, monkeypatch):
    monkeypatch.setenv("TELEFINE_LM__API_BASE", knn.api_base)
    monkeypatch.delenv("TELEFINE_SIGNER__PRIVATE_KEY")
    (home.folder / ".telefine" / "mlflow.db").unlink()
    few = ONE_PROGRAM["programs"]["tickets"]["compile"] | {"min_validation": 5}
    write_settings(home, programs=program(attribution={"method": "shapley"}, compile=few))
    code, out, _ = telefine("doctor", "--no-lm")
    assert code == 1
    assert knn.calls == 0
    lines = [line for line in out.splitlines() if not line.startswith(" ")]
    bad = [line.split(":")[0].split(maxsplit=1) for line in lines if line.startswith(("broken", "warning"))]
    assert bad == [["warning", "weights of tickets"], ["broken", "MLflow"], ["broken", "signer"]]
    # The settings and their warning, all checks but that of the models, and the sum.
    assert len(lines) == len(CHECKS) + 2
    assert re.fullmatch(r"\d+ ok, 1 warning, 2 broken, \d+ skipped; mend the first one first", lines[-1])
    assert out.count("cure: ") == 3
    assert "cure: set compile.min_validation to 20 or more" in out
    assert "experiments: MLflow has to be in order first" in out


def test_a_model_without_its_key_is_told_which_variable_to_set(home, found):
    write_settings(home, lms={"judge": {"model": "openai/any"}}, lm={"model": "openai/nearest-demos"})
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("TELEFINE_LM__API_KEY")
        finding = found("language models")
    assert (finding.health, finding.cure) == (Health.BROKEN, "set TELEFINE_LM__API_KEY")
    assert finding.said == "lm: openai/nearest-demos wants a key, and there is none"


def test_each_mistake_in_the_settings_is_a_finding(home, telefine, monkeypatch):
    monkeypatch.setenv("TELEFINE_SINGER__PRIVATE_KEY", "a-secret")
    monkeypatch.setenv("TELEFINE_LM__APIKEY", "a-secret")
    code, out, err = telefine("doctor")
    assert (code, out.count("broken   settings: environment: TELEFINE_"), "a-secret" in out + err) == (1, 2, False)


def test_settings_that_cannot_be_read_are_the_only_finding(home, telefine):
    write_settings(home, deployment="Not A Name")
    code, out, _ = telefine("doctor", "--json")
    (only,) = json.loads(out)
    assert (code, only["name"], only["health"]) == (1, "settings", "broken")
    assert "deployment" in only["said"]


@pytest.mark.parametrize(
    ("name", "changes", "said", "cure"),
    [
        ("MLflow", {"mlflow": {"tracking_uri": "sqlite:///gone.db"}}, "gone.db: no such file", "mlflow.tracking_uri"),
        ("experiments", {"programs": program(experiment="other")}, "no such experiment", "log its first trace"),
        ("programs", {"programs": program(module="nowhere.at_all:build")}, "nowhere", "PYTHONPATH"),
        ("store", {"store": {"uri": "telefine.yaml"}}, "Not a directory", "store.uri"),
        ("ledger", {"ledger": {"url": "sqlite:///telefine.yaml"}}, "cannot be opened", "ledger.url"),
        ("signer", {"signer": {"kind": "keystore"}}, "set signer.keystore", "signer.kind"),
        ("language models", {}, "Connection refused", "lm.api_base"),
    ],
)
def test_what_is_broken_is_named_with_its_cure(home, found, name, changes, said, cure):
    write_settings(home, **changes)
    finding = found(name)
    assert (finding.health, said in finding.said, cure in finding.cure) == (Health.BROKEN, True, True), finding
    assert "a-key-for-the-model" not in finding.said


def test_a_ledger_that_can_be_changed_is_named(home, found):
    assert found("ledger").health is Health.OK
    with closing(sqlite3.connect(home.folder / ".telefine" / "ledger.db")) as database, database:
        database.execute("DROP TRIGGER payouts_no_update")
    finding = found("ledger")
    assert (finding.health, "triggers are missing: payouts" in finding.said) == (Health.BROKEN, True)


def test_a_ledger_of_another_telefine_is_named(home, found):
    Ledger(load_settings().ledger.url).close()
    with closing(sqlite3.connect(home.folder / ".telefine" / "ledger.db")) as database, database:
        database.execute("INSERT INTO ledger_version VALUES (999)")
    finding = found("ledger")
    assert (finding.health, "schema 999" in finding.said) == (Health.BROKEN, True)


def test_a_wrong_password_is_found_before_it_is_needed(home, found):
    keys = {"keystore": home.folder / "key.json", "password_file": home.folder / "password"}
    keys["keystore"].write_text(json.dumps(Account.encrypt("11" * 32, "correct horse", kdf="pbkdf2", iterations=2)))
    keys["password_file"].write_text("battery staple")
    write_settings(home, signer={"kind": "keystore", **{name: str(path) for name, path in keys.items()}})
    finding = found("signer")
    assert (finding.health, "wrong password" in finding.said) == (Health.BROKEN, True)
    keys["password_file"].write_text("correct horse")
    assert found("signer").health is Health.OK


def test_a_signer_who_is_not_good_in_the_log_is_named(found):
    settings = load_settings()
    with closing(Ledger(settings.ledger.url)) as ledger:
        begin(LogLeaves(ledger), settings.deployment, LocalKeySigner("0x" + "5d" * 32))
    finding = found("signer")
    assert (finding.health, "is not good in the log" in finding.said) == (Health.BROKEN, True)
    assert "telefine attest admit" in finding.cure


def test_a_clock_that_is_an_hour_off_is_named(found, server, monkeypatch):
    monkeypatch.setenv("TELEFINE_DAGSTER__URL", server.url)
    assert found("clock").health is Health.OK
    server.date = datetime.now(UTC) + timedelta(hours=1)
    finding = found("clock")
    assert (finding.health, "NTP" in finding.cure) == (Health.BROKEN, True)
    assert 3500 < int(finding.said.split()[0]) <= 3601


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>hello</html>", "is not Dagster"),
        (b'{"data": {"instance": {"info": "run_storage: another"}}}', "works on another instance"),
    ],
)
def test_a_webserver_that_is_not_ours_is_named_and_starts_nothing(telefine, found, server, monkeypatch, body, said):
    server.body = body
    monkeypatch.setenv("TELEFINE_DAGSTER__URL", server.url)
    assert said in found("Dagster webserver").said
    code, _, err = telefine("run", "traces", "--day", "2026-11-02")
    assert (code, said in err) == (1, True)


def test_a_dagster_yaml_that_is_none_is_named(home, found):
    (home.folder / ".telefine" / "dagster" / "dagster.yaml").write_text("run_storage: nonsense")
    finding = found("Dagster instance")
    assert (finding.health, "DAGSTER_HOME" in finding.said) == (Health.BROKEN, True)


def test_a_workspace_that_is_not_there_is_named(home, found):
    (home.folder / "workspace.yaml").unlink()
    assert "workspace.yaml: is not there" in found("definitions").said


def test_a_schedule_without_a_daemon_is_named(home, found):
    assert found("Dagster daemon").health is Health.SKIPPED
    write_settings(home, programs=program(schedule={"every": "daily", "enabled": True}))
    finding = found("Dagster daemon")
    assert (finding.health, "never ran here" in finding.said, "make ui" in finding.cure) == (Health.BROKEN, True, True)


def test_who_holds_a_turn_is_told(found):
    assert found("turns").said == "nobody holds one"
    with closing(Ledger(load_settings().ledger.url)) as ledger, turn(ledger, "asking lm", 1, print):
        assert f"process {os.getpid()}" in found("turns").said
    assert found("turns").said == "nobody holds one"


def test_what_a_killed_writer_left_behind_is_named_until_retention_removes_it(home, telefine, found):
    assert found("half-written files").said == "none"
    left = home.folder / ".telefine" / "store" / "evidence" / "ab" / f"cd.{'0' * 32}.part"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    finding = found("half-written files")
    assert (finding.health, "telefine retention apply" in finding.cure) == (Health.WARNING, True)
    assert finding.said == f"left half written by processes that ended, 4 bytes: evidence/ab/{left.name}"
    assert telefine("retention", "apply", "--yes", "--by", "ann")[0] == 0
    assert (found("half-written files").said, left.exists()) == ("none", False)


def test_an_experiment_that_was_deleted_is_named(found):
    from mlflow import MlflowClient

    client = MlflowClient(load_settings().mlflow.tracking_uri)
    client.delete_experiment(client.get_experiment_by_name("tickets").experiment_id)
    finding = found("experiments")
    assert (finding.health, "was deleted" in finding.said) == (Health.BROKEN, True)
    assert "mlflow experiments restore" in finding.cure


def test_a_program_that_is_another_deployments_in_mlflow_is_named_before_its_first_run(home, found):
    from mlflow import MlflowClient

    client = MlflowClient(load_settings().mlflow.tracking_uri)
    tags, kept = {"telefine.deployment": "staging"}, {each.name for each in client.search_experiments()}
    assert found("experiments").health is Health.OK
    client.create_registered_model("tickets", tags=tags)
    theirs = "MLflow's {} belongs to the deployment 'staging', and this one is 'driven'"
    finding = found("experiments")
    assert (finding.health, finding.said) == (Health.BROKEN, theirs.format("registered model 'tickets'"))
    assert "Call the program otherwise" in finding.cure and "delete the tag telefine.deployment there" in finding.cure
    client.delete_registered_model_tag("tickets", "telefine.deployment")
    assert found("experiments").health is Health.OK
    # Nothing is made by looking.
    assert {each.name for each in client.search_experiments()} == kept
    client.create_experiment("telefine/tickets", tags=tags)
    assert found("experiments").said == theirs.format("experiment 'telefine/tickets'")
    write_settings(home, deployment="staging")
    assert found("experiments").health is Health.OK
    client.create_experiment("telefine/staging", tags={"telefine.deployment": "driven"})
    assert found("experiments").health is Health.OK
    write_settings(home, deployment="staging", mlflow={"run_per": "dagster_run"})
    assert "experiment 'telefine/staging' belongs to the deployment 'driven'" in found("experiments").said


def test_traces_that_do_not_come_to_mlflow_are_named(found):
    late_ms = time.time_ns() // 10**6 - 3_600_000
    with closing(Ledger(load_settings().ledger.url)) as ledger:
        spool = Spool(ledger)
        assert found("spool").said == "nothing waits for MLflow"
        spool.accept(batch(offer("a"), offer("b"), program="tickets"), late_ms)
        finding = found("spool")
        assert (finding.health, "telefine spool drain" in finding.cure) == (Health.BROKEN, True)
        assert finding.said == "2 traces of tickets wait, and none was written for 900 seconds"
        keep_failure(load_settings().home, "tickets", "database is locked")
        assert found("spool").said.endswith("for 900 seconds; tickets: database is locked")
        spool.drained("tickets", 0, {0: "MLflow was odd"}, time.time_ns() // 10**6)
        assert found("spool").said == "1 wait for MLflow, which refuses 1; see `telefine spool refused`"
        assert found("spool").health is Health.OK


def test_a_full_disk_is_named(found, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 5 << 20}))
    assert (found("disk").health, "5 MiB" in found("disk").said) == (Health.BROKEN, True)


def test_a_check_that_hangs_is_left_behind(found):
    hanging = Check("a wall", lambda _: threading.Event().wait() and "", "take another way", seconds=0.05)
    (wall,) = examine(load_settings(), [hanging])
    assert (wall.health, wall.cure) == (Health.BROKEN, "take another way")
    assert "0.05 seconds" in wall.said


def test_what_init_writes_is_known_to_doctor_and_is_not_overwritten(tmp_path, telefine, monkeypatch):
    for name in ("TELEFINE_CONFIG", "DAGSTER_HOME"):
        monkeypatch.delenv(name)
    new = tmp_path / "new"
    arguments = ("init", str(new), "-p", "triage", "--module", "telefine_assets_tests.programs.tickets:build")
    said = ("--experiment", 'what "people" say', "--mlflow-uri", "sqlite:///of/ours.db")
    code, out, _ = telefine(*arguments, *said, "--json")
    written = {path: path.read_bytes() for path in new.rglob("*") if path.is_file()}
    assert (code, {*json.loads(out)["files"]}) == (0, {str(path) for path in written})
    assert (new / "telefine.yaml").stat().st_mode & 0o777 == 0o600
    monkeypatch.chdir(new)
    settings = load_settings()
    assert settings.programs["triage"].experiment == 'what "people" say'
    assert settings.mlflow.tracking_uri == f"sqlite:///{new}/of/ours.db"
    code, out, _ = telefine("doctor", "--no-lm", "--json")
    health = {each["name"]: each["health"] for each in json.loads(out)}
    assert code == 1
    assert {name for name, each in health.items() if each == "broken"} == {"MLflow"}
    code, _, err = telefine(*arguments)
    assert (code, "is there already" in err) == (1, True)
    assert {path: path.read_bytes() for path in written} == written


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--module", "no colon"), "module"),
        (("--program", "Not A Name"), "programs"),
        (("--mlflow-uri", "postgresql://me:secret@host/db"), "TELEFINE_MLFLOW__TRACKING_URI"),
    ],
)
def test_init_writes_nothing_that_would_not_load(tmp_path, telefine, options, said):
    code, _, err = telefine("init", str(tmp_path / "new"), *options)
    assert (code, said in err, "secret" in err) == (1, True, False)
    assert not (tmp_path / "new").exists()


def test_init_writes_the_dagster_yaml_and_workspace_of_this_repository():
    shipped = ROOT / "telefine_assets" / "cli" / "init_files"
    for name in ("dagster.yaml", "workspace.yaml"):
        assert yaml.safe_load((shipped / name).read_text()) == yaml.safe_load((ROOT / name).read_text())
