"""Adding records to a log that others write to at the same time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from telefine_assets.attestation.log import MerkleLog, leaf_hash
from telefine_assets.attestation.log_records import ADMIT, KeyRecord, Place, Said, SignedRecord, sign_record
from telefine_assets.attestation.replay import LogState, replay
from telefine_assets.attestation.signatures import Signer
from telefine_assets.errors import TelefineError

# Every failed try means that somebody else's leaf came in between.
_TRIES = 50


class RecordRefused(TelefineError):
    """A record would have no effect in the log; nothing was written."""


class Leaves(Protocol):
    """The log's leaves (``ledger.log.LogLeaves``)."""

    def append(self, entry: str, leaf: bytes) -> int:
        """Append a leaf, or find it; returns its position."""
        ...

    def append_at(self, position: int, leaves: Sequence[tuple[str, bytes]]) -> bool:
        """Append entries with their leaves, if the log has ``position`` leaves; returns whether it had."""
        ...

    def leaves(self, size: int | None = None) -> list[bytes]:
        """The first ``size`` leaves."""
        ...


def say(
    leaves: Leaves,
    origin: str,
    signer: Signer,
    wanted: Callable[[LogState], Sequence[Said]],
    append_at: Callable[[int, Sequence[tuple[str, bytes]]], bool] | None = None,
) -> LogState:
    """Have ``signer`` say in the log what ``wanted`` finds missing in it; returns the state afterwards.

    All of it is appended in one step, to the very log that ``wanted`` was asked
    about: if another leaf comes in between, it is asked again. ``append_at`` is
    the step, where more belongs to it than ``leaves.append_at`` does.

    Raises:
        RecordRefused: it would have no effect, with the reason.
        SigningError: the signer failed.
    """
    for _ in range(_TRIES):
        before = leaves.leaves()
        state = replay(before, origin)
        said = wanted(state)
        if not said:
            return state
        records = _placed(said, before, origin, signer)
        new = [(record.entry, record.leaf()) for record in records]
        after = replay([*before, *(leaf for _, leaf in new)], origin)
        _refuse_void(after, len(before))
        if (append_at or leaves.append_at)(len(before), new):
            return after
    raise _crowded_out(origin)


def begin(leaves: Leaves, origin: str, signer: Signer) -> LogState:
    """Give an empty log its first leaf, by which ``signer`` admits itself; returns the state.

    Raises:
        SigningError: the signer failed.
    """
    genesis = KeyRecord(ADMIT, signer.address, "first key of the log")
    return say(leaves, origin, signer, lambda state: [] if state.size else [genesis])


def place(
    leaves: Leaves,
    origin: str,
    leaf: bytes,
    check: Callable[[LogState], None],
    append_at: Callable[[int, tuple[str, bytes]], bool],
) -> int:
    """Append an attestation's leaf to the very log that ``check`` lets it into; returns its position.

    A leaf that is there keeps its place.

    Raises:
        RecordRefused: others never let it in.
    """
    entry = "0x" + leaf_hash(leaf).hex()
    for _ in range(_TRIES):
        before = leaves.leaves()
        check(replay(before, origin))
        if leaf in before:
            return before.index(leaf)
        if append_at(len(before), (entry, leaf)):
            return len(before)
    raise _crowded_out(origin)


def require_good(state: LogState, address: str) -> None:
    """Refuse a signer whose key is not good now.

    Raises:
        RecordRefused: naming the good keys and the cure.
    """
    if address not in state.good:
        raise RecordRefused(
            f"signer {address} is no good key of log {state.origin} (good: {', '.join(state.good) or 'none'}). "
            f"With a good key as the signer, run: telefine attest rotate {address} --reason REASON"
        )


def _crowded_out(origin: str) -> RecordRefused:
    return RecordRefused(f"log {origin}: others wrote to it {_TRIES} times in between; try again.")


def _placed(said: Sequence[Said], before: Sequence[bytes], origin: str, signer: Signer) -> list[SignedRecord]:
    log, records = MerkleLog(leaf_hash(leaf) for leaf in before), []
    for each in said:
        records.append(sign_record(each, Place(origin, len(log), "0x" + log.root().hex()), signer))
        log.append(leaf_hash(records[-1].leaf()))
    return records


def _refuse_void(after: LogState, first: int) -> None:
    for line in after.lines[first:]:
        if line.void is not None:
            raise RecordRefused(
                f"log {after.origin}: {line.what} by {line.signer} would have no effect ({line.void}). "
                "See the log with: telefine attest log, and its keys with: telefine attest keys"
            )
