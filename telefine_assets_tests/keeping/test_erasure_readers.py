"""While somebody reads a database's file, no words can be taken out of it: the erasure says so, and goes on later."""

import sqlite3
from contextlib import closing, contextmanager, suppress
from dataclasses import replace

import pytest

from telefine_assets.cli.erase_doing import Wish, _left, find
from telefine_assets.cli.erase_doing import opened as opened_here
from telefine_assets.keeping import databases
from telefine_assets.keeping.databases import write_anew
from telefine_assets.keeping.erasure_list import remembered
from telefine_assets.keeping.manifest import KeepingError
from telefine_assets.ledger.spool import Spool
from telefine_assets.settings.loading import load_settings
from telefine_assets_tests.cli.attested_home import ALICE
from telefine_assets_tests.keeping.test_erasure import CANARY, FORMS, REASON, holding, opened, store_of
from telefine_assets_tests.keeping.test_erasure import home as home
from telefine_assets_tests.keeping.test_erasure import telefine as telefine
from telefine_assets_tests.keeping.test_erasure import template as template
from telefine_assets_tests.keeping.test_erasure_proofs import CAROL, proofs_of
from telefine_assets_tests.ledger.spooling import batch, offer, sha

ERASE = ("erase", "contributor", ALICE, "--reason", REASON, "--yes")


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    monkeypatch.setattr("telefine_assets.ledger.erasures._WAIT_MS", 100)
    monkeypatch.setattr(databases, "_WAIT_SECONDS", 0.1)


@contextmanager
def read(file, table="audit"):
    """Somebody has a transaction open in a database."""
    with closing(sqlite3.connect(file, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute(f"SELECT count(*) FROM {table}").fetchone()
        yield
        reader.execute("ROLLBACK")


def test_nothing_is_erased_while_somebody_reads_the_ledger(home, telefine):
    before = proofs_of(home)
    with read(home / ".telefine/ledger.db"):
        code, out, err = telefine(*ERASE)
        assert (code, "ledger.db is in use" in err, "telefine serve" in err) == (1, True, True)
        assert "every proof stands" not in out
    assert (proofs_of(home), remembered(store_of(home))) == (before, {})
    assert telefine(*ERASE)[0] == 0
    assert holding(home, FORMS) == []


@pytest.mark.parametrize("again", [ERASE, ("erase", "again", "--yes")])
def test_who_comes_to_read_in_the_middle_of_an_erasure_loses_it_nothing(home, telefine, monkeypatch, again):
    before = proofs_of(home)
    with read(home / ".telefine/ledger.db"), monkeypatch.context() as patch:
        patch.setattr("telefine_assets.ledger.erasures.Erasures.require_alone", lambda _: None)
        code, _, err = telefine(*ERASE)
        assert (code, "ledger.db is in use" in err) == (1, True)
    assert proofs_of(home) == before
    assert ".telefine/ledger.db" in holding(home, FORMS)
    code, _, err = telefine(*again)
    assert code == 0, err
    assert holding(home, FORMS) == []


def test_words_that_were_in_the_ledger_alone_go_from_its_file_at_last(home, telefine, monkeypatch):
    """Their rows are gone by then, and nobody knows any more what they were."""
    words = "my neighbour in the third floor plays the drums at night"
    body = f'{{"inputs": {{"ticket": "{words}"}}, "contributor": "{CAROL}"}}'
    spool = Spool(opened(home).ledger)
    spool.accept(batch(type(offer("x"))(sha("carols"), sha("all of it"), body), program="triage"), 1)
    erase = ("erase", "contributor", CAROL, "--reason", REASON, "--yes")
    with read(home / ".telefine/ledger.db"), monkeypatch.context() as patch:
        patch.setattr("telefine_assets.ledger.erasures.Erasures.require_alone", lambda _: None)
        assert telefine(*erase)[0] == 1
        code, _, err = telefine(*erase)
        assert (code, "is in use" in err) == (1, True)
    assert any("ledger.db" in each for each in holding(home, [words.encode()]))
    assert telefine(*erase)[0] == 0
    assert holding(home, [words.encode()]) == []


def test_the_ledgers_own_file_is_looked_into_wherever_mlflow_is(home):
    here = opened_here(load_settings(home / "telefine.yaml"), None)
    served = replace(here, places=replace(here.places, mlflow=None))
    left = _left(served, find(served, Wish(ALICE, REASON, "ann", None)))
    assert str(home / ".telefine/ledger.db") in left
    assert str(home / ".telefine/mlflow.db") not in left


def test_a_database_that_is_read_is_not_written_anew_and_says_who_may_be_in_the_way(tmp_path):
    for mode in ("WAL", "DELETE"):
        file = tmp_path / f"{mode}.db"
        with closing(sqlite3.connect(file, isolation_level=None)) as database:
            database.execute(f"PRAGMA journal_mode = {mode}")
            database.execute("CREATE TABLE said (text TEXT)")
            database.execute("INSERT INTO said VALUES (?)", (CANARY,))
            with read(file, "said"):
                # With a write-ahead log, a reader keeps nobody from removing.
                with suppress(sqlite3.OperationalError):
                    database.execute("PRAGMA busy_timeout = 0")
                    database.execute("DELETE FROM said")
                with pytest.raises(KeepingError, match=rf"{mode}\.db is in use, .*MLflow's server"):
                    write_anew(file)
            database.execute("DELETE FROM said")
        write_anew(file)
        assert holding(tmp_path, [CANARY.encode()]) == []
    (tmp_path / "none.db").write_bytes(b"no database" * 100)
    with pytest.raises(KeepingError, match="cannot be written anew: file is not a database"):
        write_anew(tmp_path / "none.db")
