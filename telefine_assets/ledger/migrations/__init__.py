"""Revisions of the ledger's tables: how a ledger of an older schema becomes one of the newest.

A revision is an alembic script, ``v<number>_<what>.py``, with ``revision`` and
``down_revision`` (numbers as text) and ``upgrade()``. ``ledger.migrating`` runs
those that a ledger lacks, all in one transaction with the row of ``ledger_version``
and one of the audit log. There is no way back: rows are only added, and an older
Telefine refuses a newer ledger.

To change the tables:

1. Change ``ledger/schema.py`` to what a fresh ledger is to have, and raise
   ``SCHEMA_VERSION`` by one. A new table is append-only by itself; texts of people go into one with
   ``info={ERASABLE: <its key>}``, which ``ledger.erasures`` can then empty.
2. Write ``v<number>_<what>.py`` here. Make a table with ``op.create_table``, and guard
   it with ``guards.guard(op.get_bind(), guards.append_only("<table>"))``. It must run on
   SQLite and PostgreSQL, without any import of ``ledger/schema.py``, which goes on to change.
3. A column is added with ``op.add_column``, and must take null: no older row can be
   changed. Rows may be copied from one table to another by ``op.execute``.
4. Say in ``revision``'s docstring what it does; ``telefine ledger status`` shows the
   first line.

``telefine_assets_tests/ledger/test_migrations.py`` then compares a fresh ledger with a
migrated one, in both databases, and carries a ledger that schema 6 wrote forward. Once
it is released, a revision is never edited.
"""
