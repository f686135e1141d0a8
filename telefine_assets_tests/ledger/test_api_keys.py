"""Keys of the API in the ledger: hashed, never changed, revoked for ever."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.exc import DBAPIError

from telefine_assets.canonical import sha256_hex
from telefine_assets.ledger.api_keys import ApiKeys, NewKey, Scope, scopes_named
from telefine_assets.ledger.audit import Audit
from telefine_assets.ledger.connection import LedgerError

NOW = datetime(2026, 11, 20, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
READ = frozenset({Scope.READ})


def made(ledger, number=1, expires=None):
    return ApiKeys(ledger).create(NewKey("ada's laptop", READ, expires), bytes([number]) * 40, "ann", NOW)


def test_a_key_is_known_by_itself_alone(ledger):
    keys = ApiKeys(ledger)
    key, secret = made(ledger)
    other, _ = made(ledger, 2)
    assert secret == f"telefine_{key.key_id}_{'01' * 32}"
    assert keys.opened_by(secret, NOW_MS) == key
    assert (key.holder, key.scopes, key.created_ms) == ("ada's laptop", READ, NOW_MS)
    for wrong in ("", key.key_id, secret[:-1] + "0", secret + "\n", f"telefine_{other.key_id}_{'01' * 32}"):
        assert keys.opened_by(wrong, NOW_MS) is None
    assert {each.key_id for each in keys.all()} == {key.key_id, other.key_id}


def test_only_the_hash_of_the_secret_is_kept(ledger, stranger):
    made(ledger)
    assert stranger.run("SELECT digest FROM api_keys").all() == [(sha256_hex(bytes([1]) * 32),)]


def test_a_key_ends_when_it_expires(ledger):
    _, secret = made(ledger, expires=NOW + timedelta(milliseconds=10))
    assert ApiKeys(ledger).opened_by(secret, NOW_MS + 9) is not None
    assert ApiKeys(ledger).opened_by(secret, NOW_MS + 10) is None


def test_a_key_is_revoked_once_and_for_ever(ledger, stranger):
    keys = ApiKeys(ledger)
    key, secret = made(ledger)
    assert keys.revoke(key.key_id, "lost", "ann", NOW).revoked_ms == NOW_MS
    assert keys.revoke(key.key_id, "lost again", "bob", NOW + timedelta(days=1)).revoked_ms == NOW_MS
    assert keys.opened_by(secret, NOW_MS) is None
    assert [(row.actor, row.action, row.subject) for row in Audit(ledger).rows()] == [
        ("ann", "made an API key", f"key {key.key_id}"),
        ("ann", "revoked an API key", f"key {key.key_id}"),
    ]
    for statement in ("DELETE FROM api_key_revocations", "UPDATE api_keys SET scopes = 'admin'"):
        with pytest.raises(DBAPIError, match="append-only"):
            stranger.run(statement)


def test_what_cannot_be_a_key_is_refused(ledger):
    keys = ApiKeys(ledger)
    made(ledger)
    with pytest.raises(LedgerError, match="is a key 0101010101010101 already"):
        made(ledger)
    with pytest.raises(LedgerError, match="at least one scope"):
        keys.create(NewKey("ada", frozenset()), bytes(40), "ann", NOW)
    with pytest.raises(LedgerError, match="needs a holder"):
        keys.create(NewKey(" ", READ), bytes(40), "ann", NOW)
    with pytest.raises(LedgerError, match="would have expired"):
        keys.create(NewKey("ada", READ, NOW), bytes(40), "ann", NOW)
    with pytest.raises(LedgerError, match="no key ffff"):
        keys.revoke("ffff", "lost", "ann", NOW)
    with pytest.raises(LedgerError, match="there are: read, submit, operate, admin"):
        scopes_named(["root"])
    with pytest.raises(ValueError, match="40 random bytes"):
        keys.create(NewKey("ada", READ), bytes(8), "ann", NOW)
    assert len(Audit(ledger).rows()) == 1
