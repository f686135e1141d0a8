"""The first schema that was released.

Its rows are only added: every table refuses changes by itself.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from telefine_assets.ledger import guards

revision = "6"
down_revision = None

_TABLES = (
    "ledger_version",
    "looks",
    "look_numbers",
    "look_outcomes",
    "log_leaves",
    "submissions",
    "cosignatures",
    "champions",
    "audit",
    "payouts",
    "payout_lines",
    "mint_requests",
    "api_keys",
    "api_key_revocations",
    "spool_batches",
    "spool_traces",
    "spool_drains",
    "spool_refused",
    "spool_replayed",
    "alerts",
    "alert_attempts",
    "lm_answers",
    "lm_spending",
)


def upgrade() -> None:
    """Make the tables in an empty database."""
    _make_proofs()
    _make_payouts()
    _make_spool()
    _make_the_rest()
    guards.guard(op.get_bind(), guards.FUNCTIONS)
    for table in _TABLES:
        guards.guard(op.get_bind(), guards.append_only(table))


def _make_proofs() -> None:
    """What is looked at, proved and promoted."""
    op.create_table(
        "ledger_version",
        sa.Column("version", sa.Integer(), primary_key=True),
    )
    op.create_table(
        "looks",
        sa.Column("seq", sa.Integer(), primary_key=True),
        sa.Column("program", sa.String(64), nullable=False),
        sa.Column("look_key", sa.String(64), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("baseline", sa.String(64), nullable=False),
        sa.Column("candidate", sa.String(64), nullable=False),
        sa.Column("metric", sa.String(64), nullable=False),
        sa.Column("alpha", sa.String(16), nullable=False),
        sa.Column("item_list", sa.String(64), nullable=False),
        sa.UniqueConstraint("look_key", "epoch"),
    )
    op.create_table(
        "look_numbers",
        sa.Column("look_key", sa.String(64), primary_key=True),
        sa.Column("program", sa.String(64), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("k", sa.Integer(), nullable=False),
        sa.UniqueConstraint("program", "epoch", "k"),
    )
    op.create_table(
        "look_outcomes",
        sa.Column("look_key", sa.String(64), primary_key=True),
        sa.Column("reached", sa.Integer(), nullable=False),
        sa.Column("report", sa.String(64), nullable=False),
    )
    op.create_table(
        "log_leaves",
        sa.Column("position", sa.Integer(), autoincrement=False, primary_key=True),
        sa.Column("entry", sa.String(66), nullable=False, unique=True),
        sa.Column("leaf", sa.Text(), nullable=False),
    )
    op.create_table(
        "submissions",
        sa.Column("position", sa.Integer(), autoincrement=False, primary_key=True),
        sa.Column("digest", sa.String(66), nullable=False, unique=True),
        sa.Column("program", sa.String(64), nullable=False),
        sa.Column("trace_digest", sa.String(66), nullable=False),
        sa.Column("contributor", sa.String(42), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("salt", sa.String(66), nullable=False),
        sa.Column("v", sa.Integer(), nullable=False),
        sa.Column("r", sa.String(66), nullable=False),
        sa.Column("s", sa.String(66), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("trace_digest", "contributor"),
    )
    op.create_table(
        "cosignatures",
        sa.Column("uid", sa.String(66), primary_key=True),
        sa.Column("signer", sa.String(42), primary_key=True),
        sa.Column("v", sa.Integer(), nullable=False),
        sa.Column("r", sa.String(66), nullable=False),
        sa.Column("s", sa.String(66), nullable=False),
    )
    op.create_table(
        "champions",
        sa.Column("seq", sa.Integer(), primary_key=True),
        sa.Column("program", sa.String(64), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("how", sa.String(16), nullable=False),
        sa.Column("attestation", sa.String(66), unique=True),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("gain", sa.Integer()),
        sa.UniqueConstraint("program", "gain"),
    )
    op.create_table(
        "audit",
        sa.Column("seq", sa.Integer(), autoincrement=False, primary_key=True),
        sa.Column("at", sa.String(20), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(64), nullable=False, unique=True),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
    )


def _make_payouts() -> None:
    """Payouts, and the keys of the API."""
    op.create_table(
        "payouts",
        sa.Column("seq", sa.Integer(), primary_key=True),
        sa.Column("attestation", sa.String(66), nullable=False, unique=True),
        sa.Column("program", sa.String(64), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("pool", sa.String(78), nullable=False),
        sa.Column("plan", sa.String(64), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("decimals", sa.Integer(), nullable=False),
        sa.UniqueConstraint("program", "day"),
    )
    op.create_table(
        "payout_lines",
        sa.Column("attestation", sa.String(66), primary_key=True),
        sa.Column("payee", sa.String(80), primary_key=True),
        sa.Column("amount", sa.String(78), nullable=False),
    )
    op.create_table(
        "mint_requests",
        sa.Column("attestation", sa.String(66), primary_key=True),
        sa.Column("digest", sa.String(66), nullable=False),
    )
    op.create_table(
        "api_keys",
        sa.Column("key_id", sa.String(16), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger()),
    )
    op.create_table(
        "api_key_revocations",
        sa.Column("key_id", sa.String(16), primary_key=True),
        sa.Column("revoked_ms", sa.BigInteger(), nullable=False),
    )


def _make_spool() -> None:
    """Traces that were taken in."""
    op.create_table(
        "spool_batches",
        sa.Column("submitter", sa.String(64), primary_key=True),
        sa.Column("idempotency_key", sa.String(255), primary_key=True),
        sa.Column("body_digest", sa.String(64), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "spool_traces",
        sa.Column("program", sa.String(64), primary_key=True),
        sa.Column("position", sa.BigInteger(), autoincrement=False, primary_key=True),
        sa.Column("identity", sa.String(64), nullable=False, unique=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("submitter", sa.String(64), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
    )
    op.create_table(
        "spool_drains",
        sa.Column("program", sa.String(64), primary_key=True),
        sa.Column("upto", sa.BigInteger(), autoincrement=False, primary_key=True),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "spool_refused",
        sa.Column("program", sa.String(64), primary_key=True),
        sa.Column("position", sa.BigInteger(), autoincrement=False, primary_key=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "spool_replayed",
        sa.Column("program", sa.String(64), primary_key=True),
        sa.Column("position", sa.BigInteger(), autoincrement=False, primary_key=True),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
    )


def _make_the_rest() -> None:
    """Alerts, and what language models answered and cost."""
    op.create_table(
        "alerts",
        sa.Column("seq", sa.Integer(), primary_key=True),
        sa.Column("key", sa.String(255), nullable=False, unique=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("program", sa.String(64)),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("raised_ms", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "alert_attempts",
        sa.Column("seq", sa.Integer(), primary_key=True),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("channel", sa.String(64), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("event", sa.String(16), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("due_ms", sa.BigInteger()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.UniqueConstraint("key", "channel", "attempt", "event"),
    )
    op.create_table(
        "lm_answers",
        sa.Column("request_key", sa.String(64), primary_key=True),
        sa.Column("response", sa.Text(), nullable=False),
    )
    op.create_table(
        "lm_spending",
        sa.Column("seq", sa.Integer(), primary_key=True),
        sa.Column("program", sa.String(64), nullable=False),
        sa.Column("stage", sa.String(64), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("run", sa.String(64), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("remembered", sa.BigInteger(), nullable=False),
        sa.Column("tokens", sa.BigInteger()),
        sa.Column("cost_micros", sa.BigInteger()),
        sa.Column("took_ms", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_lm_spending_program", "lm_spending", ["program"])
