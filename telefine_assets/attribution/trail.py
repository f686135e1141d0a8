"""The audit trail of a contributor: each trace that he gave, what became of it, and why it was paid or not.

Everything is read from stored tables and records; nothing is weighed again. Who
was first is told as attribution tells it, with all stored days in view, where a
day's weights saw their window alone: what the weights say of a cluster stands.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from telefine_assets.attribution.trail_codes import CREDITED, MEANINGS, Code, best
from telefine_assets.attribution.trail_days import DayRecords, Share, read_days
from telefine_assets.attribution.usage import Arrival
from telefine_assets.traces.cleaning.rules import RULES
from telefine_assets.traces.days import CLEANED, TRACES
from telefine_assets.traces.giving import Given, Kept, given_by, kept_of, rules_of

if TYPE_CHECKING:
    from telefine_assets.attestation.standing import DayStanding
    from telefine_assets.attribution.arrivals import Register
    from telefine_assets.traces.inspecting import Stored


@dataclass(frozen=True)
class Use:
    """A day whose candidate shows the trace's content.

    Attributes:
        day: the day, YYYY-MM-DD.
        candidate: the candidate's version.
        code: what came of it for the contributor.
        demos: the demos that show it: trace_id, predictor, position.
        weight_ppm: what the line that it is part of weighs.
        clusters: how many contents that line is for.
        held: why its share is in escrow, as a code.
        worth: ``value_ppm`` and ``error_ppm`` of the content, where demos were tried.
        uid: the day's attestation.
        amount: what the contributor gets for the whole day, smallest units, as text.
        reason: what the stage says that decided.
    """

    day: str
    candidate: str
    code: Code
    demos: Sequence[Mapping[str, Any]]
    weight_ppm: int
    clusters: int
    held: str | None
    worth: Mapping[str, Any] | None
    uid: str | None
    amount: str | None
    reason: str | None


@dataclass(frozen=True)
class TraceLine:
    """One trace of a contributor.

    Attributes:
        trace_id: the trace.
        day: its day.
        code: what became of it; of several candidates, the best for the contributor.
        told: the same in words.
        rule: the cleaning rule that dropped it.
        side: its side of the split.
        cluster: its content cluster.
        first: the trace of that cluster that was first, where it is another one.
        first_of: that one's wallet; None unless it is the contributor's own, or
            stands in an attestation for everybody to read.
        submission: position of its signed submission in the log of arrivals.
        uses: days whose candidates show its content, oldest first.
    """

    trace_id: str
    day: str
    code: Code
    told: str
    rule: str | None = None
    side: str | None = None
    cluster: str | None = None
    first: str | None = None
    first_of: str | None = None
    submission: int | None = None
    uses: Sequence[Use] = ()

    def to_record(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Trail:
    """Where the trail of one program's contributors is read.

    Attributes:
        stored: tables and records.
        register: where signed submissions are looked up.
        tag: name of the contributor's tag.
        standing: what stands of a day's attestations.
    """

    stored: Stored
    register: Register
    tag: str
    standing: Callable[[str], DayStanding]

    def why(self, wallet: str, days: Collection[str]) -> Iterator[TraceLine]:
        """What became of each trace that names a wallet (EIP-55), by day and time."""
        tables, program = self.stored.tables, self.stored.program
        loaded = [day for day in tables.days(program, TRACES) if day in days]
        given = sorted(given_by(self.stored, loaded, self.tag, wallet), key=lambda each: (each.day, each.time_ms))
        cleaned = tables.days(program, CLEANED)
        by_day: dict[str, list[str]] = {}
        for each in given:
            by_day.setdefault(each.day, []).append(each.trace_id)
        kept: dict[str, Kept] = {}
        rules: dict[str, str] = {}
        for day in by_day.keys() & set(cleaned):
            kept |= {each.trace_id: each for each in kept_of(self.stored, day, "trace_id", by_day[day])}
            rules |= rules_of(self.stored, day, by_day[day])
        owners = self._owners(wallet, {each.cluster for each in kept.values() if each.split == "train"}, cleaned)
        for each in given:
            yield _line(each, kept.get(each.trace_id), rules.get(each.trace_id), owners)

    def _owners(self, wallet: str, clusters: Collection[str], days: Sequence[str]) -> Owners:
        arrived: dict[str, list[Arrival]] = {cluster: [] for cluster in clusters}
        kept = [each for day in days for each in kept_of(self.stored, day, "cluster", clusters)]
        for arrival in self.register.arrivals(kept):
            arrived[arrival.cluster].append(arrival)
        return Owners(wallet, read_days(self.stored.records, self.stored.program, self.standing), arrived)


class Owners:
    """Whose the contents are that a contributor gave."""

    def __init__(self, wallet: str, days: Sequence[DayRecords], arrived: Mapping[str, Iterable[Arrival]]) -> None:
        """Take the weighed days, and all arrivals of each cluster."""
        self.wallet, self._days, self._arrived = wallet, days, arrived
        self._public = {address for day in days for address in day.public}
        self._shown: dict[str, list[DayRecords]] = {}
        for day in days:
            for cluster in {demo["cluster"] for demo in day.compiled["demos"]}:
                self._shown.setdefault(cluster, []).append(day)

    def uses(self, cluster: str) -> list[Use]:
        """The days whose candidates show a cluster."""
        return [_use(day, cluster, self.wallet) for day in self._shown.get(cluster, ())]

    def first(self, cluster: str, uses: Sequence[Use]) -> Arrival:
        """The first trace of a cluster; among the contributor's own, once the cluster is weighed as his."""
        arrived = sorted(self._arrived[cluster], key=lambda each: each.precedence)
        own = [each for each in arrived if each.contributor == self.wallet]
        return own[0] if any(use.code in CREDITED for use in uses) else arrived[0]

    def submission(self, cluster: str, trace_id: str) -> int | None:
        """Where a trace's signed submission stands in the log."""
        found = next(each for each in self._arrived[cluster] if each.trace_id == trace_id)
        return found.submission.position if found.submission else None

    def named(self, address: str | None) -> str | None:
        """A wallet, if it may be named to the contributor."""
        return address if address == self.wallet or address in self._public else None


def _use(day: DayRecords, cluster: str, wallet: str) -> Use:
    share, amount = day.share(cluster), day.amount(wallet)
    code, reason = _judged(day, share, wallet)
    return Use(
        day.day,
        day.compiled["candidate"],
        code,
        day.demos(cluster),
        share.weight_ppm,
        share.clusters,
        share.held,
        day.worth(cluster),
        day.uid,
        str(amount) if code is Code.PAID else None,
        reason,
    )


def _judged(day: DayRecords, share: Share, wallet: str) -> tuple[Code, str | None]:
    """How far a cluster came on a day: the first thing that stands in the way, and who says so."""
    if share.held is not None:
        return Code.IN_ESCROW, share.held
    if share.payee is None:
        return Code.NO_WEIGHT, day.weighed["weights"]["reason"]
    if share.payee != wallet:
        return Code.COPY, None
    if day.attested is None:
        return Code.NOT_ATTESTED_YET, None
    if day.uid is None:
        return Code.NOT_REACHED, day.attested["reason"]
    amount = day.amount(wallet)
    if amount is None and day.unclaimed:
        return Code.NOT_PAID, "what was attested was revoked, and no claim is in force"
    if day.paid is None:
        return Code.NOT_PAID_YET, None
    if amount is None:
        return Code.NOT_PAID, day.paid["reason"]
    if not amount and day.paid_before:
        return Code.NOT_PAID, "the day was paid before its weights were corrected, and is paid once"
    return (Code.PAID, None) if amount else (Code.BELOW_DUST, None)


def _line(given: Given, kept: Kept | None, rule: str | None, owners: Owners) -> TraceLine:
    """The line of one trace: the first of all that can become of it."""
    if rule is not None:
        return TraceLine(given.trace_id, given.day, Code.DROPPED, f"{MEANINGS[Code.DROPPED]}: {RULES[rule]}", rule)
    if kept is None or (given.reason is None and kept.contributor != owners.wallet):
        return TraceLine(given.trace_id, given.day, Code.NOT_CLEANED, MEANINGS[Code.NOT_CLEANED])
    if kept.split != "train":
        code = Code.HELD_OUT if kept.split == "holdout" else Code.VALIDATION
        return TraceLine(given.trace_id, given.day, code, MEANINGS[code], side=kept.split, cluster=kept.cluster)
    if given.reason is not None:
        told = f"{MEANINGS[Code.UNRESOLVED]} ({given.reason})"
        return TraceLine(given.trace_id, given.day, Code.UNRESOLVED, told, side=kept.split, cluster=kept.cluster)
    return _of_content(given, kept, owners)


def _of_content(given: Given, kept: Kept, owners: Owners) -> TraceLine:
    uses = owners.uses(kept.cluster)
    first = owners.first(kept.cluster, uses)
    earlier = None if first.trace_id == given.trace_id else first.trace_id
    code = Code.COPY if earlier else best(use.code for use in uses)
    first_of = owners.named(first.contributor) if earlier else None
    return TraceLine(
        given.trace_id,
        given.day,
        code,
        _told(code, earlier, first_of, uses),
        side=kept.split,
        cluster=kept.cluster,
        first=earlier,
        first_of=first_of,
        submission=owners.submission(kept.cluster, given.trace_id),
        uses=uses,
    )


def _told(code: Code, first: str | None, first_of: str | None, uses: Sequence[Use]) -> str:
    if first is not None:
        return f"{MEANINGS[code]}: {first}" + (f", of {first_of}" if first_of else "")
    decided = [use for use in uses if use.code is code]
    if not decided:
        return MEANINGS[code]
    use = decided[-1]
    told = f"{MEANINGS[code]} (candidate {use.candidate[:12]} of {use.day}"
    told += f", {use.weight_ppm} ppm for {use.clusters} of your contents" if use.weight_ppm and not use.held else ""
    told += f", worth {use.worth['value_ppm']} +- {use.worth['error_ppm']} ppm an item" if use.worth else ""
    return told + (f"): {use.reason}" if use.reason else ")")
