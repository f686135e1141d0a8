"""A day is attested and paid once, wherever a run dies and however many run at the same time."""

import shutil
from contextlib import contextmanager
from multiprocessing import get_context

import pytest
from sqlalchemy import text

from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.schema import metadata
from telefine_assets.store.files import Files
from telefine_assets_tests.cli.attested_home import ALICE, BOB, MONDAY, TUESDAY, PaidHome

CONTRIBUTORS = [ALICE, BOB, "carol.eth"]


class Killed(BaseException):
    """The process is gone."""


class Writes:
    """Counts what is written, to files and to the ledger, and dies between two of these writes."""

    def __init__(self, monkeypatch, dies_after=None):
        self.count, self.dies_after = 0, dies_after
        write, writing = Files.write, Ledger.writing

        def counted_write(files, name, content):
            self.one()
            write(files, name, content)

        @contextmanager
        def counted_writing(ledger):
            self.one()
            with writing(ledger) as connection:
                yield connection

        monkeypatch.setattr(Files, "write", counted_write)
        monkeypatch.setattr(Ledger, "writing", counted_writing)

    def one(self):
        if self.count == self.dies_after:
            raise Killed
        self.count += 1


def run(folder):
    home = PaidHome(folder)
    home.attest(MONDAY, CONTRIBUTORS)
    home.pay(MONDAY)


def state_of(folder):
    """Every file of the store and every row of the ledger."""
    home = PaidHome(folder)
    store = folder / ".telefine" / "store"
    files = {str(path.relative_to(store)): path.read_bytes() for path in store.rglob("*") if path.is_file()}
    with home.ledger.reading() as connection:
        rows = {
            table.name: connection.execute(text(f"SELECT * FROM {table.name} ORDER BY 1, 2")).all()
            for table in metadata.sorted_tables
            if len(table.columns) > 1
        }
    home.ledger.close()
    return files, rows


@pytest.fixture
def undisturbed(tmp_path):
    folder = tmp_path / "undisturbed"
    folder.mkdir()
    run(folder)
    return state_of(folder)


def test_a_run_that_dies_between_any_two_writes_and_runs_again_ends_in_the_same_bytes(
    undisturbed, tmp_path, monkeypatch
):
    files, rows = undisturbed
    assert len(rows["payouts"]) == 1
    assert len(rows["log_leaves"]) == 2
    with monkeypatch.context() as patch:
        whole = Writes(patch)
        (tmp_path / "counted").mkdir()
        run(tmp_path / "counted")
    assert whole.count > 10
    for at in range(whole.count):
        folder = tmp_path / "dying"
        folder.mkdir()
        with monkeypatch.context() as patch:
            Writes(patch, at)
            with pytest.raises(Killed):
                run(folder)
        run(folder)
        assert state_of(folder) == (files, rows), at
        shutil.rmtree(folder)


def _run_many(folder, barrier):
    home = PaidHome(folder)
    for day in (MONDAY, TUESDAY):
        barrier.wait()
        home.attest(day, CONTRIBUTORS)
        home.pay(day)


def test_processes_that_run_the_same_days_at_once_make_one_payout_one_leaf_and_one_uid_of_each(tmp_path):
    context = get_context("spawn")
    barrier = context.Barrier(4)
    PaidHome(tmp_path).ledger.close()
    each = [context.Process(target=_run_many, args=(tmp_path, barrier)) for _ in range(4)]
    for process in each:
        process.start()
    for process in each:
        process.join(120)
    assert [process.exitcode for process in each] == [0] * 4
    _, rows = state_of(tmp_path)
    assert len({row.attestation for row in rows["payouts"]}) == len(rows["payouts"]) == 2
    assert [row.position for row in rows["log_leaves"]] == [0, 1, 2]
    assert len({row.leaf for row in rows["log_leaves"]}) == 3
