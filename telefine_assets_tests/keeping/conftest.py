"""A deployment with everything that is kept: attested and paid days, MLflow with files, Dagster with runs."""

import gc
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from telefine_assets.cli.main import main
from telefine_assets_tests.cli.attested_home import ALICE, BOB, KEY, MONDAY, TUESDAY, PaidHome
from telefine_assets_tests.ledger.conftest import postgres as postgres

PASSWORD = "a-password-of-a-keystore"


def make_mlflow(folder: Path) -> None:
    """A database with the one table of MLflow's that is read here, and a file in each of two experiments' folders."""
    with closing(sqlite3.connect(folder / "mlflow.db")) as database, database:
        database.execute("CREATE TABLE experiments (experiment_id INTEGER PRIMARY KEY, artifact_location TEXT)")
        for number in range(2):
            (folder / f"mlruns/{number}/run/artifacts").mkdir(parents=True)
            (folder / f"mlruns/{number}/run/artifacts/program.json").write_text(f"of {number}")
            uri = (folder / f"mlruns/{number}").as_uri()
            database.execute("INSERT INTO experiments VALUES (?, ?)", (number, uri))


def make_dagster(folder: Path) -> str:
    """Dagster's home with a run and its events; returns the run's id."""
    import dagster as dg

    @dg.op
    def say():
        pass

    @dg.job
    def talk():
        say()

    folder.mkdir()
    (folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        return talk.execute_in_process(instance=instance).run_id


class KeptHome(PaidHome):
    """Two days attested and paid; keys and passwords beside everything else, as people keep them."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.own = home / ".telefine"

    def fill(self) -> None:
        """Make what is kept, and what must not be."""
        for day, who in ((MONDAY, [ALICE, "carol.eth"]), (TUESDAY, [BOB])):
            self.attest(day, who)
            self.pay(day)
        make_mlflow(self.own)
        make_dagster(self.own / "dagster")
        (self.own / "keys").mkdir()
        (self.own / "keys/attester.password").write_text(PASSWORD)

    def close(self) -> None:
        """Let go of the ledger; so do the commands that ran in this process, once nothing refers to their ledgers."""
        self.ledger.close()
        gc.collect()

    def destroy(self) -> None:
        """Lose everything but the settings and the keys."""
        self.close()
        for each in self.own.iterdir():
            if each.name != "keys":
                shutil.rmtree(each) if each.is_dir() else each.unlink()


@pytest.fixture(scope="session")
def kept_template(tmp_path_factory):
    """A filled home, made once in a folder of a fixed name, to be copied there again for each test."""
    folder = tmp_path_factory.mktemp("kept") / "home"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TELEFINE_SIGNER__PRIVATE_KEY", KEY)
        home = KeptHome(folder)
        home.fill()
        home.ledger.close()
    shutil.copytree(folder, folder.with_name("template"))
    return folder.with_name("template")


@pytest.fixture
def home(kept_template, monkeypatch):
    """MLflow's database says where its files are: every test has the same folder."""
    folder = kept_template.with_name("home")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(kept_template, folder)
    monkeypatch.setenv("TELEFINE_SIGNER__PRIVATE_KEY", KEY)
    monkeypatch.setenv("TELEFINE_CONFIG", str(folder / "telefine.yaml"))
    monkeypatch.setenv("COLUMNS", "240")
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return KeptHome(folder)


@pytest.fixture
def telefine(home, capsys):
    """Run a command; returns exit code, output and errors."""

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main([*map(str, arguments)])
        done = capsys.readouterr()
        assert KEY not in done.out + done.err
        return int(caught.value.code or 0), done.out, done.err

    return run
