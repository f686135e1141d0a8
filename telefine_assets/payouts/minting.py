"""From a verified attestation to its mint request: basis points, scores, commitments."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from telefine_assets.attestation.verify import VerifiedAttestation
from telefine_assets.attribution.addresses import address_order, require_wallet
from telefine_assets.attribution.allocation import largest_remainder
from telefine_assets.attribution.weights import WeightTable
from telefine_assets.deltaone.records import HIGHER, Decision
from telefine_assets.payouts.mint_request import (
    FULL_BPS,
    Anchors,
    Contributor,
    MintRequest,
    Payload,
    benchmark_spec_hash,
    idempotency_key,
)
from telefine_assets.payouts.plan import PayoutError
from telefine_assets.settings.payout import MintSettings

_PPM_PER_BPS = 100


@dataclass(frozen=True)
class MintTerms:
    """What the request says that the attestation does not.

    Attributes:
        chain_id: the chain.
        contract: the ``DeltaVerifier`` on it, EIP-55.
        model_id: the model's id there.
        spec_hash: ``benchmark_spec_hash`` of its specification's id.
        metric_family: what kind of number the metric is.
        max_cost: what the run was allowed to cost, millionths of a US dollar.
        actual_cost: what it cost, in the same unit.
        deadline: seconds since 1970 UTC. Chosen once: another one is another digest.
        escrow_wallet: who holds what unresolved contributors earned, EIP-55.
    """

    chain_id: int
    contract: str
    model_id: int
    spec_hash: str
    metric_family: str
    max_cost: int
    actual_cost: int
    deadline: int
    escrow_wallet: str | None = None


def basis_points(shares: Iterable[tuple[str, int]]) -> tuple[Contributor, ...]:
    """Weights that sum to exactly 10,000, by largest remainder, ties to the lower address.

    Args:
        shares: wallets (EIP-55) with proportions in any unit; a wallet listed
            several times has its proportions added up.

    Returns:
        The wallets that get at least one basis point, the largest weight
        first, equal ones ascending by address. The contract gives what its
        rounding leaves to the first: to whoever earned most, not to whoever
        found an address with many zeros.

    Raises:
        AllocationError: nothing positive to share by, or a negative proportion.
        AddressError: an address that is no checksummed wallet.
    """
    merged: dict[str, int] = {}
    for address, share in shares:
        require_wallet(address, "contributors.walletAddress")
        merged[address] = merged.get(address, 0) + share
    parts = largest_remainder(FULL_BPS, merged)
    ranked = sorted(parts.items(), key=lambda item: (-item[1], address_order(item[0])))
    return tuple(Contributor(address, weight) for address, weight in ranked if weight)


def contributors_of(weights: WeightTable, escrow_wallet: str | None) -> tuple[Contributor, ...]:
    """The contributors of a weight table, what is in escrow going to ``escrow_wallet``.

    The contract shares out all of a reward and knows no escrow: without a
    wallet that holds it, the unresolved part would go to the others.

    Raises:
        PayoutError: no weights; an escrow but no wallet for it; an escrow
            wallet that is a contributor's own.
    """
    if weights.reason is not None:
        raise PayoutError(f"Nothing can be minted: there are no weights ({weights.reason}).")
    shares = [(line.address, line.weight_ppm) for line in weights.lines]
    if weights.escrow_ppm:
        if escrow_wallet is None:
            reasons = ", ".join(line.reason for line in weights.escrow)
            raise PayoutError(
                f"{weights.escrow_ppm} ppm belong to unresolved contributors ({reasons}). Name a wallet that holds "
                "their part with --escrow-wallet; the contract would give it to the others."
            )
        if escrow_wallet in dict(shares):
            raise PayoutError(f"The escrow wallet {escrow_wallet} is a contributor's. Name one that earns nothing.")
        shares.append((escrow_wallet, weights.escrow_ppm))
    return basis_points(shares)


def scores_in_bps(decision: Decision) -> tuple[int, int]:
    """Mean scores of baseline and candidate in basis points, rounded against the candidate.

    Raises:
        PayoutError: a metric of which less is better: the contract would read
            its gain as a loss.
    """
    if decision.direction != HIGHER:
        raise PayoutError(
            "The contract takes scores of which more is better; of this metric less is. "
            "Pay by the cumulative tree instead."
        )
    unit = decision.n * _PPM_PER_BPS
    return -(-decision.baseline_sum_ppm // unit), decision.candidate_sum_ppm // unit


def mint_request(verified: VerifiedAttestation, decision: Decision, terms: MintTerms) -> MintRequest:
    """The mint request of a verified attestation.

    ``decision`` is the one in the attested evidence. The same arguments give
    the same digest: nothing here knows the time.

    Raises:
        PayoutError: the decision is not the attested one, or see
            ``contributors_of`` and ``scores_in_bps``.
        RecordError: terms that cannot be encoded.
    """
    claim = verified.claim
    stated = (claim.decision.delta_ppm, claim.decision.n, claim.decision.look)
    if (decision.delta_ppm, decision.n, decision.k) != stated:
        raise PayoutError(f"This decision is not the one that attestation {verified.uid} states.")
    baseline_bps, candidate_bps = scores_in_bps(decision)
    payload = Payload(
        run_id=f"{claim.program}/{claim.partition}",
        baseline_bps=baseline_bps,
        candidate_bps=candidate_bps,
        max_cost=terms.max_cost,
        actual_cost=terms.actual_cost,
        samples=decision.n,
        anchors=Anchors(
            spec_hash=terms.spec_hash,
            dataset_hash="0x" + claim.holdout.digest,
            attestation_hash=verified.uid,
            idempotency_key=idempotency_key(terms.model_id, verified.uid),
            metric_name=claim.metric.name,
            metric_family=terms.metric_family,
        ),
        baseline_commitment="0x" + claim.baseline_version,
        candidate_commitment="0x" + claim.candidate_version,
        deadline=terms.deadline,
    )
    contributors = contributors_of(verified.weights, terms.escrow_wallet)
    return MintRequest(terms.chain_id, terms.contract, terms.model_id, payload, contributors)


def require_faithful(request: MintRequest, verified: VerifiedAttestation, decision: Decision) -> None:
    """Refuse a request that says anything about the attestation but what its evidence says.

    For an attester who is asked to sign a request that somebody else wrote: he
    agrees to its terms by signing, but measures, commitments and weights must
    be those of his own evidence.

    Raises:
        PayoutError: the request is not the one that ``mint_request`` makes.
    """
    ours = mint_request(verified, decision, _terms_of(request, verified.weights))
    if ours != request:
        raise PayoutError(
            f"This request is not what attestation {verified.uid} says: its digest would be {ours.digest}, "
            f"not {request.digest}. Do not sign it; write it anew."
        )


def require_terms(request: MintRequest, weights: WeightTable, known: MintSettings) -> None:
    """Refuse a request whose terms are not those of the settings, as far as they name any.

    Whoever wrote the request chose them: an escrow wallet of his own, or a
    second contract, would be signed for.

    Raises:
        PayoutError: naming the first setting that the request does not follow.
    """
    terms = _terms_of(request, weights)
    pairs: dict[str, tuple[object, object]] = {
        "chain_id": (known.chain_id, terms.chain_id),
        "contract": (known.contract, terms.contract),
        "model_id": (known.model_id and int(known.model_id), terms.model_id),
        "spec_id": (known.spec_id and benchmark_spec_hash(known.spec_id), terms.spec_hash),
        "metric_family": (known.metric_family, terms.metric_family),
        # A request without an escrow names nobody to hold it.
        "escrow_wallet": (terms.escrow_wallet and known.escrow_wallet, terms.escrow_wallet),
    }
    for name, (ours, theirs) in pairs.items():
        if ours not in (None, theirs):
            raise PayoutError(
                f"payout.mint.{name} is {getattr(known, name)}, which the request does not say ({theirs}). "
                "Do not sign it; write it anew, or correct the setting."
            )


def escrow_wallet_of(request: MintRequest, weights: WeightTable) -> str | None:
    """Who gets what unresolved contributors earned: the contributor of a request who earned nothing himself."""
    earners = {line.address for line in weights.lines}
    return next((each.wallet for each in request.contributors if each.wallet not in earners), None)


def _terms_of(request: MintRequest, weights: WeightTable) -> MintTerms:
    payload = request.payload
    return MintTerms(
        chain_id=request.chain_id,
        contract=request.verifying_contract,
        model_id=request.model_id,
        spec_hash=payload.anchors.spec_hash,
        metric_family=payload.anchors.metric_family,
        max_cost=payload.max_cost,
        actual_cost=payload.actual_cost,
        deadline=payload.deadline,
        escrow_wallet=escrow_wallet_of(request, weights),
    )
