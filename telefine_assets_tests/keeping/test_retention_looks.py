"""What retention leaves: a day is what it was, or refused; no look is taken twice, and the next one can be taken."""

import os
import shutil
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telefine_assets.assets.line import Line
from telefine_assets.assets.windows import cleaned_window
from telefine_assets.keeping.retention import Rules, apply, plan, read_plan
from telefine_assets.ledger.connection import Ledger
from telefine_assets.observing.observer import UNOBSERVED
from telefine_assets.partitions import daily
from telefine_assets.programs.compiling import earlier_of
from telefine_assets.programs.spec import load_spec
from telefine_assets.programs.teaching import teacher_for
from telefine_assets.programs.versions import Version
from telefine_assets.resources.storage import LedgerResource, StoreResource
from telefine_assets.settings.retention import RetentionSettings
from telefine_assets.settings.schema import PartitionSettings
from telefine_assets.store.files import Files
from telefine_assets.store.kept import RemovedError, kept_from
from telefine_assets.traces.records import cleaned_to_table
from telefine_assets_tests.deltaone.house import SPEC, WORSE, House
from telefine_assets_tests.knn_lm import knn_lm
from telefine_assets_tests.programs.examples import LABELED, cleaned_tickets, program_settings

FIRST, DAYS, LOOKBACK = date(2026, 10, 1), 7, 2
BETTER, NONE = {}, {"demos": None}
COMPILED = (WORSE, NONE, {"demos": 1, "seed": 5}, BETTER, WORSE, NONE, NONE)
"""The candidates of the days. The fourth reaches DeltaOne, and ends the epoch of two that did not."""


def day(number: int) -> str:
    return (FIRST + timedelta(days=number)).isoformat()


class Kept:
    """A deployment in a folder, whose days are made as its assets make them."""

    def __init__(self, folder: Path, knn) -> None:
        self.house = House(folder, knn)
        self.files = Files(str(folder / "store"))
        self.store = StoreResource(uri=str(folder / "store"))
        self.ledger = LedgerResource(url=f"sqlite:///{folder / 'ledger.db'}")
        program = program_settings(compile={"strategies": [LABELED], "lookback_days": LOOKBACK})
        partitions = daily(PartitionSettings(start=FIRST))
        self.line = Line("tickets", program, FIRST, None, partitions, "kept", UNOBSERVED)

    def clean(self, number: int) -> None:
        """Give a day 110 traces that no other day has."""
        rows = cleaned_to_table(cleaned_tickets(110, start=1000 * number))
        self.store.tables.write("tickets", "cleaned_traces", day(number), rows)

    def compile(self, number: int, **candidate) -> None:
        """Record the compile of a day, as if its strategy had come to that candidate, taught by a first version."""
        put, versions = self.store.evidence.put, self.house.compiled(**candidate)
        trainset = put(f'{{"cluster":"{number}","side":"train"}}\n'.encode())
        document = self.store.evidence.get(versions["baseline"]).replace(b'"tickets"', b'"senior%d"' % number)
        teacher = {"program": "tickets", "version": put(document), "since": None}
        record = {**versions, "teacher": teacher, "demos": [], "evidence": {"trainset.jsonl": trainset}}
        self.store.records.write("tickets", "compiled_programs", day(number), record)

    def look(self, number: int) -> dict:
        """What the stage of a day stores."""
        window = cleaned_window(self.line, self.store, self.ledger, day(number))
        compiled = self.store.records.read("tickets", "compiled_programs", day(number))
        record = self.house.record(day(number), window.traces, compiled)
        self.store.records.write("tickets", "deltaone_reports", day(number), record)
        return record

    def assert_compiles_from_all(self, number: int) -> None:
        """A compile of that day has all that was there when it was made."""
        records, evidence = self.store.records, self.store.evidence.get
        compiled = [records.read("tickets", "compiled_programs", day(each)) for each in range(number, -1, -1)]
        earlier = earlier_of(compiled[1:], Version(evidence(compiled[0]["baseline"])), evidence)
        assert earlier.lost is None
        spec = load_spec("tickets", self.line.settings)
        teacher_for(spec, SPEC, day(number), records, None, evidence, {})

    def retain(self, limits: RetentionSettings, now: datetime) -> None:
        """Remove what may go."""
        for path in self.house.folder.joinpath("store").rglob("*"):
            os.utime(path, (0, 0))
        ledger = Ledger(self.ledger.url)
        rules = Rules(limits, {"tickets": LOOKBACK}, {"tickets": 0})
        found = plan(rules, ledger, self.files, [], now)
        apply(read_plan(found.to_bytes()), found, self.files, [], now, lambda items, _what: items)
        ledger.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A deployment with its days, to be copied; and its model."""
    folder = tmp_path_factory.mktemp("looks")
    with ExitStack() as stack:
        knn = stack.enter_context(knn_lm())
        kept, records = Kept(folder, knn), []
        for number, candidate in enumerate(COMPILED):
            kept.clean(number)
            kept.compile(number, **candidate)
            records.append(kept.look(number))
        codes = ["not_reached", "no_candidate", "not_reached", "reached", "not_reached", "no_candidate", "no_candidate"]
        assert [record["code"] for record in records] == codes
        yield folder, knn, records


limits = st.none() | st.integers(1, 10)


@given(traces=limits, artifacts=limits, nows=st.lists(st.integers(DAYS, 18), min_size=1, max_size=2).map(sorted))
@settings(max_examples=6, deadline=None)
def test_whatever_went_each_day_is_what_it_was_or_refused_and_the_next_look_is_taken(made, traces, artifacts, nows):
    template, knn, records = made
    with TemporaryDirectory() as folder:
        kept = Kept(Path(shutil.copytree(template, Path(folder) / "home")), knn)
        for now in nows:
            at = datetime.fromisoformat(f"{day(now)}T12:00:00").replace(tzinfo=UTC)
            kept.retain(RetentionSettings(traces_days=traces, artifacts_days=artifacts), at)
        taken, first = kept.house.looks(), kept_from(kept.store.records, "tickets")
        for number, record in enumerate(records):
            cut = kept.line.window(day(number))[0] < first
            if cut and not record["reached"]:
                with pytest.raises(RemovedError, match="retention removed what is before"):
                    kept.look(number)
                continue
            assert kept.look(number) == record
            if not cut:
                kept.assert_compiles_from_all(number)
        assert kept.house.looks() == taken
        for number in (nows[-1] + 1, nows[-1] + 2):
            kept.clean(number)
            kept.compile(number, **WORSE)
        following = kept.look(nows[-1] + 2)
        assert (following["code"], following["public"]["k"]) == ("not_reached", 2)
        assert len(kept.house.looks()) == len(taken) + 1


@pytest.mark.parametrize("limits", [{"traces_days": 10}, {"artifacts_days": 10}])
def test_a_day_that_would_be_made_from_less_is_refused_even_when_its_traces_are_loaded_again(made, tmp_path, limits):
    template, knn, records = made
    kept = Kept(Path(shutil.copytree(template, tmp_path / "home")), knn)
    kept.retain(RetentionSettings(**limits), datetime(2026, 10, 13, 12, tzinfo=UTC))
    assert kept_from(kept.store.records, "tickets") == day(2)
    for number in (0, 1):
        kept.clean(number)
    for number in (0, 1, 2):
        with pytest.raises(RemovedError, match=rf"tickets: {day(number)} looks back to .*telefine restore"):
            kept.look(number)
    assert [kept.look(number) for number in (3, 4)] == records[3:5]


def test_nothing_is_refused_where_nothing_of_the_program_went(made, tmp_path):
    template, knn, records = made
    kept = Kept(Path(shutil.copytree(template, tmp_path / "home")), knn)
    kept.retain(RetentionSettings(traces_days=60, artifacts_days=60), datetime(2026, 10, 13, tzinfo=UTC))
    assert kept_from(kept.store.records, "tickets") == ""
    assert [kept.look(number) for number in range(DAYS)] == records
