"""Every reason for which the contract would revert, named before it can.

A revert costs gas and says little; a problem here costs nothing and has a code.
What only the chain knows (its head, the keys used, the reward) is passed in;
what is not passed in is listed by ``Chain.unknown``, never taken for granted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from itertools import pairwise

from telefine_assets.attestation.eas import ZERO_BYTES32
from telefine_assets.attestation.signatures import HighSError, Signature, SignatureError, recover_typed
from telefine_assets.attribution.addresses import ZERO_ADDRESS, address_order
from telefine_assets.payouts.mint_request import FULL_BPS, MintRequest, idempotency_key
from telefine_assets.payouts.plan import PayoutError

MAX_CONTRIBUTORS = 100

_SIGNATURE = re.compile(r"0x[0-9a-f]{130}")


class Code(StrEnum):
    """What is wrong, for programs to act on; a code never changes its meaning."""

    BASELINE_SCORE_OVER_LIMIT = "baseline_score_over_limit"
    CANDIDATE_SCORE_OVER_LIMIT = "candidate_score_over_limit"
    RUN_ID_EMPTY = "run_id_empty"
    METRIC_NAME_EMPTY = "metric_name_empty"
    IDEMPOTENCY_KEY_ZERO = "idempotency_key_zero"
    IDEMPOTENCY_KEY_WRONG = "idempotency_key_wrong"
    IDEMPOTENCY_KEY_USED = "idempotency_key_used"
    DEADLINE_PASSED = "deadline_passed"
    NO_CONTRIBUTORS = "no_contributors"
    TOO_MANY_CONTRIBUTORS = "too_many_contributors"
    DUPLICATE_CONTRIBUTOR = "duplicate_contributor"
    ZERO_ADDRESS = "zero_address"
    WEIGHTS_DO_NOT_SUM = "weights_do_not_sum"
    BASELINE_NOT_HEAD = "baseline_not_head"
    CANDIDATE_COMMITMENT_ZERO = "candidate_commitment_zero"
    REWARD_OVER_BUDGET = "reward_over_budget"
    SIGNATURE_MALFORMED = "signature_malformed"
    SIGNATURE_HIGH_S = "signature_high_s"
    SIGNATURE_INVALID = "signature_invalid"
    SIGNER_NOT_REGISTERED = "signer_not_registered"
    DUPLICATE_SIGNER = "duplicate_signer"
    SIGNATURES_UNORDERED = "signatures_unordered"
    TOO_FEW_SIGNATURES = "too_few_signatures"


@dataclass(frozen=True)
class Problem:
    """One thing for which the contract would revert.

    Attributes:
        code: what, for programs.
        text: what exactly and what would cure it, for people.
    """

    code: Code
    text: str

    def __str__(self) -> str:
        return f"{self.code}: {self.text}"


@dataclass(frozen=True)
class Chain:
    """What the contract's state says; None for what is not known.

    Attributes:
        head: the model's current commitment, 0x and 64 digits.
        used_keys: idempotency keys that were used, 0x and 64 digits.
        attesters: registered attesters, EIP-55.
        required: how many of them must sign.
        reward: what the request would mint, the token's smallest unit.
        budget: what may still be minted, in the same unit.
    """

    head: str | None = None
    used_keys: frozenset[str] | None = None
    attesters: frozenset[str] | None = None
    required: int | None = None
    reward: int | None = None
    budget: int | None = None

    @property
    def unknown(self) -> list[str]:
        """What could not be checked for want of knowing it."""
        return [each.name for each in fields(self) if getattr(self, each.name) is None]


class BadSignature(PayoutError):
    """A signature that the contract would refuse.

    Attributes:
        code: why.
    """

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code


def preflight(request: MintRequest, chain: Chain, now: int) -> list[Problem]:
    """Why the contract would refuse the request itself, whoever signs it; empty when nothing stands against it.

    Args:
        request: what would be submitted.
        chain: what is known of the contract.
        now: seconds since 1970 UTC.
    """
    found = (*_payload_problems(request, now), *_contributor_problems(request), *_chain_problems(request, chain))
    return [Problem(code, text) for stands, code, text in found if stands]


_Finding = tuple[bool, Code, str]


def _payload_problems(request: MintRequest, now: int) -> Iterator[_Finding]:
    payload, key = request.payload, request.payload.anchors.idempotency_key
    over = f"bps; the contract takes at most {FULL_BPS}"
    yield (
        payload.baseline_bps > FULL_BPS,
        Code.BASELINE_SCORE_OVER_LIMIT,
        f"the baseline scores {payload.baseline_bps} {over}",
    )
    yield (
        payload.candidate_bps > FULL_BPS,
        Code.CANDIDATE_SCORE_OVER_LIMIT,
        f"the candidate scores {payload.candidate_bps} {over}",
    )
    yield payload.run_id == "", Code.RUN_ID_EMPTY, "pipelineRunId is empty; name the run"
    yield payload.anchors.metric_name == "", Code.METRIC_NAME_EMPTY, "metricName is empty; name the metric"
    derived = idempotency_key(request.model_id, payload.anchors.attestation_hash)
    yield key == ZERO_BYTES32, Code.IDEMPOTENCY_KEY_ZERO, f"the idempotency key is zero; it must be {derived}"
    # The contract cannot see this one: with another key it would mint again for the same attestation.
    yield (
        key not in (ZERO_BYTES32, derived),
        Code.IDEMPOTENCY_KEY_WRONG,
        f"the idempotency key is {key}; model and attestation give {derived}",
    )
    # A request sent in the very second of its deadline is mined after it.
    yield (
        now >= payload.deadline,
        Code.DEADLINE_PASSED,
        f"the deadline {payload.deadline} has passed, it is {now}; write a new request and have it signed again",
    )
    zero = payload.candidate_commitment == ZERO_BYTES32
    yield zero, Code.CANDIDATE_COMMITMENT_ZERO, "candidateCommitment is zero; it must be the candidate's digest"


def _contributor_problems(request: MintRequest) -> Iterator[_Finding]:
    wallets = [each.wallet for each in request.contributors]
    total = sum(each.weight for each in request.contributors)
    repeated = _repeated(wallets)
    yield not wallets, Code.NO_CONTRIBUTORS, "there are no contributors"
    yield (
        len(wallets) > MAX_CONTRIBUTORS,
        Code.TOO_MANY_CONTRIBUTORS,
        f"{len(wallets)} contributors; the contract takes {MAX_CONTRIBUTORS}. Pay by the cumulative tree instead",
    )
    yield bool(repeated), Code.DUPLICATE_CONTRIBUTOR, f"listed more than once: {', '.join(repeated)}; add them up"
    yield ZERO_ADDRESS in wallets, Code.ZERO_ADDRESS, "the zero address is among the contributors"
    yield total != FULL_BPS, Code.WEIGHTS_DO_NOT_SUM, f"the weights sum to {total}, not to {FULL_BPS}"


def _repeated(addresses: Iterable[str]) -> list[str]:
    return sorted((each for each, times in Counter(addresses).items() if times > 1), key=address_order)


def _chain_problems(request: MintRequest, chain: Chain) -> Iterator[_Finding]:
    payload, key = request.payload, request.payload.anchors.idempotency_key
    yield (
        chain.head is not None and payload.baseline_commitment != chain.head,
        Code.BASELINE_NOT_HEAD,
        f"baselineCommitment is {payload.baseline_commitment}, the model's head is {chain.head}; "
        "measure against the program that is there",
    )
    yield (
        key in (chain.used_keys or ()),
        Code.IDEMPOTENCY_KEY_USED,
        f"the idempotency key {key} was used: this attestation was minted for already",
    )
    if chain.reward is not None and chain.budget is not None:
        yield (
            chain.reward > chain.budget,
            Code.REWARD_OVER_BUDGET,
            f"the reward is {chain.reward}, the budget has {chain.budget} left; have it raised",
        )


def signature_problems(request: MintRequest, signatures: Sequence[str], chain: Chain) -> list[Problem]:
    """Why the contract would refuse the signatures as they stand, in their order; empty when it would not."""
    problems, signers = [], []
    for place, signature in enumerate(signatures):
        try:
            signers.append(signer_of(request, signature))
        except BadSignature as bad:
            problems.append(Problem(bad.code, f"signatures[{place}]: {bad}"))
    if chain.attesters is not None:
        foreign = [each for each in signers if each not in chain.attesters]
        problems += [Problem(Code.SIGNER_NOT_REGISTERED, f"{each} is no registered attester") for each in foreign]
    problems += [Problem(Code.DUPLICATE_SIGNER, f"{each} signed more than once") for each in _repeated(signers)]
    if any(address_order(low) > address_order(high) for low, high in pairwise(signers)):
        problems.append(Problem(Code.SIGNATURES_UNORDERED, "must ascend by signer; assemble them"))
    required = max(chain.required or 0, 1)
    if len(set(signers)) < required:
        problems.append(Problem(Code.TOO_FEW_SIGNATURES, f"{len(set(signers))} signers of at least {required}"))
    return problems


def signer_of(request: MintRequest, signature: str) -> str:
    """Who made a signature over the request, EIP-55.

    Raises:
        BadSignature: not 65 bytes (r, s, v) of lower-case hexadecimal, a high s,
            or no signature at all.
    """
    if not isinstance(signature, str) or not _SIGNATURE.fullmatch(signature):
        raise BadSignature(Code.SIGNATURE_MALFORMED, "expected 65 bytes: 0x and 130 lower-case digits, r, s and v")
    raw = bytes.fromhex(signature[2:])
    parts = Signature(v=raw[64], r=int.from_bytes(raw[:32], "big"), s=int.from_bytes(raw[32:64], "big"))
    try:
        return recover_typed(request.typed_data(), parts)
    except HighSError as error:
        raise BadSignature(Code.SIGNATURE_HIGH_S, str(error)) from None
    except SignatureError as error:
        raise BadSignature(Code.SIGNATURE_INVALID, str(error)) from None


def packed_signature(signature: Signature) -> str:
    """A signature in the 65 bytes that the contract takes: r, s, v."""
    return f"0x{signature.r:064x}{signature.s:064x}{signature.v:02x}"


def assemble(request: MintRequest, signatures: Iterable[str]) -> tuple[str, ...]:
    """The signatures in the contract's order: ascending by whoever made each.

    Raises:
        BadSignature: one that is not acceptable, or two of one signer.
    """
    made: dict[str, str] = {}
    for signature in signatures:
        signer = signer_of(request, signature)
        if signer in made:
            raise BadSignature(Code.DUPLICATE_SIGNER, f"{signer} signed more than once; keep one of its signatures")
        made[signer] = signature
    return tuple(made[signer] for signer in sorted(made, key=address_order))
