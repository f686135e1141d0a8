"""Usage weights: who is paid for the demos that a compiled program contains.

The rule, for one compiled program:

1. Only demos that are in the program count, each trace once, however many
   predictors show it and however often it is listed.
2. Of a cluster's traces, those with a signed submission come first, in the order
   of the log of arrivals; then the others, by the time of arrival that they
   claim, ties to the lower trace id. That time is the client's: it decides
   nothing against a signature, and neither does the time that a signature names.
3. A content cluster counts **once**: with the quality of the first of its
   traces that the program uses. Summing over its traces would pay a contributor
   for submitting his own trace twice; taking the best would pay him for a copy
   with a better score. So, once one of a cluster's traces is used, no later
   trace of that cluster changes what the cluster is worth.
4. The million parts are shared out over the *clusters*, and each cluster's
   parts go to its first submitter, whether that trace is used or not. Rounding
   thus happens before anyone is asked whose cluster it is: splitting an address,
   or leaving a contributor unresolved, changes nobody else's parts, not even
   by one.
5. A first submitter who cannot be resolved leaves the parts in escrow, under
   the reason. So does a cluster whose feedback was withdrawn after it was learnt
   from, whoever submitted it: nobody gains by a correction of what another gave.

Known holes: a used demo that does not help is still paid; an original that nobody
signed for loses to a copy that somebody signed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import TypeVar

from telefine_assets.attribution.addresses import ContributorTag, address_order, resolve_contributor
from telefine_assets.attribution.allocation import largest_remainder
from telefine_assets.attribution.submissions import LoggedSubmission, SignedSubmission
from telefine_assets.attribution.weights import (
    FULL_PPM,
    EscrowLine,
    WeightLine,
    WeightTable,
)
from telefine_assets.errors import TelefineError

METHOD = "usage"
NOTHING_USED = "no_demo_used"
NO_QUALITY = "no_quality"
NO_ARRIVAL = "no_arrival"
UNSIGNED = "unsigned_submission"
WITHDRAWN = "feedback_withdrawn"
"""Why a cluster's parts are held whose feedback did not stand (see ``attribution.reweighing``)."""

_REASON = re.compile(r"[a-z][a-z0-9_]*")


class AttributionError(TelefineError):
    """The facts given contradict each other, or are no facts at all."""


@dataclass(frozen=True)
class UsedDemo:
    """A demo of the compiled program.

    Attributes:
        cluster: content cluster of the trace.
        trace_id: the trace that the demo was made from.
        quality_ppm: outcome score of the trace, 0 to 1,000,000.
    """

    cluster: str
    trace_id: str
    quality_ppm: int


@dataclass(frozen=True)
class Arrival:
    """A trace of the window, used or not: who submitted it, and when.

    Attributes:
        cluster: content cluster of the trace.
        trace_id: the trace.
        contributor: the tag as found, or the resolved address.
        reason: why the contributor is unresolved, if somebody already knows.
            It overrides ``contributor``.
        arrival_ms: when the trace says that it arrived, milliseconds since 1970 UTC.
        content: SHA-256 of the trace's normalised inputs, which a submission signs.
        submission: what the contributor signed for that content, as it was logged;
            its signature is checked where facts are read, not here.
    """

    cluster: str
    trace_id: str
    contributor: str | None
    reason: str | None
    arrival_ms: int
    content: str | None = None
    submission: LoggedSubmission | None = None

    @property
    def precedence(self) -> tuple[bool, int, int, str]:
        """Where the trace stands in its cluster: the lowest is the first submitter's."""
        position = self.submission.position if self.submission else 0
        return self.submission is None, position, self.arrival_ms, self.trace_id


Row = TypeVar("Row", UsedDemo, Arrival)


def usage_weights(
    demos: Iterable[UsedDemo], arrivals: Iterable[Arrival], withdrawn: Collection[str] = ()
) -> WeightTable:
    """Weigh contributors by the rule in this module's docstring.

    Args:
        demos: the demos of the program, in any order, repeats allowed.
        arrivals: every trace of the clusters concerned; others do no harm.
        withdrawn: clusters whose feedback did not stand; their parts are held.

    Returns:
        Weights in parts per million, summing to exactly 1,000,000 with the
        escrow lines; empty, with the reason, when no used demo has quality.

    Raises:
        AttributionError: a trace in two clusters, with two qualities or with
            two arrivals; a quality outside 0 to 1,000,000; an empty id; a
            reason that is no code; a submission that is not the contributor's;
            two submissions at one position; unsigned traces of which some are
            held in escrow for it and some are not.
    """
    used = _by_trace(demos, _check_demo, "demos")
    arrived = _by_trace(arrivals, _check_arrival, "arrivals")
    _check_submissions(arrived.values())
    for trace_id, demo in used.items():
        if trace_id in arrived and arrived[trace_id].cluster != demo.cluster:
            raise AttributionError(
                f"trace {trace_id}: demos put it in cluster {demo.cluster}, arrivals in "
                f"{arrived[trace_id].cluster}. Take both from the same clustering."
            )
    if not used:
        return WeightTable(METHOD, (), (), NOTHING_USED)
    qualities = _cluster_qualities(used, arrived)
    if not any(qualities.values()):
        return WeightTable(METHOD, (), (), NO_QUALITY)
    parts = largest_remainder(FULL_PPM, qualities)
    payees = _payees(set(parts), arrived.values()) | dict.fromkeys(withdrawn, WITHDRAWN)
    return _table(parts, payees, used)


def _check_demo(demo: UsedDemo) -> None:
    quality = demo.quality_ppm
    if isinstance(quality, bool) or not isinstance(quality, int) or not 0 <= quality <= FULL_PPM:
        raise AttributionError(
            f"demos: quality_ppm of trace {demo.trace_id}: expected an integer of 0 to {FULL_PPM}, "
            f"found {quality!r}. Normalise the score first."
        )


def _check_arrival(arrival: Arrival) -> None:
    moment = arrival.arrival_ms
    if isinstance(moment, bool) or not isinstance(moment, int):
        raise AttributionError(
            f"arrivals: arrival_ms of trace {arrival.trace_id}: expected whole milliseconds, found {moment!r}."
        )
    if arrival.reason is not None and not _REASON.fullmatch(arrival.reason):
        raise AttributionError(
            f"arrivals: reason of trace {arrival.trace_id}: expected a code such as 'missing', "
            f"found {arrival.reason!r}."
        )
    if arrival.reason not in (None, UNSIGNED) and _wallet(arrival) is not None:
        raise AttributionError(
            f"arrivals: trace {arrival.trace_id}: its contributor is a wallet, the reason says {arrival.reason}. "
            "Leave the reason out."
        )
    if arrival.submission and arrival.submission.contributor != _wallet(arrival):
        raise AttributionError(
            f"arrivals: trace {arrival.trace_id}: {arrival.submission.contributor} signed for it, the trace is of "
            f"{_wallet(arrival) or 'no wallet'}. Leave the submission out."
        )


def _check_submissions(arrivals: Iterable[Arrival]) -> None:
    """The log has one submission at a position, and everybody is held to sign or nobody is."""
    logged: dict[int, SignedSubmission] = {}
    held = set()
    for arrival in arrivals:
        found = arrival.submission
        if found and logged.setdefault(found.position, found.signed) != found.signed:
            raise AttributionError(f"arrivals: two submissions at position {found.position}. Take them from one log.")
        if found is None and arrival.reason in (None, UNSIGNED):
            held.add(arrival.reason)
    if len(held) > 1:
        raise AttributionError(
            f"arrivals: of the unsigned traces some are held as {UNSIGNED}, some are not. Hold all, or none."
        )


def _by_trace(rows: Iterable[Row], check: Callable[[Row], None], field: str) -> dict[str, Row]:
    """Rows by trace id, each trace once; the same row again is no contradiction."""
    found: dict[str, Row] = {}
    for row in rows:
        if not row.trace_id or not row.cluster:
            raise AttributionError(f"{field}: a row without trace id or cluster: {row!r}. Leave it out.")
        check(row)
        if found.setdefault(row.trace_id, row) != row:
            raise AttributionError(
                f"{field}: trace {row.trace_id} is given twice, differently: {found[row.trace_id]!r} and "
                f"{row!r}. Decide which holds."
            )
    return found


def _cluster_qualities(used: dict[str, UsedDemo], arrived: dict[str, Arrival]) -> dict[str, int]:
    """Per cluster, the quality of the first of its used traces (unknown arrivals last)."""
    unknown = [demo for trace_id, demo in used.items() if trace_id not in arrived]
    known = sorted(used.keys() & arrived.keys(), key=lambda trace_id: arrived[trace_id].precedence)
    qualities: dict[str, int] = {}
    for demo in (*(used[trace_id] for trace_id in known), *sorted(unknown, key=lambda demo: demo.trace_id)):
        qualities.setdefault(demo.cluster, demo.quality_ppm)
    return qualities


def _payees(clusters: set[str], arrivals: Iterable[Arrival]) -> dict[str, ContributorTag | str]:
    """Who submitted each cluster first: a resolved tag, or the reason why nobody is known."""
    first: dict[str, Arrival] = {}
    for arrival in arrivals:
        if arrival.cluster not in clusters:
            continue
        known = first.get(arrival.cluster)
        if known is None or arrival.precedence < known.precedence:
            first[arrival.cluster] = arrival
    return {cluster: _payee(first.get(cluster)) for cluster in clusters}


def _payee(arrival: Arrival | None) -> ContributorTag | str:
    if arrival is None:
        return NO_ARRIVAL
    return arrival.reason or resolve_contributor(arrival.contributor)


def _wallet(arrival: Arrival) -> str | None:
    payee = _payee(arrival)
    return payee.address if isinstance(payee, ContributorTag) else None


def _table(parts: dict[str, int], payees: dict[str, ContributorTag | str], used: dict[str, UsedDemo]) -> WeightTable:
    """Gather the clusters' parts by wallet and by escrow reason."""
    traces: dict[str, list[str]] = {}
    for demo in used.values():
        traces.setdefault(demo.cluster, []).append(demo.trace_id)
    wallets: dict[str, list[str]] = {}
    held: dict[str, list[str]] = {}
    for cluster in sorted(cluster for cluster, ppm in parts.items() if ppm):
        payee = payees[cluster]
        if isinstance(payee, ContributorTag) and payee.address is not None:
            wallets.setdefault(payee.address, []).append(cluster)
        else:
            reason = payee if isinstance(payee, str) else str(payee.reason)
            held.setdefault(reason, []).append(cluster)

    def line(clusters: list[str]) -> tuple[int, tuple[str, ...], tuple[str, ...]]:
        ppm = sum(parts[cluster] for cluster in clusters)
        return ppm, tuple(clusters), tuple(sorted(t for c in clusters for t in traces[c]))

    lines = (WeightLine(address, *line(clusters)) for address, clusters in wallets.items())
    escrow = (EscrowLine(reason, *line(clusters)) for reason, clusters in sorted(held.items()))
    return WeightTable(METHOD, tuple(sorted(lines, key=lambda one: address_order(one.address))), tuple(escrow))
