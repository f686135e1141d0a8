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
    k: int
    item_list: str
    look_key: str


@dataclass(frozen=True)
class ClosedDay:
    """A day whose look reached DeltaOne: it stands, whatever becomes of its traces later."""

    baseline: str
    candidate: str
    record: str
    """Digest of the stage's record, in the evidence."""


@dataclass(frozen=True)
class Champion:
    """A version in force from the end of ``day`` on."""

    program: str
    day: str
    version: str
    reason: str
    attestation: str
