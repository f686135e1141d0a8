"""What the page of a contributor shows, as plain values made of attestations and payouts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from telefine_assets.api.pages.words import Amount, amount
from telefine_assets.attestation.standing import Issued
from telefine_assets.attestation.standing_shown import STANDINGS
from telefine_assets.payouts.token import token_named

MOST = 30


@dataclass(frozen=True)
class Part:
    """What a day brought a wallet: its weight in an attestation, and what was paid on it."""

    day: str
    uid: str
    ppm: int
    standing: str
    paid: Amount | None


@dataclass(frozen=True)
class Claim:
    """What the wallet shows the contract."""

    total: Amount
    root: str
    proof: tuple[str, ...]
    href: str
    contract: str | None


@dataclass(frozen=True)
class Earned:
    """All that a wallet has of one program."""

    program: str
    totals: tuple[Amount, ...]
    parts: tuple[Part, ...]
    older: int
    claim: Claim | None


def earned(
    program: str,
    wallet: str,
    claims: Sequence[Issued],
    payments: Sequence[Mapping[str, str]],
    claim: Mapping[str, Any] | None,
    symbols: Mapping[str, str],
    contract: str | None,
) -> Earned | None:
    """What a wallet has of a program, the newest first; None where it has nothing.

    Args:
        program: the program.
        wallet: EIP-55.
        claims: the program's attestations, oldest first.
        payments: what was granted to the wallet (``api.contributors.Payment``).
        claim: its claim (``api.contributors.ClaimProof``), or None.
        symbols: of known token contracts.
        contract: the one to claim from, where the settings name one.
    """
    paid = {each["day"]: amount(int(each["amount"]), token_named(each["token"]), symbols) for each in payments}
    # Of a day that was issued again, the newest attestation that names the wallet; the day is paid once.
    weighed = {
        each.claim.partition: (each, ppm)
        for each in claims
        for who, ppm in each.claim.weights.contributors
        if who == wallet
    }
    parts = [
        Part(day, each.uid, ppm, STANDINGS[each.outcome], paid.get(day))
        for day, (each, ppm) in reversed(weighed.items())
    ]
    if not parts and not payments:
        return None
    newest = tuple(parts[:MOST])
    shown = None if claim is None else _claim(program, wallet, claim, symbols, contract)
    return Earned(program, _totals(payments, symbols), newest, len(parts) - len(newest), shown)


def _totals(payments: Sequence[Mapping[str, str]], symbols: Mapping[str, str]) -> tuple[Amount, ...]:
    """By token: amounts of two are never added up."""
    totals: dict[str, int] = defaultdict(int)
    for each in payments:
        totals[each["token"]] += int(each["amount"])
    return tuple(amount(units, token_named(token), symbols) for token, units in totals.items())


def _claim(
    program: str, wallet: str, claim: Mapping[str, Any], symbols: Mapping[str, str], contract: str | None
) -> Claim:
    total = amount(int(claim["total"]), token_named(claim["token"]), symbols)
    href = f"/v1/programs/{program}/contributors/{wallet}/claim"
    return Claim(total, claim["root"], tuple(claim["proof"]), href, contract)
