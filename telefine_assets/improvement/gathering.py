"""What the stages and the ledger have recorded of a program in some days, and in as many days before.

Nothing is made up for a day without a record: it is missing, and missing is not
zero. No row of the holdout is read, and of a look that did not reach DeltaOne
only what its public record says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from telefine_assets.canonical import digest_of
from telefine_assets.errors import TelefineError
from telefine_assets.improvement.scores import Scores, scores_of
from telefine_assets.improvement.stages import CLEANED, COMPARED
from telefine_assets.ledger.records import Champion, RecordedPayout, Spending
from telefine_assets.partitions import window
from telefine_assets.traces.cleaning.report import NOBODY

if TYPE_CHECKING:
    import pyarrow as pa

    from telefine_assets.attestation.standing import DayStanding

Read = TypeVar("Read")


class ImprovementError(TelefineError):
    """A stored record is not what its stage writes."""


class Records(Protocol):
    """The part of ``store.records.RecordStore`` that is read here."""

    def find(self, program: str, stage: str, day: str) -> dict[str, Any] | None:
        """A day's record, or None."""
        ...


class Tables(Protocol):
    """The part of ``store.tables.TableStore`` that is read here."""

    def exists(self, program: str, table: str, day: str) -> bool:
        """Whether a day was ever written."""
        ...

    def columns(self, program: str, table: str, day: str, names: Sequence[str]) -> pa.Table:
        """Some columns of a day."""
        ...


@dataclass(frozen=True)
class Sources:
    """Where one program's facts are read."""

    records: Records
    tables: Tables
    history: Sequence[Champion]
    """Everything that was ever promoted or rolled back, oldest first."""
    spent: Callable[[str, str, str], Sequence[Spending]]
    """Of a program, from a day to a day (``Spendings.of``)."""
    granted: Callable[[str], RecordedPayout | None]
    """What the ledger says was paid on an attestation (``Payouts.of``)."""
    standing: Callable[[str], DayStanding]
    """What stands of a day now."""


@dataclass(frozen=True)
class Volume:
    """Traces of a day: ``traces = usable + sum(dropped)``."""

    traces: int
    usable: int
    dropped: Mapping[str, int]
    """By rule."""
    contributors: Mapping[str, tuple[int, int]]
    """Wallet, tag or ``(none)`` -> traces given, and usable ones among them."""


@dataclass(frozen=True)
class Tried:
    """One contender of a compile; its score is on validation items, parts per million."""

    name: str
    mean_ppm: int | None
    items: int
    failed: str | None


@dataclass(frozen=True)
class Compile:
    """What a compile came to."""

    outcome: str
    reason: str
    candidate: str | None
    winner: str | None
    tried: tuple[Tried, ...]
    demos: Mapping[str, int]
    """Contributor -> demos of theirs in the candidate."""


@dataclass(frozen=True)
class Look:
    """What a comparison came to; a gain and its interval, in ppm, only once DeltaOne is reached."""

    reached: bool
    code: str
    sentence: str
    candidate: str | None
    number: int | None
    items: int | None
    gain: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class Paid:
    """What a day's payout granted, in the smallest units of ``token``, which has so many ``decimals``."""

    token: str
    decimals: int
    wallets: Mapping[str, int]
    escrow: int


@dataclass(frozen=True)
class Day:
    """What is recorded of one day; None where its stage has not run, or had nothing to do."""

    day: str
    volume: Volume | None
    scores: Scores | None
    compile: Compile | None
    look: Look | None
    standing: DayStanding
    """What of the look is in force now, whatever it found."""
    unattested: str | None
    """Why there is no attestation, as its stage recorded it."""
    paid: Paid | None
    weights: Mapping[str, int]
    """Of the day's candidate, as far as nothing was revoked, else of what is in force.

    Wallet -> parts per million, with the escrow's under ``(none)``; empty without one.
    """
    unpaid: str | None
    """What is wrong with a payout that does not count: the ledger does not have it so."""


@dataclass(frozen=True)
class Period:
    """Some days in a row, oldest first."""

    days: tuple[Day, ...]
    promoted: tuple[Champion, ...]
    spent: tuple[Spending, ...]
    """On all but comparisons."""
    compared: int = 0
    """Questions of comparisons, whether they were asked or remembered.

    No more is told of them: how many were remembered tells on how many items two programs answer
    alike, and the tokens of a judge how often it said yes. Both are of a holdout that may be in use.
    """

    @property
    def made(self) -> list[Volume]:
        """The days whose traces were loaded and cleaned."""
        return [each.volume for each in self.days if each.volume is not None]

    @property
    def missing(self) -> list[str]:
        """The days whose traces were not."""
        return [each.day for each in self.days if each.volume is None]

    @property
    def scores(self) -> Scores:
        """The scores of all days together."""
        return sum((each.scores for each in self.days if each.scores is not None), Scores())

    @property
    def traces(self) -> int:
        """Traces of the days that were made."""
        return sum(each.traces for each in self.made)

    @property
    def usable(self) -> int:
        """Usable traces of the days that were made."""
        return sum(each.usable for each in self.made)


@dataclass(frozen=True)
class Gathered:
    """All that a report says, and nothing else: the same facts give the same report."""

    program: str
    description: str
    metric: str
    this: Period
    before: Period
    serves: Champion | None
    """What served when the last day ended; None for the first version."""

    @property
    def last(self) -> str:
        """The report's day."""
        return self.this.days[-1].day


def gather(
    program: str, description: str, metric: str, day: str, length: int, first: date, sources: Sources
) -> Gathered:
    """Read the ``length`` days that end with ``day``, and as many before; none is before ``first``.

    Raises:
        ImprovementError: ``day`` is before ``first``, or a record is not what its stage writes.
    """
    days = window(day, length, first)
    if not days:
        raise ImprovementError(f"{program}: {day} is before the first day of the deployment, {first.isoformat()}")
    earlier = window((date.fromisoformat(day) - timedelta(days=length)).isoformat(), length, first)
    serving = [each for each in sources.history if each.day <= day]
    this, before = (_period(program, each, sources) for each in (days, earlier))
    return Gathered(program, description, metric, this, before, serving[-1] if serving else None)


def _period(program: str, days: Sequence[str], sources: Sources) -> Period:
    if not days:
        return Period((), (), ())
    spent = sources.spent(program, days[0], days[-1])
    return Period(
        tuple(_day(program, day, sources) for day in days),
        tuple(each for each in sources.history if days[0] <= each.day <= days[-1]),
        tuple(each for each in spent if each.work.stage != COMPARED),
        sum(each.calls + each.remembered for each in spent if each.work.stage == COMPARED),
    )


def _day(program: str, day: str, sources: Sources) -> Day:
    def read(stage: str, parse: Callable[[dict[str, Any]], Read]) -> Read | None:
        record = sources.records.find(program, stage, day)
        try:
            return None if record is None else parse(record)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ImprovementError(
                f"{program}/{stage} {day}: its record is not what the stage writes ({error!r}); materialise it again"
            ) from error

    def payout(record: dict[str, Any]) -> tuple[Paid | None, str | None]:
        return _paid(record, (program, day), sources.granted)

    paid, unpaid = read("contributor_payouts", payout) or (None, None)
    standing = sources.standing(day)
    weights = _in_force(standing) if standing.amended else read("contributor_weights", _weights) or {}
    return Day(
        day,
        read(CLEANED, _volume),
        _scores(program, day, sources.tables),
        read("compiled_programs", _compile),
        read(COMPARED, _look),
        standing,
        read("attestations", lambda record: str(record["reason"]) if record["uid"] is None else None),
        paid,
        weights,
        unpaid,
    )


def _volume(record: Mapping[str, Any]) -> Volume:
    who = {name: (int(each["given"]), int(each["kept"])) for name, each in record["contributors"].items()}
    return Volume(int(record["traces_in"]), int(record["kept"]), dict(record["dropped"]), who)


def _scores(program: str, day: str, tables: Tables) -> Scores | None:
    if not tables.exists(program, CLEANED, day):
        return None
    return scores_of(tables.columns(program, CLEANED, day, ["score_ppm", "split"]))


def _compile(record: Mapping[str, Any]) -> Compile:
    tried = tuple(
        Tried(each["name"], each["mean_ppm"], each["n"], each["error"] or each["dropped"])
        for each in record["standings"]
    )
    outcome, reason = record["outcome"], record["reason"]
    demos = _counted(each["contributor"] or NOBODY for each in record["demos"])
    return Compile(outcome, reason, record["candidate"], record["winner"], tried, demos)


def _counted(names: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in names:
        found[name] = found.get(name, 0) + 1
    return found


def _look(record: Mapping[str, Any]) -> Look:
    view, reached = record["public"], bool(record["reached"])
    gain = (view["delta_ppm"], view["lower_ppm"], view["upper_ppm"]) if reached else None
    number, items = view.get("k"), view.get("n")
    return Look(reached, record["code"], record["sentence"], record["candidate"], number, items, gain)


def _weights(record: Mapping[str, Any]) -> dict[str, int]:
    table = record["weights"]
    found = {each["address"]: int(each["weight_ppm"]) for each in table["lines"]}
    held = sum(int(each["weight_ppm"]) for each in table["escrow"])
    return {**found, NOBODY: held} if held else found


def _in_force(standing: DayStanding) -> dict[str, int]:
    """The weights of what was issued again; none where nothing is in force."""
    if standing.in_force is None:
        return {}
    weights = standing.in_force.claim.weights
    held = sum(ppm for _, ppm in weights.escrow)
    return {**dict(weights.contributors), **({NOBODY: held} if held else {})}


def _paid(
    record: Mapping[str, Any], of: tuple[str, str], granted: Callable[[str], RecordedPayout | None]
) -> tuple[Paid | None, str | None]:
    """The payout ``of`` a program and a day, or what is wrong with it; neither where nothing was to be paid."""
    plan = record["plan"]
    if record["outcome"] != "planned":
        return None, None
    stands = granted(record["attestation"])
    if stands is None or stands.plan != digest_of(plan) or (stands.program, stands.day) != of:
        return None, "the record of its payout is not what the ledger has"
    wallets = {each["address"]: int(each["amount"]) for each in plan["payments"]}
    return Paid(stands.token.name, stands.token.decimals, wallets, sum(int(e["amount"]) for e in plan["escrow"])), None
