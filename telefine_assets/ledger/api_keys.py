"""Keys of the API: who holds them, what they open, and until when.

A key is ``telefine_<id>_<secret>``: a public id of 64 bits, and a secret of 256
random bits. Only the secret's SHA-256 is kept. A password needs a slow and
salted hash because people choose guessable ones; nobody guesses 256 random bits,
however fast the hash, and a slow one would cost its time at every request.

Rows are only added. A key is revoked by a row of another table, for ever.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import bindparam, insert, select

from telefine_assets.canonical import sha256_hex
from telefine_assets.ledger.audit import append_to
from telefine_assets.ledger.connection import Ledger, LedgerError
from telefine_assets.ledger.records import AuditEntry
from telefine_assets.ledger.schema import api_key_revocations, api_keys

_KEY = re.compile(r"telefine_([0-9a-f]{16})_([0-9a-f]{64})")
_NOBODY = "0" * 64
_ID_BYTES, _SECRET_BYTES = 8, 32


class Scope(StrEnum):
    """What a key opens. Scopes do not contain each other, but ``admin`` opens everything."""

    READ = "read"
    SUBMIT = "submit"
    OPERATE = "operate"
    ADMIN = "admin"


def scopes_named(names: Iterable[str]) -> frozenset[Scope]:
    """The scopes of these names.

    Raises:
        LedgerError: there is no such scope.
    """
    try:
        return frozenset(map(Scope, names))
    except ValueError as error:
        raise LedgerError(f"{error}; there are: {', '.join(Scope)}") from None


@dataclass(frozen=True)
class ApiKey:
    """A key as the ledger knows it, without its secret. Times are Unix milliseconds, UTC."""

    key_id: str
    holder: str
    """Whose key it is, in words."""
    scopes: frozenset[Scope]
    created_ms: int
    expires_ms: int | None
    """From when on it opens nothing; None for never."""
    revoked_ms: int | None
    """When it was revoked; None while it was not."""

    def is_good(self, now_ms: int) -> bool:
        """Whether it opens anything at that time."""
        return self.revoked_ms is None and (self.expires_ms is None or now_ms < self.expires_ms)

    def opens(self, scope: Scope) -> bool:
        """Whether it opens what needs ``scope``."""
        return scope in self.scopes or Scope.ADMIN in self.scopes


@dataclass(frozen=True)
class NewKey:
    """What a key is to be.

    Attributes:
        holder: whose it is, in words.
        scopes: what it opens; at least one.
        expires: from when on it opens nothing; None for never.
    """

    holder: str
    scopes: Collection[Scope]
    expires: datetime | None = None


_COLUMNS = select(api_keys, api_key_revocations.c.revoked_ms).join(
    api_key_revocations, api_key_revocations.c.key_id == api_keys.c.key_id, isouter=True
)
# Made once: making the statement costs more than running it.
_FIND = _COLUMNS.where(api_keys.c.key_id == bindparam("wanted"))


class ApiKeys:
    """The keys of a deployment."""

    def __init__(self, ledger: Ledger) -> None:
        """Use ``ledger``."""
        self._ledger = ledger

    def create(self, new: NewKey, random: bytes, by: str, at: datetime) -> tuple[ApiKey, str]:
        """Make a key; returns what is known of it, and the key itself, which is nowhere else.

        Args:
            new: what it is to be.
            random: 40 bytes that nobody can guess (``secrets.token_bytes``): the id's, then the secret's.
            by: who makes it, for the audit log.
            at: now.

        Raises:
            LedgerError: no scope or holder is named, it would have expired already, or the id is taken.
        """
        if len(random) != _ID_BYTES + _SECRET_BYTES:
            raise ValueError(f"a key is made of {_ID_BYTES + _SECRET_BYTES} random bytes")
        if not new.scopes or not new.holder.strip():
            raise LedgerError("a key needs a holder and at least one scope: " + ", ".join(Scope))
        if new.expires is not None and new.expires <= at:
            raise LedgerError(f"the key would have expired at {new.expires.isoformat()}; choose a later time")
        key_id, secret = random[:_ID_BYTES].hex(), random[_ID_BYTES:].hex()
        scopes = ",".join(sorted(new.scopes))
        row = {
            "key_id": key_id,
            "digest": _digest(secret),
            "holder": new.holder,
            "scopes": scopes,
            "created_ms": _ms(at),
            "expires_ms": None if new.expires is None else _ms(new.expires),
        }
        said: dict[str, object] = {"holder": new.holder, "scopes": scopes, "expires_ms": row["expires_ms"]}
        with self._ledger.writing() as connection:
            if connection.execute(_FIND, {"wanted": key_id}).first() is not None:
                raise LedgerError(f"there is a key {key_id} already; make another one")
            connection.execute(insert(api_keys).values(**row))
            append_to(connection, AuditEntry(by, "made an API key", f"key {key_id}", said), at)
        return _key(row | {"revoked_ms": None}), f"telefine_{key_id}_{secret}"

    def revoke(self, key_id: str, reason: str, by: str, at: datetime) -> ApiKey:
        """Revoke a key for ever; one that is revoked already stays as it is.

        Raises:
            LedgerError: there is no such key.
        """
        with self._ledger.writing() as connection:
            row = connection.execute(_FIND, {"wanted": key_id}).mappings().first()
            if row is None:
                raise LedgerError(f"there is no key {key_id}; see them with: telefine keys list")
            if row["revoked_ms"] is None:
                connection.execute(insert(api_key_revocations).values(key_id=key_id, revoked_ms=_ms(at)))
                append_to(connection, AuditEntry(by, "revoked an API key", f"key {key_id}", {"reason": reason}), at)
                return _key({**row, "revoked_ms": _ms(at)})
            return _key(row)

    def all(self) -> list[ApiKey]:
        """Every key that was ever made, oldest first."""
        with self._ledger.reading() as connection:
            rows = connection.execute(_COLUMNS.order_by(api_keys.c.created_ms, api_keys.c.key_id)).mappings()
            return [_key(row) for row in rows]

    def find(self, key_id: str) -> ApiKey | None:
        """The key of that id, good or not; None when there is none."""
        with self._ledger.reading() as connection:
            row = connection.execute(_FIND, {"wanted": key_id}).mappings().first()
        return _key(row) if row else None

    def opened_by(self, presented: str, now_ms: int) -> ApiKey | None:
        """The key that ``presented`` is, if it is one and good now; secrets are compared in constant time.

        What takes longer or shorter tells at most whether an id exists, and ids are public.
        """
        match = _KEY.fullmatch(presented)
        if match is None:
            return None
        with self._ledger.reading() as connection:
            row = connection.execute(_FIND, {"wanted": match[1]}).mappings().first()
        same = hmac.compare_digest(_digest(match[2]), row["digest"] if row else _NOBODY)
        found = _key(row) if row and same else None
        return found if found is not None and found.is_good(now_ms) else None


def _key(row: Mapping[Any, Any]) -> ApiKey:
    scopes = frozenset(Scope(each) for each in row["scopes"].split(","))
    whole = {name: row[name] for name in ("key_id", "holder", "created_ms", "expires_ms", "revoked_ms")}
    return ApiKey(scopes=scopes, **whole)


def _digest(secret: str) -> str:
    return sha256_hex(bytes.fromhex(secret))


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
