"""One day's payout: from a verified attestation to amounts, totals and claim proofs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from telefine_assets.attestation.verify import VerifiedAttestation
from telefine_assets.attribution.addresses import address_order
from telefine_assets.attribution.weights import WeightTable
from telefine_assets.canonical import canonical_json
from telefine_assets.ledger.records import RecordedPayout, Token
from telefine_assets.payouts.cumulative import ESCROW, ClaimSet, CumulativeTotals, add_payout, build_claims
from telefine_assets.payouts.exports import claims_document
from telefine_assets.payouts.merkle import verify_claim
from telefine_assets.payouts.plan import HeldAmount, Payment, PayoutError, PayoutPlan, plan_payout
from telefine_assets.payouts.token import token_of, token_record
from telefine_assets.settings.payout import PayoutSettings

PAID = "planned"
NOTHING = "nothing_to_pay"


class PayoutLedger(Protocol):
    """The part of ``ledger.payouts.Payouts`` that is used here."""

    def record(
        self,
        *,
        attestation: str,
        program: str,
        day: str,
        pool: int,
        plan: str,
        token: Token,
        lines: Mapping[str, int],
        replaces: Sequence[str] = (),
    ) -> int:
        """Record a payout once, if the attestation promoted and its gain is new; returns its sequence number."""
        ...

    def totals_before(self, program: str, token: Token, seq: int | None) -> dict[str, int]:
        """What each payee had been granted of a token before; by now, without a number."""
        ...

    def of(self, attestation: str) -> RecordedPayout | None:
        """The payout of an attestation, or None."""
        ...


@dataclass(frozen=True)
class Paid:
    """A recorded payout and the tree from which it is claimed."""

    plan: PayoutPlan
    claims: ClaimSet
    token: Token

    def claims_document(self) -> bytes:
        """Totals and claim proofs of all wallets, under one root."""
        return claims_document(self.claims)

    def to_record(self) -> dict[str, Any]:
        """Canonical JSON form; amounts are strings in the token's smallest unit."""
        return {
            "plan": self.plan.to_record(),
            "root": self.claims.root,
            "totals": self.claims.totals.to_record(),
            "token": token_record(self.token),
        }


@dataclass(frozen=True)
class Books:
    """Where payouts are kept."""

    ledger: PayoutLedger
    put: Callable[[bytes], str]
    get: Callable[[str], bytes]


def pay_attested(
    program: str,
    day: str,
    verified: VerifiedAttestation | None,
    champion: Mapping[str, Any],
    settings: PayoutSettings,
    books: Books,
    hindrance: str | None = None,
) -> dict[str, Any]:
    """Pay by a verified attestation whose candidate serves; returns the stage's record.

    The weights are those that the verification recomputed from evidence. Where the
    day was paid by an attestation that this one replaces, that payout stands, and
    nothing more is paid. With a
    ``hindrance`` (it is revoked, signatures are missing) nothing is paid on it
    that was not paid before; what was paid stands.

    Raises:
        PayoutError: when the attestation is about another program or day.
        LedgerError: see ``pay_day``. The ``champion`` record says why nothing is
            paid; that something is, only the ledger says.
    """
    nothing: dict[str, Any] = dict.fromkeys(("plan", "root", "totals", "token", "claims", "attestation"))
    if verified is None:
        return {"outcome": NOTHING, "reason": "no attestation for this day: nothing is paid"} | nothing
    claim = verified.claim
    if (claim.program, claim.partition) != (program, day):
        raise PayoutError(f"attestation {verified.uid} is about {claim.program} on {claim.partition}, not {program}")
    before = next((uid for uid in claim.replaces if books.ledger.of(uid) is not None), None)
    if before is not None:
        paid = pay_day(program, day, before, verified.weights, settings, books)
        said = f"paid by attestation {before}, which {verified.uid} replaces: what was paid stands, nothing is added"
        record = paid.to_record() | {"claims": books.put(paid.claims_document()), "attestation": before}
        return {"outcome": PAID, "reason": said} | record
    if hindrance is not None and books.ledger.of(verified.uid) is None:
        return {"outcome": NOTHING, "reason": f"nothing is paid: the attestation is {hindrance}"} | nothing
    if champion["attestation"] != verified.uid:
        return {"outcome": NOTHING, "reason": f"nothing is paid: {champion['reason']}"} | nothing
    paid = pay_day(program, day, verified.uid, verified.weights, settings, books, claim.replaces)
    outcome = PAID if paid.plan.paid or paid.plan.held else NOTHING
    record = paid.to_record() | {"claims": books.put(paid.claims_document()), "attestation": verified.uid}
    return {"outcome": outcome, "reason": paid.plan.reason or f"attestation {verified.uid}"} | record


def pay_day(
    program: str,
    day: str,
    attestation: str,
    weights: WeightTable,
    settings: PayoutSettings,
    books: Books,
    replaces: Sequence[str] = (),
) -> Paid:
    """Plan a payout and record it under its attestation, once and for ever.

    A plan that stands is kept, and its token, whatever the settings say by now.
    ``replaces`` are the revoked attestations that this one was issued again for:
    what one of them promoted is what is paid for.

    Raises:
        LedgerError: when the day was already paid by another attestation, or
            the ledger knows of no new gain that this one brought about.
    """
    standing = books.ledger.of(attestation)
    if standing is None:
        plan, token = plan_payout(int(settings.pool), weights, int(settings.dust_floor)), token_of(settings)
    else:
        plan, token = PayoutPlan.from_record(json.loads(books.get(standing.plan))), standing.token
    if not plan.paid and not plan.held:
        # Nothing is added, and nothing that is owed goes away.
        return Paid(plan, build_claims(_totals(books.ledger.totals_before(program, token, None))), token)
    lines = {payment.address: payment.amount for payment in plan.payments}
    lines |= {f"{ESCROW}{held.reason}": held.amount for held in plan.escrow}
    digest = books.put(canonical_json(plan.to_record()))
    seq = books.ledger.record(
        attestation=attestation,
        program=program,
        day=day,
        pool=plan.pool,
        plan=digest,
        token=token,
        lines=lines,
        replaces=replaces,
    )
    totals = add_payout(_totals(books.ledger.totals_before(program, token, seq)), plan)
    return Paid(plan, build_claims(totals), token)


def claim_problems(record: Mapping[str, Any], get: Callable[[str], bytes]) -> list[str]:
    """What is wrong with a stored payout: sums, root, proofs. Empty when all is well."""
    if record["outcome"] != PAID:
        return []
    plan = PayoutPlan.from_record(record["plan"])
    problems = [] if plan.paid + plan.held == plan.pool else [f"{plan.paid} and {plan.held} are not {plan.pool}"]
    document = json.loads(get(record["claims"]))
    if document["root"] != record["root"]:
        problems.append("the claims are under another root")
    for claim in document["claims"]:
        if not verify_claim(record["root"], claim["address"], int(claim["total"]), claim["proof"]):
            problems.append(f"the claim of {claim['address']} does not prove itself")
    return problems


def _totals(lines: Mapping[str, int]) -> CumulativeTotals:
    wallets = sorted((payee for payee in lines if not payee.startswith(ESCROW)), key=address_order)
    reasons = sorted(payee for payee in lines if payee.startswith(ESCROW))
    return CumulativeTotals(
        tuple(Payment(wallet, lines[wallet]) for wallet in wallets),
        tuple(HeldAmount(payee.removeprefix(ESCROW), lines[payee]) for payee in reasons),
    )
