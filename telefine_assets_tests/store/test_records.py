"""Records: one document for each program, stage and day."""

import pytest

from telefine_assets.canonical import digest_of
from telefine_assets.store.files import Files
from telefine_assets.store.records import BrokenRecord, RecordStore
from telefine_assets.store.tables import MissingPartition

DAY = "2026-11-02"


@pytest.fixture
def records(tmp_path):
    return RecordStore(Files(str(tmp_path)))


def test_what_was_written_is_read(records):
    record = {"outcome": "nothing", "reason": "zu früh", "weights": [1, None, {"a": True}]}
    assert records.write("tickets", "attestations", DAY, record) == digest_of(record)
    assert records.read("tickets", "attestations", DAY) == record


def test_the_same_record_has_the_same_digest_whatever_the_order_of_its_keys(records):
    first = records.write("tickets", "attestations", DAY, {"a": 1, "b": 2})
    assert records.write("tickets", "attestations", DAY, {"b": 2, "a": 1}) == first


def test_a_stage_that_has_not_run_has_no_record(records):
    assert records.find("tickets", "attestations", DAY) is None
    said = (
        f"tickets/attestations has no record for {DAY}; make it first: "
        f"telefine run attestations --program tickets --day {DAY}"
    )
    with pytest.raises(MissingPartition, match=f"^{said}$"):
        records.read("tickets", "attestations", DAY)


def test_programs_stages_and_days_do_not_share_records(records):
    for program, stage, day in (("a", "s", DAY), ("b", "s", DAY), ("a", "t", DAY), ("a", "s", "2026-11-01")):
        records.write(program, stage, day, {"of": [program, stage, day]})
    assert records.read("a", "s", DAY) == {"of": ["a", "s", DAY]}
    assert records.days("a", "s") == ["2026-11-01", DAY]


def test_a_record_that_cannot_be_hashed_leaves_the_old_one(records):
    records.write("a", "s", DAY, {"score": 1})
    with pytest.raises(ValueError, match=r"NaN|nan"):
        records.write("a", "s", DAY, {"score": float("nan")})
    assert records.read("a", "s", DAY) == {"score": 1}


@pytest.mark.parametrize(
    ("content", "wrong"),
    [(b"", "is no JSON"), (b'{"a', "is no JSON"), (b"\xff", "is no JSON"), (b"[{}]", "is no object")],
)
def test_what_is_no_record_is_named_with_what_makes_it_again(tmp_path, records, content, wrong):
    Files(str(tmp_path)).write(f"records/tickets/traces/{DAY}.json", content)
    cure = f"telefine run traces --program tickets --day {DAY}"
    said = f"the record of tickets/traces for {DAY} {wrong}; make it again: {cure}"
    for read in (records.find, records.read):
        with pytest.raises(BrokenRecord, match=f"^{said}$"):
            read("tickets", "traces", DAY)


def test_what_a_record_lacks_is_named_wherever_it_lacks(records):
    records.write("tickets", "traces", DAY, {"inner": [{"there": 1}]})
    record = records.read("tickets", "traces", DAY)
    for lacking in (record, record | {"more": 1}, record["inner"][0]):
        with pytest.raises(BrokenRecord, match=f"^the record of tickets/traces for {DAY} lacks 'gone'; make it again"):
            lacking["gone"]
        assert lacking.get("gone") is None
