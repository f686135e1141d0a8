"""Stored payouts, checked again before anything is made of them.

A store is a folder that somebody may have written to. Sums are added up again,
the tree is built again from the totals, every proof is verified under the root,
and the ledger is asked whether it knows of the plan, its token and the totals.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from telefine_assets.canonical import canonical_json, sha256_hex
from telefine_assets.ledger.records import RecordedPayout, Token
from telefine_assets.payouts.cumulative import ESCROW, Claim, ClaimSet, CumulativeTotals, build_claims
from telefine_assets.payouts.merkle import ClaimHasher, verify_claim
from telefine_assets.payouts.plan import PayoutError, PayoutPlan
from telefine_assets.payouts.token import of_token, read_token


def newest(records: Iterable[Mapping[str, Any]], token: Token) -> Mapping[str, Any]:
    """The record with the newest tree of a token: totals only grow, whatever day was paid last.

    Raises:
        PayoutError: none of the records has a tree, or only trees of other tokens.
    """
    with_tree = of_token(records, token)
    if not with_tree:
        raise PayoutError("No payout has a tree yet; materialise contributor_payouts of a day that is attested.")
    return max(with_tree, key=lambda record: CumulativeTotals.from_record(record["totals"]).total)


def checked_claims(record: Mapping[str, Any], granted: Mapping[str, int]) -> ClaimSet:
    """The claims of a stored payout, from a tree built again.

    Args:
        record: the record of ``contributor_payouts``.
        granted: the ledger's totals per payee by then, of the record's token,
            ``escrow:<reason>`` included.

    Raises:
        PayoutError: the payout has no tree, another root than its totals give,
            or other totals than the ledger.
    """
    if record["root"] is None:
        raise PayoutError(f"This payout has no tree: {record['reason']}.")
    claims = build_claims(CumulativeTotals.from_record(record["totals"]))
    if claims.root != record["root"]:
        raise PayoutError(f"The record's root is {record['root']}, its totals give {claims.root}: it was changed.")
    stored = {wallet.address: wallet.amount for wallet in claims.totals.wallets}
    stored |= {f"{ESCROW}{held.reason}": held.amount for held in claims.totals.escrow}
    if stored != granted:
        raise PayoutError(
            "This stored payout has other totals than the ledger: it was changed, or a newer one was not stored. "
            "Materialise contributor_payouts again."
        )
    return claims


def checked_claim(claims: ClaimSet, address: str) -> Claim:
    """The claim of one wallet, verified as the contract will verify it.

    Raises:
        PayoutError: the wallet has earned nothing, or its proof does not hold.
    """
    return _verified(claims, claims.claim(address), ClaimHasher())


def claims_document(claims: ClaimSet) -> bytes:
    """Totals and claim proofs of all wallets under one root, each proof verified.

    Raises:
        PayoutError: a proof does not hold.
    """
    hasher = ClaimHasher()
    listed = [_verified(claims, claim, hasher) for claim in claims.claims()]
    document = {"root": claims.root, "totals": claims.totals.to_record(), "claims": list(map(claim_record, listed))}
    # Of ASCII texts ``json`` writes what RFC 8785 wants, in a tenth of the time; anything else fails to encode.
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("ascii")


def claim_record(claim: Claim) -> dict[str, Any]:
    """A claim as JSON; the total is a decimal string."""
    return {"address": claim.address, "total": str(claim.total), "proof": list(claim.proof)}


def checked_plan(record: Mapping[str, Any], payout_of: Callable[[str], RecordedPayout | None]) -> PayoutPlan:
    """The plan of a stored payout, if it is the one that the ledger paid by.

    Args:
        record: the record of ``contributor_payouts``.
        payout_of: the ledger's ``Payouts.of``.

    Raises:
        PayoutError: nothing was paid that day, the plan does not add up, or the
            ledger knows of another one, of another token, or of none.
    """
    if record["plan"] is None:
        raise PayoutError(f"This day pays nothing: {record['reason']}.")
    plan = PayoutPlan.from_record(record["plan"])
    paid = payout_of(record["attestation"])
    known = None if paid is None else (paid.plan, paid.token)
    if (plan.paid or plan.held) and known != (sha256_hex(canonical_json(record["plan"])), read_token(record["token"])):
        raise PayoutError(
            f"The ledger paid attestation {record['attestation']} by "
            f"{f'plan {paid.plan} in {paid.token}' if paid else 'no plan'}, not by the one in the record. "
            "Materialise contributor_payouts of the day again."
        )
    return plan


def _verified(claims: ClaimSet, claim: Claim, hasher: ClaimHasher) -> Claim:
    if not verify_claim(claims.root, claim.address, claim.total, claim.proof, hasher):
        raise PayoutError(f"The claim of {claim.address} does not prove itself under {claims.root}.")
    return claim
