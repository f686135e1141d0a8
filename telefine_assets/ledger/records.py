"""What the ledger speaks of: records without a database behind them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LookRequest:
    """What is about to be compared; all digests are SHA-256 in hexadecimal."""

    program: str
    day: str
    baseline: str
    candidate: str
    metric: str
    alpha: str

    look_key: str
    """Digest of everything the look depends on; the same look is never counted twice."""


@dataclass(frozen=True)
class RecordedLook:
    """A look as the ledger has it."""

    seq: int
    epoch: int
    item_list: str
    look_key: str
    k: int | None
    """Its number, from the moment on that its first item is scored."""


@dataclass(frozen=True)
class ClosedDay:
    """A day whose look reached DeltaOne: it stands, whatever becomes of its traces later."""

    baseline: str
    candidate: str
    record: str
    """Digest of the stage's record, in the evidence."""


ATTESTED, BY_HAND, ROLLBACK = "attested", "by hand", "rollback"
"""How a version came to serve."""


@dataclass(frozen=True)
class Champion:
    """A version in force from the end of ``day`` on."""

    seq: int
    program: str
    day: str
    version: str
    reason: str
    how: str
    """``attested``, ``by hand`` or ``rollback``."""
    attestation: str | None
    height: int
    """How many attested gains the version rests on, one above the other; 0 where nothing is proved of it."""
    gain: int | None
    """``height``, if this promotion was the first to reach it. What is paid for, ``ledger.gains`` says."""


@dataclass(frozen=True)
class Promotion:
    """What an attestation asks for."""

    program: str
    day: str
    version: str
    baseline: str
    attestation: str


@dataclass(frozen=True)
class Choice:
    """What a person asks for."""

    program: str
    day: str
    version: str
    reason: str
    by: str
    how: str
    """``by hand`` or ``rollback``."""
    after: int
    """``seq`` of the champion that served when the choice was made; 0 for the first version."""


@dataclass(frozen=True)
class LoggedAttestation:
    """An attestation that goes into the log: of which program and day it is, and who signed it (EIP-55)."""

    uid: str
    program: str
    day: str
    signer: str


@dataclass(frozen=True)
class Token:
    """What amounts are counted in; those of two tokens are never added up."""

    name: str
    """Its contract (EIP-55), or its symbol where no contract was named."""
    decimals: int

    def __str__(self) -> str:
        """As people read and write it: ``NAME/DECIMALS``."""
        return f"{self.name}/{self.decimals}"


@dataclass(frozen=True)
class RecordedPayout:
    """A payout as the ledger has it."""

    seq: int
    attestation: str
    program: str
    day: str
    pool: int
    """Smallest units of the token."""
    plan: str
    """Digest of the plan, in the evidence."""
    token: Token


@dataclass(frozen=True)
class AuditEntry:
    """Something that was decided, as it goes into the audit log."""

    actor: str
    action: str
    subject: str
    details: dict[str, object]


@dataclass(frozen=True)
class AuditRow:
    """One row of the audit log."""

    seq: int
    at: str
    """UTC, ``YYYY-MM-DDTHH:MM:SSZ``."""
    actor: str
    action: str
    subject: str
    details: dict[str, object]
    previous: str
    """Digest of the row before; 64 zeros in the first."""
    digest: str


@dataclass(frozen=True)
class SubmissionEntry:
    """A signed submission as it goes into the log of arrivals; digests, salt, r and s are 0x and 64 digits."""

    digest: str
    """What was signed (EIP-712)."""
    program: str
    trace_digest: str
    contributor: str
    """EIP-55."""
    time: int
    """Seconds since 1970 UTC, as signed."""
    salt: str
    v: int
    r: str
    s: str


@dataclass(frozen=True)
class SubmissionRow:
    """A submission in the log of arrivals."""

    position: int
    """From 0, in the order of receipt, without gaps."""
    received_ms: int
    entry: SubmissionEntry


@dataclass(frozen=True)
class Work:
    """A piece of work that asks language models."""

    program: str
    stage: str
    day: str
    run: str
    """Dagster's id of the run that did it."""


@dataclass(frozen=True)
class Spending:
    """What a piece of work came to. Tokens and money are None when for any of the calls they are not known."""

    work: Work
    calls: int
    """Questions that went to a model."""
    remembered: int
    """Questions that the journal answered, for nothing."""
    tokens: int | None
    """In and out."""
    cost_micros: int | None
    """Millionths of a US dollar."""
    took_ms: int


@dataclass(frozen=True)
class ReachedLook:
    """A look that reached DeltaOne, and with it ended an epoch of its program's holdout."""

    program: str
    day: str
    epoch: int
    candidate: str


@dataclass(frozen=True)
class PlannedPayout:
    """A payout; ``pool`` is in the token's smallest unit."""

    program: str
    day: str
    attestation: str
    pool: int
    token: str
