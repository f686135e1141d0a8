"""Which promotion is paid for: a gain is paid once.

Every attested gain has a height (see ``ledger.champions``), and what is paid for rises: of two
promotions of a program that money went to, the later one is the higher one, whatever was revoked,
issued again or rolled back in between, and in whatever order the days were paid. Money is a payout
or a signed mint request, which may both be for the same promotion.

So nothing is paid for a promotion that only comes to where an earlier one was, or below, while that
one stands or if it was paid. What was revoked, with all that was issued again of it, and never paid
burns no height: who reaches it again is paid. From then on nothing is paid for the other one, should
it be issued again after all.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, select

from telefine_assets.canonical import canonical_json
from telefine_assets.ledger.errors import LedgerError
from telefine_assets.ledger.records import Champion
from telefine_assets.ledger.schema import audit, champions, mint_requests, payouts

ATTESTED, REVOKED = "attested", "revoked"
"""What the audit log calls a leaf of an attestation, and of its revocation."""


def require_gain(connection: Connection, attestation: str, replaces: Sequence[str] = ()) -> Champion:
    """The promotion that an attestation, or one that it replaces, brought about, if it is one to pay for.

    Asked within the transaction that pays: a record of what was promoted may have been changed, this row cannot.

    Raises:
        LedgerError: it promoted nothing, or what it won is not its own (``why_unpaid``).
    """
    found = _promotions(connection, champions.c.attestation.in_([attestation, *replaces]))
    if not found:
        raise LedgerError(
            f"attestation {attestation} promoted nothing: something else served already, or champions was never "
            "materialised for its day; nothing is paid or minted on it"
        )
    why = why_unpaid(connection, found[-1])
    if why is not None:
        raise LedgerError(f"attestation {attestation} {why}; nothing is paid or minted on it again")
    return found[-1]


def require_not_revoked(connection: Connection, attestation: str) -> None:
    """Refuse to pay anew by what was revoked, though it had verified a moment before.

    Raises:
        LedgerError: it was.
    """
    said = select(audit.c.seq).where(audit.c.action == REVOKED, audit.c.subject == attestation)
    if connection.scalar(said.limit(1)) is not None:
        raise LedgerError(f"attestation {attestation} was revoked; nothing new is paid or minted on it")


def why_unpaid(connection: Connection, champion: Champion) -> str | None:
    """Why nothing is paid for a promotion by an attestation, in words after its name; None if it is one to pay for."""
    program, height = champion.program, champion.height
    known, others = _Known.of(connection, program), _promotions(connection, champions.c.program == program)
    if champion.day in known.paid:
        return None
    before = [each for each in others if each.seq < champion.seq and each.height >= height]
    again = [each for each in others if each.seq > champion.seq and each.height <= height]
    for each in before:
        if each.day in known.paid:
            return f"won back gain {height} of {program}, for which {each.day} was paid"
    for each in again:
        if each.day in known.paid:
            return (
                f"lost gain {height} of {program}: it was won again on {each.day}, and paid there while nothing stood "
                "for it here"
            )
    for each in before:
        standing = known.standing(each)
        if standing:
            return (
                f"won back gain {height} of {program}, which attestation {standing} of {each.day} won before and "
                "stands for"
            )
    return None


def attested_of(connection: Connection, program: str, day: str) -> set[str]:
    """Uids of the attestations of a day that were ever logged, and of the one that promoted."""
    return _Known.of(connection, program).attested[day]


@dataclass(frozen=True)
class _Known:
    """What the ledger has of a program's days.

    Attributes:
        attested: uids that were logged, or promoted, by day.
        revoked: uids that were revoked, of whatever program.
        paid: days that were paid, or for which a mint request was signed.
    """

    attested: Mapping[str, set[str]]
    revoked: frozenset[str]
    paid: frozenset[str]

    @classmethod
    def of(cls, connection: Connection, program: str) -> _Known:
        attested = _attested(connection, program)
        revoked = connection.scalars(select(audit.c.subject).where(audit.c.action == REVOKED))
        paid = set(connection.scalars(select(payouts.c.day).where(payouts.c.program == program)))
        minted = set(connection.scalars(select(mint_requests.c.attestation)))
        paid |= {day for day, uids in attested.items() if uids & minted}
        return cls(attested, frozenset(revoked), frozenset(paid))

    def standing(self, champion: Champion) -> str | None:
        """An attestation of the promotion's day that was not revoked."""
        return min(self.attested[champion.day] - self.revoked, default=None)


def _attested(connection: Connection, program: str) -> Mapping[str, set[str]]:
    found = defaultdict[str, set[str]](set)
    for each in _promotions(connection, champions.c.program == program):
        found[each.day].add(str(each.attestation))
    named = f'"program":{canonical_json(program).decode()}'
    query = select(audit.c.subject, audit.c.details).where(audit.c.action == ATTESTED)
    # The text only spares reading the rows of other programs; what a row says is read below.
    for uid, text in connection.execute(query.where(audit.c.details.contains(named, autoescape=True))):
        details = _read(text)
        if details.get("program") == program:
            found[str(details.get("day"))].add(uid)
    return found


def _read(text: str) -> dict[str, Any]:
    try:
        details = json.loads(text)
    except ValueError as error:
        raise LedgerError(f"audit log: a row cannot be read ({error}); see: telefine audit verify") from error
    return details if isinstance(details, dict) else {}


def _promotions(connection: Connection, condition: Any) -> list[Champion]:
    """Promotions by attestations, oldest first."""
    query: Select[Any] = select(champions).where(condition, champions.c.attestation.is_not(None))
    return [Champion(**row) for row in connection.execute(query.order_by(champions.c.seq)).mappings()]
