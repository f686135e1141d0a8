"""What the page of an attestation shows, as plain values made of the claim and the log."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from telefine_assets.api.pages.words import probability
from telefine_assets.attestation.standing import Issued
from telefine_assets.attestation.standing_shown import STANDINGS
from telefine_assets.pages.numbers import percent
from telefine_assets.settings.signer import SignerSettings

if TYPE_CHECKING:
    from telefine_assets.attestation.replay import Key, LogState

MOST_WALLETS = 50
_METHODS = {
    "mcnemar_exact": "exact McNemar test",
    "sign_flip_exact": "exact sign-flip test",
    "sign_flip_sampled": "sampled sign-flip test",
}
_HELD = {
    "missing": "no contributor was named",
    "not_an_address": "what was named is no address",
    "bad_checksum": "the address was misspelt",
    "zero_address": "the zero address was named",
    "ens_name": "a name was given in place of an address",
    "unsigned_submission": "the submission was not signed",
}


@dataclass(frozen=True)
class Share:
    """A line of the table of weights: a wallet, or the reason why nobody has it yet."""

    who: str
    is_wallet: bool
    ppm: int


@dataclass(frozen=True)
class Evidence:
    """A file that the statement names; ``href`` is where it is for everybody, or None."""

    name: str
    sha256: str
    size: int
    href: str | None


@dataclass(frozen=True)
class View:
    """What is shown beside the claim itself.

    Attributes:
        standing: in force, revoked, or awaiting signatures: as this server's log says.
        confidence: of the interval that the lower bound is the end of.
        method: the test in words.
        chance: the p-value.
        level: what it had to be below.
        key: what the log says of the signer's key.
        cosigners: others whose signatures the log has, with the number that is required.
        required: how many must sign.
        shares: who has which part, the greatest first.
        more: how many wallets are not listed.
        evidence: the files.
    """

    standing: str
    confidence: str
    method: str
    chance: str
    level: str
    key: str
    cosigners: tuple[str, ...]
    required: int
    shares: tuple[Share, ...]
    more: int
    evidence: tuple[Evidence, ...]


def shown(found: Issued, state: LogState, signer: SignerSettings, public_evidence: bool) -> View:
    """The view of an attestation in the log's present state."""
    claim, decision = found.claim, found.claim.decision
    cosigners = {each.signer for uid, each in state.cosigned if uid == found.uid} - {found.signer}
    wallets = sorted(claim.weights.contributors, key=lambda each: -each[1])
    held = [Share(_HELD.get(reason, reason), False, ppm) for reason, ppm in claim.weights.escrow]
    return View(
        standing=STANDINGS[found.outcome],
        confidence=percent(1 - 2 * Fraction(decision.alpha), 4),
        method=_METHODS.get(decision.method, decision.method),
        chance=probability(decision.p),
        level=percent(Fraction(decision.alpha)),
        key=key_in_words(state.keys.get(found.signer), found.log_index),
        cosigners=tuple(sorted(cosigners)),
        required=signer.required,
        shares=(*(Share(who, True, ppm) for who, ppm in wallets[:MOST_WALLETS]), *held),
        more=max(0, len(wallets) - MOST_WALLETS),
        evidence=tuple(
            Evidence(
                each.name,
                each.sha256,
                each.size,
                f"/v1/attestations/{found.uid}/evidence/{each.sha256}" if public_evidence else None,
            )
            for each in claim.evidence
        ),
    )


def key_in_words(key: Key | None, position: int) -> str:
    """What the log says of a key that signed at a position."""
    if key is None:
        return "The log admits no such key: this signature counts for nothing."
    admitted = f"The log admits this key at position {key.admitted_at}"
    if key.untrusted_from is None:
        return f"{admitted}, and it is good still."
    if position < key.untrusted_from:
        return f"{admitted}. It was retired at position {key.retired_at}; this attestation came before, and stands."
    return f"{admitted}, but trusts nothing of it from position {key.untrusted_from} on: this signature does not count."
