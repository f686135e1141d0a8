"""``telefine keys``: a key is printed once, listed without its secret, and revoked."""

import json

import pytest

from telefine_assets.cli.main import main
from telefine_assets.ledger.api_keys import ApiKeys
from telefine_assets.ledger.audit import Audit
from telefine_assets.ledger.connection import Ledger


@pytest.fixture
def telefine(load, tmp_path, capsys, monkeypatch):
    """Run ``telefine keys``; returns exit code, output and errors."""
    load()
    monkeypatch.setenv("TELEFINE_CONFIG", str(tmp_path / "telefine.yaml"))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main(["keys", *map(str, arguments)])
        done = capsys.readouterr()
        return caught.value.code or 0, done.out, done.err

    return run


def test_a_key_is_made_listed_and_revoked(telefine, tmp_path):
    code, out, err = telefine("create", "the \x1b[2J service", "--scope", "submit", "-s", "read", "--by", "ann")
    assert (code, "not shown again" in err) == (0, True)
    secret = out.strip()
    with_key = ApiKeys(Ledger(f"sqlite:///{tmp_path}/.telefine/ledger.db"))
    (key,) = with_key.all()
    assert with_key.opened_by(secret, key.created_ms) == key
    code, out, _ = telefine("list")
    assert (code, key.key_id in out, "read, submit" in out, "good" in out) == (0, True, True, True)
    assert secret.split("_")[2] not in out
    assert "\x1b[2J" not in out
    code, out, _ = telefine("revoke", key.key_id, "--reason", "it was in a log", "--by", "bob", "--json")
    (listed,) = json.loads(telefine("list", "--json")[1])
    assert (code, json.loads(out)) == (0, listed)
    assert (listed["state"], "key" in listed) == ("revoked", False)
    rows = Audit(Ledger(f"sqlite:///{tmp_path}/.telefine/ledger.db")).rows()
    assert [(row.actor, row.details.get("reason")) for row in rows] == [("ann", None), ("bob", "it was in a log")]


def test_each_key_is_another(telefine):
    made = {json.loads(telefine("create", "ada", "-s", "read", "--days", 7, "--json")[1])["key"] for _ in range(3)}
    assert len(made) == 3


def test_mistakes_are_told(telefine):
    code, _, err = telefine("create", "ada", "--scope", "root")
    assert (code, "there are: read, submit, operate, admin" in err) == (1, True)
    code, _, err = telefine("revoke", "0" * 16, "--reason", "x")
    assert (code, "there is no key" in err) == (1, True)
