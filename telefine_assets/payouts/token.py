"""Which token amounts are of.

Amounts are integers of a token's smallest unit: five million of one token are
five, of another a dust speck. So a payout says for ever of which token it is,
whatever the settings say later, and amounts of two tokens share no total, no
tree and no file. Another number of decimals is another token here too: amounts
that were meant otherwise must not be mixed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from telefine_assets.attribution.addresses import is_checksummed
from telefine_assets.attribution.records import Fields
from telefine_assets.ledger.records import Token
from telefine_assets.payouts.plan import PayoutError
from telefine_assets.payouts.safe_csv import MAX_DECIMALS
from telefine_assets.settings.payout import PayoutSettings

_SPELLING = re.compile(r"(.+)/(0|[1-9][0-9]?)")


def token_of(settings: PayoutSettings) -> Token:
    """The token that is paid by today's settings."""
    return Token(settings.token_address or settings.token_symbol, settings.token_decimals)


def token_named(text: str) -> Token:
    """The token that ``NAME/DECIMALS`` names, as messages and records spell it.

    Raises:
        PayoutError: no such spelling.
    """
    found = _SPELLING.fullmatch(text)
    if found is None:
        raise PayoutError(f"{text!r} names no token: give its address or symbol with its decimals, such as TOKEN/18")
    return Token(found.group(1), int(found.group(2)))


def contract_of(token: Token) -> str | None:
    """The token's contract (EIP-55), or None where a payout named only a symbol."""
    return token.name if is_checksummed(token.name) else None


def token_record(token: Token) -> dict[str, Any]:
    """The token as JSON."""
    return {"name": token.name, "decimals": token.decimals}


def read_token(record: Mapping[str, Any]) -> Token:
    """Read what ``token_record`` wrote.

    Raises:
        RecordError: a field is missing, unknown or of the wrong type.
    """
    fields = Fields(record, "token")
    token = Token(fields.text("name"), fields.integer("decimals", 0, MAX_DECIMALS))
    fields.done()
    return token


def of_token(records: Iterable[Mapping[str, Any]], wanted: Token) -> list[Mapping[str, Any]]:
    """Those of some payouts' records that are of one token; records of days that pay nothing are left out.

    Raises:
        PayoutError: there are payouts, and all are of other tokens.
    """
    tokens = [(record, read_token(record["token"])) for record in records if record["token"] is not None]
    others = sorted({str(token) for _, token in tokens if token != wanted})
    found = [record for record, token in tokens if token == wanted]
    if others and not found:
        raise PayoutError(
            f"What was paid is of {', '.join(others)}; the token asked for is {wanted}. Amounts of one are none of "
            f"the other. Name the token that was paid, --token {others[0]}, or set payout.token_address, "
            "payout.token_symbol and payout.token_decimals back"
        )
    return found
