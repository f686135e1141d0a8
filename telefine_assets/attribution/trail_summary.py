"""A contributor on one page, and all of them in a list: from the records alone, whatever the number of traces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from telefine_assets.attribution.trail_days import DayRecords, Records, read_days
from telefine_assets.traces.cleaning.report import NOBODY
from telefine_assets.traces.days import CLEANED

if TYPE_CHECKING:
    from telefine_assets.attestation.standing import DayStanding


@dataclass(frozen=True)
class EarningDay:
    """A day on which a wallet has a weight.

    Attributes:
        day: the day, YYYY-MM-DD.
        candidate: the version that was weighed.
        weight_ppm: the wallet's weight: of what is in force, where the day was issued again.
        weight_before_ppm: its weight as it was attested first.
        demos: the demos that it rests on: trace_id, predictor, position.
        worth: of its contents, where demos were tried: cluster, value_ppm, error_ppm.
        uid: the attestation; None if there is none.
        outcome: what came of the day: the payout's outcome, or else the attestation's; ``revoked`` where no claim
            is in force any more, and nothing was paid before.
        amount: what the wallet gets, smallest units, as text; None where the day pays nobody.
    """

    day: str
    candidate: str
    weight_ppm: int
    weight_before_ppm: int
    demos: Sequence[Mapping[str, Any]]
    worth: Sequence[Mapping[str, Any]]
    uid: str | None
    outcome: str
    amount: str | None


@dataclass
class Summary:
    """What a contributor gave and got.

    Attributes:
        who: the wallet, or the text of a tag that names none.
        given: traces of cleaned days.
        kept: those of them that may be learnt from.
        dropped: the others, by rule.
        misspelt: traces whose tag has the wallet's digits with a wrong checksum; none of the above.
        earned: all that was ever granted, smallest units, as text.
        days: days with a weight, oldest first.
    """

    who: str
    given: int = 0
    kept: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    misspelt: int = 0
    earned: str = "0"
    days: list[EarningDay] = field(default_factory=list)

    @property
    def known(self) -> bool:
        """Whether anything is known of the contributor."""
        return bool(self.given or self.misspelt or self.days or self.earned != "0")

    def to_record(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def summary_of(
    records: Records, program: str, wallet: str, earned: int, standing: Callable[[str], DayStanding]
) -> Summary:
    """One wallet (EIP-55) on a page.

    Args:
        records: the store's.
        program: the program.
        wallet: EIP-55.
        earned: what the ledger's payouts ever granted it, smallest units.
        standing: what stands of a day's attestations.
    """
    found, dropped = Summary(wallet, earned=str(earned)), Counter[str]()
    for counts in _cleaned(records, program):
        for who, each in counts.items():
            if who == wallet:
                found.given, found.kept = found.given + each["given"], found.kept + each["kept"]
                dropped.update(each["dropped"])
            elif who.lower() == wallet.lower():
                found.misspelt += each["given"]
    found.dropped = dict(dropped)
    days = read_days(records, program, standing)
    found.days = [_earning(day, wallet) for day in days if day.weight(wallet) or day.weight_before(wallet)]
    return found


def all_of(records: Records, program: str, earned: Mapping[str, int]) -> list[Summary]:
    """Everybody who gave or earned anything, the best paid first; without rules and days.

    ``earned`` maps wallets to what they were ever granted, in smallest units.
    """
    found: dict[str, Summary] = {}
    for counts in _cleaned(records, program):
        for who, each in counts.items():
            mine = found.setdefault(who, Summary(who))
            mine.given, mine.kept = mine.given + each["given"], mine.kept + each["kept"]
    for who, amount in earned.items():
        found.setdefault(who, Summary(who)).earned = str(amount)
    return sorted(found.values(), key=lambda each: (-int(each.earned), -each.given, each.who))


def _cleaned(records: Records, program: str) -> Iterator[dict[str, Any]]:
    """Of each cleaned day what each contributor gave; traces without a tag are nobody's."""
    for day in records.days(program, CLEANED):
        record = records.find(program, CLEANED, day) or {"contributors": {}}
        yield {who: each for who, each in record["contributors"].items() if who != NOBODY}


def _earning(day: DayRecords, wallet: str) -> EarningDay:
    amount, clusters = day.amount(wallet), day.clusters(wallet)
    return EarningDay(
        day.day,
        day.compiled["candidate"],
        day.weight(wallet),
        day.weight_before(wallet),
        [demo for cluster in clusters for demo in day.demos(cluster)],
        [{"cluster": cluster} | worth for cluster in clusters if (worth := day.worth(cluster))],
        day.uid,
        _outcome(day),
        None if amount is None else str(amount),
    )


def _outcome(day: DayRecords) -> str:
    if day.unclaimed and (day.paid is None or day.paid["plan"] is None):
        return "revoked"
    decided = day.paid or day.attested
    return "not_attested_yet" if decided is None else str(decided["outcome"])
