"""The traces of an attestation are found in every stored day; only withdrawn feedback is taken for withdrawn."""

from dataclasses import replace
from types import SimpleNamespace

import pyarrow as pa
import pytest

from telefine_assets.attestation.files import DEMOS, ROWS, TRAINSET
from telefine_assets.attestation.reissuing import Named, named_traces
from telefine_assets.attribution.facts import FACTS_FILE, write_facts
from telefine_assets.attribution.submissions import Scope
from telefine_assets.attribution.usage import Arrival, UsedDemo
from telefine_assets.canonical import canonical_json, canonical_lines
from telefine_assets.cli.attest_reissue import _now
from telefine_assets.cli.attested_traces import stored_traces
from telefine_assets.deltaone.correcting import CannotCorrect
from telefine_assets.ledger.connection import Ledger
from telefine_assets.settings.loading import load_settings
from telefine_assets.store.files import Files
from telefine_assets.store.kept import RemovedError
from telefine_assets.store.records import RecordStore
from telefine_assets.store.tables import MissingPartition, TableStore
from telefine_assets.traces.days import CLEANED, DROPPED, TRACES
from telefine_assets.traces.records import ERASED, cleaned_to_table, dropped_schema
from telefine_assets_tests.programs.examples import cleaned_tickets

SUNDAY, MONDAY, TUESDAY = "2026-11-01", "2026-11-02", "2026-11-03"
EARLY, LATE = (
    [replace(trace, day=day) for trace in cleaned_tickets(3, start)] for start, day in ((0, SUNDAY), (3, MONDAY))
)
IDS = [trace.trace_id for trace in (*EARLY, *LATE)]
NAMED = Named(frozenset(IDS), frozenset(IDS))


class Store:
    """Two days that were loaded and cleaned."""

    def __init__(self, folder):
        self.files = Files(str(folder))
        self.tables, self.records = TableStore(self.files), RecordStore(self.files)
        for day, traces in ((SUNDAY, EARLY), (MONDAY, LATE)):
            self.cleaned(day, traces)
            self.loaded(day, traces)

    def cleaned(self, day, traces, dropped=()):
        self.tables.write("tickets", CLEANED, day, cleaned_to_table(traces))
        rules = [{"trace_id": trace_id, "rule": rule} for trace_id, rule in dropped]
        self.tables.write("tickets", DROPPED, day, pa.Table.from_pylist(rules, dropped_schema()))
        self.records.write("tickets", CLEANED, day, {"kept": len(traces)})

    def loaded(self, day, traces):
        self.tables.write("tickets", TRACES, day, pa.table({"trace_id": [trace.trace_id for trace in traces]}))

    def remove(self, table, day):
        self.files.remove(TableStore.name("tickets", table, day))

    def found(self, named=NAMED):
        return stored_traces(self.tables, self.records, "tickets", MONDAY, named)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def ids(traces):
    return [trace.trace_id for trace in traces]


def test_every_stored_day_is_looked_through_for_what_is_named_and_none_after_the_attested_one(store):
    assert ids(store.found()) == IDS
    some = frozenset(IDS[2:4])
    assert ids(store.found(Named(some, some))) == IDS[2:4]
    # Logged again under a later time: that is not of the attested day.
    store.cleaned(TUESDAY, [replace(LATE[0], day=TUESDAY, label="{}")])
    assert store.found() == [*EARLY, *LATE]


SETTINGS = """
partitions: {{start: 2026-11-01}}
lm: {{model: openai/none, api_base: "http://127.0.0.1:9", adapter: plain}}
programs:
  tickets:
    module: telefine_assets_tests.programs.tickets:build
    experiment: tickets
    split: {{key: test}}
    compile: {{strategies: [{{strategy: labeled_few_shot}}], lookback_days: {lookback}}}
"""


@pytest.mark.parametrize("lookback", [2, 1])
def test_a_window_that_was_shortened_since_withdraws_nothing(lookback, tmp_path):
    (tmp_path / "telefine.yaml").write_text(SETTINGS.format(lookback=lookback))
    settings = load_settings(tmp_path / "telefine.yaml")
    files = Files(settings.store.uri)
    for day, traces in ((SUNDAY, EARLY), (MONDAY, LATE)):
        TableStore(files).write("tickets", CLEANED, day, cleaned_to_table(traces))
    ledger = Ledger(settings.ledger.url)
    evidence = {
        ROWS: canonical_lines({"trace_id": each} for each in IDS),
        DEMOS: canonical_json([]),
        TRAINSET: b"",
        FACTS_FILE: write_facts([], [], Scope("here", "tickets")),
    }
    now = _now(settings, SimpleNamespace(program="tickets", partition=MONDAY), ledger, evidence)
    assert ids(now.cleaned) == IDS
    ledger.close()


def test_feedback_that_was_withdrawn_is_not_found_and_nothing_else_is_wrong(store):
    # One does not pass cleaning any more, another was taken out of MLflow.
    store.cleaned(MONDAY, LATE[1:], [(IDS[3], "unlabelled")])
    store.cleaned(SUNDAY, EARLY[1:])
    store.loaded(SUNDAY, EARLY[1:])
    assert ids(store.found()) == [*IDS[1:3], *IDS[4:]]


def test_what_went_with_its_day_is_not_taken_for_withdrawn(store):
    for table in (CLEANED, TRACES):
        store.remove(table, SUNDAY)
    with pytest.raises(
        RemovedError, match=r"3 attested traces .* of 1 days up to 2026-11-01 are gone.*telefine restore"
    ):
        store.found()
    # What no item and no demo needs may be gone.
    assert ids(store.found(Named(frozenset(IDS), frozenset(IDS[3:])))) == IDS[3:]


def test_what_an_erasure_emptied_is_not_taken_for_withdrawn(store):
    store.cleaned(MONDAY, [replace(LATE[0], label_source=ERASED), *LATE[1:]])
    with pytest.raises(RemovedError, match="the words of 1 attested traces were erased"):
        store.found()


def test_what_changed_settings_moved_is_not_taken_for_withdrawn(store):
    store.cleaned(MONDAY, LATE[1:], [(IDS[3], "straddles_splits")])
    with pytest.raises(CannotCorrect, match=r"split or .* were changed.*run cleaned_traces --program tickets --day"):
        store.found()


def test_a_day_that_was_loaded_and_is_not_cleaned_yet_is_asked_for(store):
    store.remove(CLEANED, MONDAY)
    with pytest.raises(MissingPartition, match=f"run cleaned_traces --program tickets --day {MONDAY}"):
        store.found()


def test_an_attestation_needs_its_items_and_those_of_its_demos_that_were_not_inherited():
    def line(trace_id, side):
        return {"trace_id": trace_id, "side": side}

    arrivals = [Arrival("c", name, None, "missing", 1, "c") for name in ("tr-demo", "tr-copy")]
    named = named_traces(
        {
            ROWS: canonical_lines([{"trace_id": "tr-item"}]),
            DEMOS: canonical_json([{"trace_id": "tr-demo"}, {"trace_id": "tr-old"}]),
            TRAINSET: canonical_lines(
                [line("tr-demo", "train"), line("tr-old", "inherited"), line("tr-v", "validation")]
            ),
            FACTS_FILE: write_facts([UsedDemo("c", "tr-demo", 1)], arrivals, Scope("here", "tickets")),
        }
    )
    assert named.needed == {"tr-item", "tr-demo"}
    assert named.all == {"tr-item", "tr-demo", "tr-old", "tr-v", "tr-copy"}
