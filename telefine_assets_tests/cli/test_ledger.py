"""``telefine ledger``: an older ledger is named, with what helps, and brought forward once somebody says so."""

import json
import shutil

import pytest

from telefine_assets.cli.main import main
from telefine_assets.ledger.schema import SCHEMA_VERSION
from telefine_assets_tests.cli.attested_home import SETTINGS
from telefine_assets_tests.ledger.test_migrations import make_old

STEPS = [*range(7, SCHEMA_VERSION + 1)]


@pytest.fixture
def telefine(tmp_path, monkeypatch, capsys):
    """Run a command where the ledger is of schema 6."""
    (tmp_path / "telefine.yaml").write_text(SETTINGS)
    monkeypatch.setenv("TELEFINE_CONFIG", str(tmp_path / "telefine.yaml"))
    make_old(f"sqlite:///{tmp_path}/.telefine/ledger.db")

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main([*arguments])
        done = capsys.readouterr()
        return int(caught.value.code or 0), done.out, done.err

    return run


def test_an_older_ledger_is_named_and_brought_forward_once(telefine):
    code, _, err = telefine("audit", "verify")
    assert (code, "telefine ledger migrate" in err, "back it up" in err) == (1, True, True)
    code, out, _ = telefine("ledger", "status")
    assert code == 0
    assert out.startswith("the ledger has schema 6, this Telefine's is")
    assert "7: What traces say" in out
    code, out, _ = telefine("ledger", "status", "--json")
    assert [each["version"] for each in json.loads(out)["steps"]] == STEPS

    code, _, err = telefine("ledger", "migrate", "--json")
    assert (code, "--yes" in err) == (1, True)
    code, out, _ = telefine("ledger", "migrate", "--yes", "--by", "ann", "--json")
    assert (code, json.loads(out)) == (0, {"schema": SCHEMA_VERSION, "done": STEPS})
    code, out, _ = telefine("ledger", "migrate", "--json")
    assert (code, json.loads(out)["done"]) == (0, [])

    assert telefine("audit", "verify")[0] == 0
    code, out, _ = telefine("audit", "show", "--action", "migrated the ledger", "--json")
    assert [row["actor"] for row in json.loads(out)] == ["ann"]
    code, out, _ = telefine("ledger", "status")
    assert out == f"the ledger has schema {SCHEMA_VERSION}, this Telefine's is {SCHEMA_VERSION}\n"


def test_asking_makes_no_ledger(telefine, tmp_path):
    shutil.rmtree(tmp_path / ".telefine")
    code, out, _ = telefine("ledger", "status")
    assert (code, out.startswith("there is no ledger yet")) == (0, True)
    code, _, err = telefine("ledger", "migrate", "--yes")
    assert (code, "there is no ledger yet" in err) == (1, True)
    assert not (tmp_path / ".telefine").exists()
