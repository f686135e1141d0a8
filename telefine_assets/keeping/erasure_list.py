"""Whose words must not come back: a list in the store, and what a restored backup brought back all the same.

No backup's manifest names the list, and no restore replaces it: all machines of a deployment see
the same one. A place with backups has a copy, which a restore adds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from telefine_assets.attribution.addresses import AddressError, require_wallet
from telefine_assets.canonical import canonical_json
from telefine_assets.keeping.manifest import KeepingError
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.erasures import EVIDENCE, TRACE, Erasures
from telefine_assets.store.evidence import EvidenceStore
from telefine_assets.store.files import Files
from telefine_assets.store.tables import TableStore
from telefine_assets.strangers_json import parse
from telefine_assets.traces.days import TRACES
from telefine_assets.traces.records import ERASED

FILE = "erased.json"


@dataclass(frozen=True)
class Last:
    """A contributor's last erasure.

    Attributes:
        at_ms: when, in Unix milliseconds.
        reason: why; none of the words.
    """

    at_ms: int
    reason: str

    def __post_init__(self) -> None:
        if type(self.at_ms) is not int or not 0 <= self.at_ms < 2**53 or not isinstance(self.reason, str):
            raise ValueError(f"an erasure has a time and a reason, found {self}")


@dataclass(frozen=True)
class CameBack:
    """What stands in the deployment although it was erased.

    Attributes:
        whose: whose words, EIP-55, each with the reason for which they were erased.
        said: what stands where, in words; none where all is well.
    """

    whose: Mapping[str, str]
    said: tuple[str, ...]


def remember(files: Files, more: Mapping[str, Last]) -> None:
    """Add contributors' (EIP-55) erasures to the list of a store or of a place with backups; the last of each stays.

    Raises:
        KeepingError: the list that is there cannot be read.
    """
    known = remembered(files)
    newer = {who: last for who, last in more.items() if who not in known or known[who].at_ms < last.at_ms}
    if newer:
        files.write(FILE, canonical_json({who: asdict(last) for who, last in (known | newer).items()}))


def remembered(files: Files) -> dict[str, Last]:
    """Whose words were erased, and when last.

    Raises:
        KeepingError: the list cannot be read.
    """
    content = files.read(FILE)
    try:
        found = parse(content or b"{}")
        return {require_wallet(who, FILE): Last(**last) for who, last in found.items()}
    except (ValueError, TypeError, AttributeError, AddressError) as error:
        raise KeepingError(
            f"{FILE} in {files.path('')} cannot be read: put back the one that lies beside the backups; or remove it "
            "there, if the ledger is the newest"
        ) from error


def came_back(ledger: Ledger, files: Files, programs: Iterable[str]) -> CameBack:
    """What stands in the deployment although it was erased.

    Raises:
        KeepingError: the list cannot be read.
    """
    erasures, known = Erasures(ledger), remembered(files)
    last = erasures.last_ms()
    older = sorted(who for who, each in known.items() if last.get(who, 0) < each.at_ms)
    evidence, traces = erasures.asked(EVIDENCE), erasures.asked(TRACE)
    store = EvidenceStore(files)
    files_back = [each for each in sorted(evidence) if store.is_there(each)]
    days, traces_back = _loaded_again(TableStore(files), programs, traces.keys())
    said = [f"the ledger is older than the erasure of what {each} said" for each in older]
    if files_back:
        said.append(f"{len(files_back)} files of evidence that were to be erased are there, {files_back[0]} for one")
    if days:
        said.append(f"traces that were erased were loaded again: {', '.join(days)}")
    asked = [*(evidence[each] for each in files_back), *(traces[each] for each in traces_back)]
    whose = {each.contributor: each.reason for each in asked} | {each: known[each].reason for each in older}
    return CameBack(dict(sorted(whose.items())), tuple(said))


def _loaded_again(tables: TableStore, programs: Iterable[str], traces: Iterable[str]) -> tuple[list[str], set[str]]:
    """The days on which traces stand that were erased, and those traces."""
    erased, days, found = {*traces}, [], set()
    for program in programs if erased else ():
        for day in tables.days(program, TRACES):
            rows = tables.columns(program, TRACES, day, ("trace_id", "fingerprint")).to_pylist()
            back = {row["trace_id"] for row in rows if row["trace_id"] in erased and row["fingerprint"] != ERASED}
            days += [f"{program} {day}"] if back else []
            found |= back
    return days, found
