"""What traces say and what models answered can be erased: traces' texts move to a table of their own.

The rows that stay name them by digest.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from telefine_assets.ledger import guards

revision = "7"
down_revision = "6"


def upgrade() -> None:
    """Carry every text over."""
    connection = op.get_bind()
    op.create_table(
        "erasures",
        sa.Column("seq", sa.Integer(), autoincrement=False, primary_key=True),
        sa.Column("contributor", sa.String(42), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "erased",
        sa.Column("kind", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("erasure", sa.Integer(), nullable=False),
    )
    op.create_table(
        "spool_bodies",
        sa.Column("identity", sa.String(64), primary_key=True),
        sa.Column("body", sa.Text(), nullable=False),
    )
    op.execute("INSERT INTO spool_bodies (identity, body) SELECT identity, body FROM spool_traces")
    op.drop_column("spool_traces", "body")
    guards.guard(connection, guards.FUNCTIONS)
    guards.guard(connection, guards.append_only("erasures"))
    guards.guard(connection, guards.append_only("erased"))
    guards.guard(connection, guards.no_longer_append_only("lm_answers"))
    for table, key in (("spool_bodies", "identity"), ("lm_answers", "request_key")):
        guards.guard(connection, guards.erasable(table, key))
