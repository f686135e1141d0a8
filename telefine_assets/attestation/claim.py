"""What an attestation claims, as plain values: the input of the statement.

Digests are sha256 as 64 lower-case digits, rates are parts per million, decimals
are strings. Nothing here knows the time or is random: the same facts make the
same claim, the same statement and the same attestation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

from telefine_assets.attestation.signatures import BYTES32
from telefine_assets.attribution.addresses import address_order, is_checksummed
from telefine_assets.attribution.records import RecordError, whole
from telefine_assets.attribution.weights import FULL_PPM, WeightTable

DELTA_ONE_PPM = 10_000
"""One percentage point: the least gain that is a DeltaOne."""

DIGEST = re.compile(r"[0-9a-f]{64}")
# Exponents are short, since 1e-999999999 as a fraction fills the memory.
_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,40})(\.[0-9]{1,60})?([eE][+-]?[0-9]{1,3})?|[0-9]{1,60}/[1-9][0-9]{0,60}")
# Segments that begin with a dot could climb out of the folder they are put in.
_FILE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9.+-]*/[a-z0-9][a-z0-9.+-]*")
_INT32 = 2**31 - 1
_SAFE = 2**53 - 1


def require_digest(field: str, value: object) -> None:
    """Refuse what is not a sha256 in 64 lower-case digits."""
    if not isinstance(value, str) or not DIGEST.fullmatch(value):
        raise RecordError(field, f"expected a sha256 as 64 lower-case digits, found {value!r}")


def require_text(field: str, value: object) -> None:
    """Refuse what is not a non-empty string that UTF-8 can write."""
    if not isinstance(value, str) or not value:
        raise RecordError(field, f"expected text, found {value!r}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise RecordError(field, f"expected text that UTF-8 can write, found {value!r}") from None


@dataclass(frozen=True)
class Named:
    """A thing known by a name and a digest: the metric, the language model.

    Attributes:
        name: what people call it.
        digest: sha256 of what it is (its code and settings, its weights).
    """

    name: str
    digest: str

    def __post_init__(self) -> None:
        require_text("name", self.name)
        require_digest("digest", self.digest)


@dataclass(frozen=True)
class HoldoutCommitment:
    """The items that the claim was tested on, committed to by digest.

    Attributes:
        digest: sha256 over the items.
        n: how many there are.
    """

    digest: str
    n: int

    def __post_init__(self) -> None:
        require_digest("holdout.digest", self.digest)
        whole(self.n, "holdout.n", 1, _INT32)


@dataclass(frozen=True)
class Decision:
    """The outcome of the look at the holdout.

    Attributes:
        delta_ppm: candidate minus baseline in the metric's good direction, ppm.
        lower_ppm: lower confidence bound of it, ppm.
        p: the one-sided p-value, decimal or ``a/b``.
        alpha: the level that this look had to beat, decimal or ``a/b``.
        look: the number of the look at this holdout, from 1.
        n: pairs that both sides answered.
        wins: pairs that the candidate won.
        losses: pairs that the baseline won.
        unresolved: pairs left out because a side could not be asked.
        grade: the grade of the report, such as ``improved``.
        method: the test, such as ``mcnemar_exact``.
    """

    delta_ppm: int
    lower_ppm: int
    p: str
    alpha: str
    look: int
    n: int
    wins: int
    losses: int
    unresolved: int
    grade: str
    method: str

    def __post_init__(self) -> None:
        for name in ("delta_ppm", "lower_ppm"):
            whole(getattr(self, name), f"decision.{name}", -_INT32, _INT32)
        for name in ("p", "alpha"):
            value = getattr(self, name)
            if not isinstance(value, str) or not _DECIMAL.fullmatch(value) or Fraction(value) > 1:
                raise RecordError(f"decision.{name}", f"expected a decimal string of 0 to 1, found {value!r}")
        whole(self.look, "decision.look", 1, _INT32)
        for name in ("n", "wins", "losses", "unresolved"):
            whole(getattr(self, name), f"decision.{name}", 0, _INT32)
        if self.wins + self.losses > self.n:
            raise RecordError("decision.wins", f"wins and losses exceed the {self.n} pairs")
        require_text("decision.grade", self.grade)
        require_text("decision.method", self.method)

    def why_not_met(self) -> str | None:
        """What is missing to a DeltaOne: the gain, the significance, or None for nothing."""
        if self.delta_ppm < DELTA_ONE_PPM:
            return f"delta_ppm {self.delta_ppm} is below {DELTA_ONE_PPM}"
        if Fraction(self.p) >= Fraction(self.alpha):
            return f"p {self.p} is not below alpha {self.alpha}"
        return None


@dataclass(frozen=True)
class StatedWeights:
    """The weights as the statement states them, without what they rest on.

    Attributes:
        method: how they were found.
        contributors: (wallet, ppm), ascending by wallet.
        escrow: (reason, ppm), ascending by reason.
        reason: why there are none; None when there are.
    """

    method: str
    contributors: tuple[tuple[str, int], ...]
    escrow: tuple[tuple[str, int], ...]
    reason: str | None

    def __post_init__(self) -> None:
        require_text("weights.method", self.method)
        for address, ppm in self.contributors:
            if not is_checksummed(address):
                raise RecordError("weights.contributors.address", f"expected EIP-55, found {address!r}")
            whole(ppm, "weights.contributors.weightPpm", 1, FULL_PPM)
        for reason, ppm in self.escrow:
            require_text("weights.escrow.reason", reason)
            whole(ppm, "weights.escrow.weightPpm", 1, FULL_PPM)
        orders = [address_order(address) for address, _ in self.contributors]
        reasons = [reason for reason, _ in self.escrow]
        if orders != sorted(set(orders)) or reasons != sorted(set(reasons)):
            raise RecordError("weights", "must ascend strictly: sorted, each name once")
        if (self.reason is None) != bool(self.contributors or self.escrow):
            raise RecordError("weights.reason", "must be given exactly when there are no weights")

    @property
    def total_ppm(self) -> int:
        """The sum over wallets and escrow."""
        return sum(ppm for _, ppm in (*self.contributors, *self.escrow))

    @property
    def expected_ppm(self) -> int:
        """What they must sum to: 1,000,000, or 0 when there are none."""
        return 0 if self.reason is not None else FULL_PPM

    @classmethod
    def of(cls, table: WeightTable) -> StatedWeights:
        """What a weight table states."""
        return cls(
            table.method,
            tuple((line.address, line.weight_ppm) for line in table.lines),
            tuple((line.reason, line.weight_ppm) for line in table.escrow),
            table.reason,
        )


@dataclass(frozen=True)
class EvidenceFile:
    """One file of the evidence, by digest.

    Attributes:
        name: a relative path, such as ``attribution.json``.
        sha256: its digest.
        size: bytes.
        media_type: such as ``application/json``.
    """

    name: str
    sha256: str
    size: int
    media_type: str

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _FILE_NAME.fullmatch(self.name):
            raise RecordError("evidence.name", f"expected a relative path without dots in front, found {self.name!r}")
        require_digest("evidence.sha256", self.sha256)
        whole(self.size, "evidence.size", 0, _SAFE)
        if not isinstance(self.media_type, str) or not _MEDIA_TYPE.fullmatch(self.media_type):
            raise RecordError("evidence.mediaType", f"expected type/subtype, found {self.media_type!r}")


@dataclass(frozen=True)
class Claim:
    """Everything that an attestation binds.

    Attributes:
        program: name of the program.
        candidate_version: digest of the candidate program.
        baseline_version: digest of the program that it is better than.
        partition: the UTC day that it was compiled for, ``YYYY-MM-DD``.
        metric: the metric, by the digest of its definition.
        lm: the language model, by the digest of its identity.
        holdout: the items tested on.
        decision: the outcome.
        weights: who is paid in which proportion.
        traceset_root: digest of the set of traces that the compile could see.
        looks_digest: digest of the looks ledger's extract.
        payout_root: Merkle root over wallets and ppm, 0x and 64 digits.
        evidence: the files, ascending by name.
        replaces: uids of the attestations of this day that it was issued again for, the
            oldest first; each was revoked before. Empty for the day's first.

    Raises:
        RecordError: on construction, for anything out of form.
    """

    program: str
    candidate_version: str
    baseline_version: str
    partition: str
    metric: Named
    lm: Named
    holdout: HoldoutCommitment
    decision: Decision
    weights: StatedWeights
    traceset_root: str
    looks_digest: str
    payout_root: str
    evidence: tuple[EvidenceFile, ...]
    replaces: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_text("program", self.program)
        for name in ("candidate_version", "baseline_version", "traceset_root", "looks_digest"):
            require_digest(name, getattr(self, name))
        if self.candidate_version == self.baseline_version:
            raise RecordError("candidate_version", "is the baseline's; a program cannot improve on itself")
        partition_time(self.partition)
        if not isinstance(self.payout_root, str) or not BYTES32.fullmatch(self.payout_root):
            raise RecordError("payout_root", f"expected 0x and 64 lower-case digits, found {self.payout_root!r}")
        if self.decision.n + self.decision.unresolved > self.holdout.n:
            raise RecordError("decision.n", f"with the unresolved exceeds the {self.holdout.n} items of the holdout")
        names = [file.name for file in self.evidence]
        if names != sorted(set(names)):
            raise RecordError("evidence", "must ascend strictly by name, each name once")
        for uid in self.replaces:
            if not isinstance(uid, str) or not BYTES32.fullmatch(uid):
                raise RecordError("replaces", f"expected 0x and 64 lower-case digits, found {uid!r}")
        if len(set(self.replaces)) != len(self.replaces):
            raise RecordError("replaces", "names an attestation twice")


def partition_time(day: str) -> int:
    """The attestation time of a partition: the end of its UTC day, seconds since 1970.

    The partition is complete only then, and a rerun a month later still gives
    the same time and thus the same uid.

    Raises:
        RecordError: ``day`` is no day written ``YYYY-MM-DD``, or before 1970.
    """
    try:
        start = date.fromisoformat(day)
    except (TypeError, ValueError):
        raise RecordError("partition", f"expected YYYY-MM-DD, found {day!r}") from None
    if start.isoformat() != day or start.year < 1970 or start.year > 9998:
        raise RecordError("partition", f"expected YYYY-MM-DD from 1970 on, found {day!r}")
    end = datetime(start.year, start.month, start.day, tzinfo=UTC) + timedelta(days=1)
    return int(end.timestamp())
