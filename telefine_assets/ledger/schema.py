"""The ledger's tables. Rows are added and never changed; the database itself refuses both changes.

How a ledger of an older schema gets them: see ``ledger.migrations``.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
)

from telefine_assets.ledger import guards

SCHEMA_VERSION = 7

ERASABLE = "erasable"
"""Of a table whose rows an erasure may remove: the column that names a row."""

metadata = MetaData()

versions = Table("ledger_version", metadata, Column("version", Integer, primary_key=True))

# One row for each look at a holdout, written before anything is asked.
looks = Table(
    "looks",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("program", String(64), nullable=False),
    Column("look_key", String(64), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("day", String(10), nullable=False),
    Column("baseline", String(64), nullable=False),
    Column("candidate", String(64), nullable=False),
    Column("metric", String(64), nullable=False),
    Column("alpha", String(16), nullable=False),
    Column("item_list", String(64), nullable=False),
    # An epoch may end between a look's record and its number: then it is recorded again, in the next.
    UniqueConstraint("look_key", "epoch"),
)

# The number of a look, given immediately before its first item is scored.
look_numbers = Table(
    "look_numbers",
    metadata,
    Column("look_key", String(64), primary_key=True),
    Column("program", String(64), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("k", Integer, nullable=False),
    UniqueConstraint("program", "epoch", "k"),
)

# What came of a look; one that has a number and no row here was being scored when it was last heard of.
look_outcomes = Table(
    "look_outcomes",
    metadata,
    Column("look_key", String(64), primary_key=True),
    Column("reached", Integer, nullable=False),
    Column("report", String(64), nullable=False),
)

# Leaves of the transparency log, in order. `entry` is unique: a rerun adds nothing.
log_leaves = Table(
    "log_leaves",
    metadata,
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("entry", String(66), nullable=False, unique=True),
    Column("leaf", Text, nullable=False),
)

# Signed submissions in the order of receipt; one for each contributor and content.
submissions = Table(
    "submissions",
    metadata,
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("digest", String(66), nullable=False, unique=True),
    Column("program", String(64), nullable=False),
    Column("trace_digest", String(66), nullable=False),
    Column("contributor", String(42), nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("salt", String(66), nullable=False),
    Column("v", Integer, nullable=False),
    Column("r", String(66), nullable=False),
    Column("s", String(66), nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    UniqueConstraint("trace_digest", "contributor"),
)

# Further attesters' signatures under an attestation; of each attester one.
cosignatures = Table(
    "cosignatures",
    metadata,
    Column("uid", String(66), primary_key=True),
    Column("signer", String(42), primary_key=True),
    Column("v", Integer, nullable=False),
    Column("r", String(66), nullable=False),
    Column("s", String(66), nullable=False),
)

# Which version serves, in force from the end of `day` on.
champions = Table(
    "champions",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("program", String(64), nullable=False),
    Column("day", String(10), nullable=False),
    Column("version", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    # "attested", "by hand" or "rollback"; only the first has an attestation.
    Column("how", String(16), nullable=False),
    Column("attestation", String(66), unique=True),
    # Attested gains that the version rests on, one above the other.
    Column("height", Integer, nullable=False),
    # The height, where this promotion was the first to reach it. What is paid for: see ``ledger.gains``.
    Column("gain", Integer),
    UniqueConstraint("program", "gain"),
)

# Who decided what, when and why; every row names the one before it, so that the chain cannot fork.
audit = Table(
    "audit",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", String(20), nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("details", Text, nullable=False),
    Column("previous", String(64), nullable=False, unique=True),
    Column("digest", String(64), nullable=False, unique=True),
)

# One payout for each attestation; its lines are the amounts.
payouts = Table(
    "payouts",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("attestation", String(66), nullable=False, unique=True),
    Column("program", String(64), nullable=False),
    Column("day", String(10), nullable=False),
    Column("pool", String(78), nullable=False),
    Column("plan", String(64), nullable=False),
    # What is paid: its contract (EIP-55), or its symbol where none was named.
    Column("token", Text, nullable=False),
    Column("decimals", Integer, nullable=False),
    # The gain of a day is paid once, whatever is attested about that day later.
    UniqueConstraint("program", "day"),
)

payout_lines = Table(
    "payout_lines",
    metadata,
    Column("attestation", String(66), primary_key=True),
    # A wallet (EIP-55), or "escrow:<reason>".
    Column("payee", String(80), primary_key=True),
    Column("amount", String(78), nullable=False),
)

# The one mint request that this deployment signs for an attestation.
mint_requests = Table(
    "mint_requests",
    metadata,
    Column("attestation", String(66), primary_key=True),
    Column("digest", String(66), nullable=False),
)

# Keys of the API, without their secrets; who made one, and who revoked it, is in the audit log.
api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", String(16), primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("holder", Text, nullable=False),
    # Names in order, with a comma between.
    Column("scopes", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger),
)

api_key_revocations = Table(
    "api_key_revocations",
    metadata,
    Column("key_id", String(16), primary_key=True),
    Column("revoked_ms", BigInteger, nullable=False),
)

# Batches of traces that were taken in, with what was answered: whoever asks again is told the same.
spool_batches = Table(
    "spool_batches",
    metadata,
    Column("submitter", String(64), primary_key=True),
    Column("idempotency_key", String(255), primary_key=True),
    Column("body_digest", String(64), nullable=False),
    Column("answer", Text, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
)

# Traces that were taken in, of each program from 0 without gaps. `identity` is unique: none is taken twice.
spool_traces = Table(
    "spool_traces",
    metadata,
    Column("program", String(64), primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("identity", String(64), nullable=False, unique=True),
    Column("digest", String(64), nullable=False),
    Column("submitter", String(64), nullable=False),
    Column("received_ms", BigInteger, nullable=False),
)

# What those traces say, as JSON text. It can be erased; see `erased`.
spool_bodies = Table(
    "spool_bodies",
    metadata,
    Column("identity", String(64), primary_key=True),
    Column("body", Text, nullable=False),
    info={ERASABLE: "identity"},
)

# Up to which position a program's traces are done with: in MLflow, or put aside.
spool_drains = Table(
    "spool_drains",
    metadata,
    Column("program", String(64), primary_key=True),
    Column("upto", BigInteger, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
)

# Traces that MLflow refuses for good, and those of them that it took later all the same.
spool_refused = Table(
    "spool_refused",
    metadata,
    Column("program", String(64), primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("reason", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)

spool_replayed = Table(
    "spool_replayed",
    metadata,
    Column("program", String(64), primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
)

# What people are told of. `key` is the same for the same event: nothing is told twice.
alerts = Table(
    "alerts",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("key", String(255), nullable=False, unique=True),
    Column("kind", String(32), nullable=False),
    Column("program", String(64)),
    Column("body", Text, nullable=False),
    Column("raised_ms", BigInteger, nullable=False),
)

# What became of an alert on its way to a channel. The latest row of both says how it stands.
alert_attempts = Table(
    "alert_attempts",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("key", String(255), nullable=False),
    Column("channel", String(64), nullable=False),
    Column("attempt", Integer, nullable=False),
    # How many of the attempts since it was queued or replayed.
    Column("tries", Integer, nullable=False),
    # queued, begun, delivered, failed, dead or replayed.
    Column("event", String(16), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    # When it is sent next; none where it is not.
    Column("due_ms", BigInteger),
    Column("reason", Text, nullable=False),
    UniqueConstraint("key", "channel", "attempt", "event"),
)

# Every answer of a language model that compiling or evaluating asked for. It can be erased; see `erased`.
answers = Table(
    "lm_answers",
    metadata,
    Column("request_key", String(64), primary_key=True),
    Column("response", Text, nullable=False),
    info={ERASABLE: "request_key"},
)

# What a piece of work that asked language models came to; tried again, it has a further row.
lm_spending = Table(
    "lm_spending",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("program", String(64), nullable=False, index=True),
    Column("stage", String(64), nullable=False),
    Column("day", String(10), nullable=False),
    Column("run", String(64), nullable=False),
    Column("calls", BigInteger, nullable=False),
    Column("remembered", BigInteger, nullable=False),
    # Unknown where for any of the calls it is.
    Column("tokens", BigInteger),
    Column("cost_micros", BigInteger),
    Column("took_ms", BigInteger, nullable=False),
)


# Whose words were erased, who did so, and why.
erasures = Table(
    "erasures",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("contributor", String(42), nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)

# What each erasure took away, or was about to: a row of an erasable table by its key, a trace by its id, evidence by
# its digest. It is written first, and only what stands here can be removed.
erased = Table(
    "erased",
    metadata,
    Column("kind", String(32), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("erasure", Integer, nullable=False),
)


@event.listens_for(metadata, "before_create")
def _make_functions(_metadata: MetaData, connection: Connection, tables: Sequence[Table], **_: object) -> None:
    # Only with a new table: replacing a function is for the role that owns it.
    if tables:
        guards.guard(connection, guards.FUNCTIONS)


def guards_of(table: Table) -> guards.Guards:
    """What keeps the rows of a table as they are."""
    key = table.info.get(ERASABLE)
    return guards.erasable(table.name, key) if key else guards.append_only(table.name)


def _guard(table: Table, connection: Connection, **_: object) -> None:
    guards.guard(connection, guards_of(table))


for _table in metadata.sorted_tables:
    event.listen(_table, "after_create", _guard)
