"""A ledger that an older Telefine wrote: it is carried forward with all that it says, or left as it was."""

import hashlib
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from telefine_assets.attestation.log import MerkleLog, leaf_hash
from telefine_assets.ledger import schema
from telefine_assets.ledger.answers import Answers
from telefine_assets.ledger.audit import Audit
from telefine_assets.ledger.connection import Ledger, LedgerError
from telefine_assets.ledger.log import LogLeaves
from telefine_assets.ledger.migrating import migrate, standing, upgrade
from telefine_assets.ledger.spool import Spool
from telefine_assets_tests.ledger.stranger import Stranger
from telefine_assets_tests.ledger.workers import say, told, workers

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
OLD = (Path(__file__).parent / "schema6.sql").read_text(encoding="utf-8")
"""What the code of schema 6 wrote, through everything that writes to a ledger: SQLite's own dump of it."""
ROOT = "4c496065cd58ffa8d58523d43bb540b2a85338a3b198e44b3ee17f1602fd9cbe"
AUDITED = "4064c7918efe46004cf179669184c6a360b819d8812859922b388008b6abb04a"
SPOOLED = [
    '{"name": "trace 3", "says": "words of somebody"}',
    '{"name": "later", "says": "Grüße — it\'s 50 % \\ "quoted""}',
]


def statements():
    """The dump's statements; a text in one may hold lines and semicolons."""
    waiting = ""
    for line in OLD.splitlines(keepends=True):
        waiting += line
        if sqlite3.complete_statement(waiting):
            yield waiting.strip()
            waiting = ""


def make_old(url):
    """Put the ledger of schema 6 at ``url``: in PostgreSQL its rows, in the tables that the revision makes."""
    if url.startswith("sqlite"):
        file = Path(url.removeprefix("sqlite:///"))
        file.parent.mkdir(exist_ok=True)
        with closing(sqlite3.connect(file)) as database:
            database.executescript(OLD)
        return
    make_with_revisions(url, 6)
    with closing(Stranger(url)) as stranger:
        for statement in statements():
            if statement.startswith("INSERT") and '"ledger_version"' not in statement:
                stranger.run(statement.replace(":", "\\:"))
        for table in ("looks", "champions", "payouts", "alerts", "alert_attempts", "lm_spending"):
            stranger.run(f"SELECT setval(pg_get_serial_sequence('{table}', 'seq'), (SELECT max(seq) FROM {table}))")


def make_with_revisions(url, last):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("telefine_assets.ledger.migrating.SCHEMA_VERSION", last)
        Ledger(url, lambda connection: upgrade(connection, None)).close()


@pytest.fixture
def old_url(empty_url):
    make_old(empty_url)
    return empty_url


def shape_of(url):
    """All that the database itself says of its tables: columns, keys, indexes, triggers and what those run."""
    with closing(Ledger(url, lambda _: None)) as ledger, ledger.reading() as connection:
        found = inspect(connection)
        tables = {
            table: {
                "columns": [
                    (each["name"], repr(each["type"]), each["nullable"], str(each["default"]))
                    for each in found.get_columns(table)
                ],
                "key": found.get_pk_constraint(table),
                "unique": sorted(map(repr, found.get_unique_constraints(table))),
                "indexes": sorted(map(repr, found.get_indexes(table))),
            }
            for table in sorted(found.get_table_names())
        }
        if ledger.dialect.name == "sqlite":
            queries = ["SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name"]
        else:
            queries = [
                "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY tgname",
                "SELECT proname, prosrc FROM pg_proc WHERE proname LIKE 'telefine%' ORDER BY proname",
            ]
        return tables, [connection.execute(text(query)).all() for query in queries]


def rows_of(url, table, columns="*"):
    with closing(Stranger(url)) as stranger:
        return sorted(map(repr, stranger.run(f"SELECT {columns} FROM {table}").mappings()))


def kept_columns(url):
    """The columns of each table whose rows stay as they are; the audit log and the versions get a row each."""
    tables = shape_of(url)[0]
    names = {table: [each[0] for each in shape["columns"]] for table, shape in tables.items()}
    names["spool_traces"].remove("body")
    quoted = {table: ", ".join(f'"{name}"' for name in some) for table, some in names.items()}
    return {table: some for table, some in quoted.items() if table not in ("audit", "ledger_version")}


def test_a_fresh_ledger_is_what_the_revisions_make_of_none_and_of_the_first_one(new_url, url):
    from_nothing, from_old = new_url("empty"), new_url("empty")
    Ledger(url).close()
    make_with_revisions(from_nothing, schema.SCHEMA_VERSION)
    make_old(from_old)
    migrate(from_old, "ann", NOON)
    assert shape_of(url) == shape_of(from_nothing) == shape_of(from_old)
    assert len(shape_of(url)[1][0]) > len(schema.metadata.tables)


def test_the_first_revision_is_frozen(tmp_path):
    made, real = f"sqlite:///{tmp_path}/made.db", f"sqlite:///{tmp_path}/real.db"
    make_with_revisions(made, 6)
    make_old(real)
    assert shape_of(made) == shape_of(real)


def test_a_migrated_ledger_says_all_that_it_said(old_url):
    columns = kept_columns(old_url)
    before = {table: rows_of(old_url, table, some) for table, some in columns.items()}
    with closing(Stranger(old_url)) as stranger:
        spooled = stranger.run("SELECT identity, body FROM spool_traces ORDER BY identity").all()
    assert all(before.values())
    assert [each.version for each in migrate(old_url, "ann", NOON).steps] == [*range(7, schema.SCHEMA_VERSION + 1)]

    assert {table: rows_of(old_url, table, some) for table, some in columns.items()} == before
    with closing(Stranger(old_url)) as stranger:
        assert stranger.run("SELECT identity, body FROM spool_bodies ORDER BY identity").all() == spooled
        assert SPOOLED[1] in [row.body for row in spooled]
    with closing(Ledger(old_url)) as ledger:
        rows = Audit(ledger).rows()
        assert Audit(ledger).verify(AUDITED) == len(rows)
        assert (rows[-2].digest, rows[-1].actor) == (AUDITED, "ann")
        assert rows[-1].details == {"from": 6, "to": schema.SCHEMA_VERSION}
        assert MerkleLog(map(leaf_hash, LogLeaves(ledger).leaves())).root().hex() == ROOT
        assert [each.body for each in Spool(ledger).waiting("triage", 9)] == SPOOLED
        assert [each.trace.position for each in Spool(ledger).refused("triage")] == [2]
        assert Answers(ledger).find(hashlib.sha256(b"question").hexdigest()) == json.dumps(
            {"choices": ["it's: a; b\nc"]}
        )


def test_an_older_ledger_is_left_alone_until_somebody_migrates_it(old_url):
    before = shape_of(old_url)
    with pytest.raises(LedgerError, match=r"has schema 6, this Telefine needs \d+: .* run: telefine ledger migrate"):
        Ledger(old_url)
    assert standing(old_url).steps[0].version == 7
    assert shape_of(old_url) == before


def test_migrating_again_changes_nothing(old_url):
    migrate(old_url, "ann", NOON)
    versions, audited = rows_of(old_url, "ledger_version"), rows_of(old_url, "audit")
    assert migrate(old_url, "ann", NOON).steps == ()
    assert (rows_of(old_url, "ledger_version"), rows_of(old_url, "audit")) == (versions, audited)


@pytest.mark.parametrize(("version", "said"), [(5, "never released"), (99, "use the Telefine that wrote it")])
def test_a_schema_from_which_nothing_leads_here_is_refused(empty_url, version, said, tmp_path):
    (tmp_path / "state").mkdir()
    with closing(Stranger(empty_url)) as stranger:
        stranger.run("CREATE TABLE ledger_version (version INTEGER PRIMARY KEY)")
        stranger.run(f"INSERT INTO ledger_version VALUES ({version})")
        for attempt in (Ledger, standing, lambda url: migrate(url, "ann", NOON)):
            with pytest.raises(LedgerError, match=f"has schema {version}.*{said}"):
                attempt(empty_url)
        assert stranger.rows("ledger_version") == [(version,)]


def test_where_no_ledger_is_nothing_is_migrated(empty_url, tmp_path):
    assert standing(empty_url).found is None
    with pytest.raises(LedgerError, match="there is no ledger yet"):
        migrate(empty_url, "ann", NOON)


# Other processes


def migrate_when_told(url):
    say("ready")
    told()
    say(len(migrate(url, "bob", NOON).steps))


def never_commit(url):
    """Migrate in a transaction that does not end."""
    with Ledger(url, lambda _: None).writing() as connection:
        upgrade(connection, 6)
        say("migrated")
        told()


def test_who_is_killed_in_the_middle_leaves_the_ledger_as_it_was_and_two_at_once_do_it_once(old_url):
    before = shape_of(old_url)
    with workers(("elsewhere", __name__, "never_commit", old_url)) as (one,):
        assert one.heard() == "migrated"
        one.process.kill()
        one.ended()
    assert (shape_of(old_url), standing(old_url).found) == (before, 6)

    with workers(*[("elsewhere", __name__, "migrate_when_told", old_url)] * 2) as both:
        for each in both:
            assert each.heard() == "ready"
        for each in both:
            each.tell()
        assert sorted(each.heard() for each in both) == [0, schema.SCHEMA_VERSION - 6]
    assert str(rows_of(old_url, "audit")).count("migrated the ledger") == 1
