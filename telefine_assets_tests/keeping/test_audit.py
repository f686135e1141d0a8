"""``telefine audit``: what it shows, and that a change is named with its row."""

import json
import sqlite3
from contextlib import closing

import pytest

from telefine_assets.ledger.audit import Audit
from telefine_assets.ledger.records import AuditEntry
from telefine_assets_tests.cli.attested_home import NOON


@pytest.fixture(autouse=True)
def entries(home):
    """Four rows are there already: two attestations, each promoted."""
    log = Audit(home.ledger)
    log.append(AuditEntry("ann", "revoked", "0x1", {"reason": "wrong \x1b[2J feedback"}), NOON)
    log.append(AuditEntry("bob", "revoked", "0x2", {"reason": "leaked"}), NOON.replace(day=22))


def seqs(telefine, *arguments):
    code, out, _ = telefine("audit", "show", "--json", *arguments)
    assert code == 0
    return [row["seq"] for row in json.loads(out)]


def test_rows_are_chosen_by_who_what_to_what_and_when(telefine):
    assert seqs(telefine) == [1, 2, 3, 4, 5, 6]
    assert seqs(telefine, "--actor", "ann") == [5]
    assert seqs(telefine, "--action", "revoked") == [5, 6]
    assert seqs(telefine, "--action", "revoked", "--subject", "0x2") == [6]
    assert seqs(telefine, "--since", "2026-11-21") == [6]
    assert seqs(telefine, "--since", "2026-11-22T13:00:00+01:00") == [6]
    assert seqs(telefine, "--since", "2026-11-22T12:00:01") == []
    assert seqs(telefine, "-n", "2") == [5, 6]


def test_people_read_a_table_that_cannot_steer_their_terminal(telefine):
    code, out, _ = telefine("audit", "show", "--actor", "ann")
    assert (code, "revoked" in out, "feedback" in out, "\x1b[2J" in out) == (0, True, True, False)


def test_a_time_that_is_none_is_refused(telefine):
    code, _, err = telefine("audit", "show", "--since", "yesterday")
    assert (code, "YYYY-MM-DD" in err) == (1, True)


def test_a_whole_chain_is_told_with_its_last_digest_and_a_cut_shows_by_it(home, telefine):
    found = json.loads(telefine("audit", "verify", "--json")[1])
    assert (found["whole"], found["rows"]) == (True, 6)
    assert telefine("audit", "verify", "--last", found["last"])[0] == 0
    tamper(home, "audit_no_delete", "DELETE FROM audit WHERE seq = 6")
    assert telefine("audit", "verify")[0] == 0
    code, _, err = telefine("audit", "verify", "--last", found["last"])
    assert (code, "were cut off" in err) == (1, True)


@pytest.mark.parametrize("change", ["actor = 'eve'", "details = '{}'", "at = '2026-11-20T12:00:01Z'"])
def test_a_changed_row_is_named(home, telefine, change):
    tamper(home, "audit_no_update", f"UPDATE audit SET {change} WHERE seq = 3")
    code, out, err = telefine("audit", "verify")
    assert (code, out, "row 3 was changed" in err) == (1, "", True)
    code, out, _ = telefine("audit", "verify", "--json")
    assert (code, json.loads(out)["whole"], "row 3" in json.loads(out)["problem"]) == (1, False, True)


def test_a_removed_row_and_one_that_cannot_be_read_are_named(home, telefine):
    tamper(home, "audit_no_update", "UPDATE audit SET details = '{' WHERE seq = 3")
    code, _, err = telefine("audit", "show")
    assert (code, "telefine audit verify" in err) == (1, True)
    tamper(home, "audit_no_delete", "DELETE FROM audit WHERE seq = 2")
    code, _, err = telefine("audit", "verify")
    assert (code, "row 2 is missing" in err) == (1, True)


def tamper(home, trigger, statement):
    with closing(sqlite3.connect(home.own / "ledger.db")) as database, database:
        database.execute(f"DROP TRIGGER {trigger}")
        database.execute(statement)
