"""MLflow stores with as many traces as a test or a benchmark wants, written as MLflow itself would write them.

Logging through MLflow's API gives a few traces a second. Here the tables are
made by MLflow's own migrations and filled in bulk with the rows that MLflow 3.17
writes for a DSPy call: a test reads them back with MLflow's client and compares
them with traces that MLflow logged.
"""

import base64
import json
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

EXPERIMENT = "tickets"
DAY_MS = 86_400_000
Ticket = Callable[[random.Random], tuple[str, str]]
WALLETS = (
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
)
TEAMS = ("billing", "login", "shipping", "other")
_WORDS = str.split(
    "account invoice parcel password refund charge address card login reset courier order payment screen email "
    "number late twice missing wrong broken please help cannot again today since update phone code link plan "
    "cancel renew receipt label return damaged empty locked expired session browser window button page contact"
)
_INT32, _INT64, _TEXT, _REAL, _BOOL = pa.int32(), pa.int64(), pa.string(), pa.float64(), pa.bool_()
SCHEMAS = {
    "trace_info": {
        "request_id": _TEXT,
        "experiment_id": _INT32,
        "timestamp_ms": _INT64,
        "execution_time_ms": _INT64,
        "status": _TEXT,
        "request_preview": _TEXT,
        "response_preview": _TEXT,
        "trace_name": _TEXT,
        "session_id": _TEXT,
        "input_tokens": _INT64,
        "output_tokens": _INT64,
        "total_tokens": _INT64,
        "db_payload_generation": _INT32,
    },
    "trace_tags": {"key": _TEXT, "value": _TEXT, "request_id": _TEXT},
    "trace_request_metadata": {"key": _TEXT, "value": _TEXT, "request_id": _TEXT},
    "assessments": {
        "assessment_id": _TEXT,
        "trace_id": _TEXT,
        "name": _TEXT,
        "assessment_type": _TEXT,
        "value": _TEXT,
        "created_timestamp": _INT64,
        "last_updated_timestamp": _INT64,
        "source_type": _TEXT,
        "source_id": _TEXT,
        "valid": _BOOL,
        "experiment_id": _INT32,
        "trace_timestamp_ms": _INT64,
        "is_numeric_value": _BOOL,
    },
    "spans": {
        "trace_id": _TEXT,
        "experiment_id": _INT32,
        "span_id": _TEXT,
        "parent_span_id": _TEXT,
        "name": _TEXT,
        "type": _TEXT,
        "status": _TEXT,
        "start_time_unix_nano": _INT64,
        "end_time_unix_nano": _INT64,
        "content": _TEXT,
    },
}


def empty_store(folder: Path) -> str:
    """The URI of a migrated, empty SQLite store in ``folder`` with one experiment.

    The migrations take ten seconds, so a store that was made is kept as a
    template beside the first one and copied.
    """
    from mlflow import MlflowClient

    folder.mkdir(parents=True, exist_ok=True)
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    MlflowClient(uri).create_experiment(EXPERIMENT, artifact_location=str(folder / "artifacts"))
    return uri


def copy_store(template: Path, folder: Path) -> str:
    """A copy of the SQLite store in ``template``."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(template / "mlflow.db", folder / "mlflow.db")
    return f"sqlite:///{folder / 'mlflow.db'}"


def connect(uri: str) -> Any:
    """An ADBC connection that can write."""
    if uri.startswith("sqlite:///"):
        import adbc_driver_sqlite.dbapi as sqlite

        connection = sqlite.connect(uri.removeprefix("sqlite:///"))
        with connection.cursor() as cursor:  # a reader is waited for
            cursor.execute("PRAGMA busy_timeout = 30000")
            cursor.fetchall()
        return connection
    import adbc_driver_postgresql.dbapi as postgresql

    return postgresql.connect(uri)


def anything(rng: random.Random) -> tuple[str, str]:
    """A ticket and a team that have nothing to do with one another."""
    return " ".join(rng.choices(_WORDS, k=rng.randint(12, 60))), rng.choice(TEAMS)


def fill(
    uri: str, count: int, start_ms: int, days: int = 1, seed: int = 0, experiment_id: int = 1,
    ticket: Ticket = anything, wallets: Sequence[str] = WALLETS,
) -> list[str]:  # fmt: skip
    """Write ``count`` traces, evenly over ``days``, each with 3 spans, 3 tags and 2 assessments; returns their ids."""
    ids: list[str] = []
    with connect(uri) as connection, connection.cursor() as cursor:
        for tables in generated(count, start_ms, days, seed, experiment_id, ticket=ticket, wallets=wallets):
            ids += tables["trace_info"]["request_id"].to_pylist()
            for name, table in tables.items():
                cursor.adbc_ingest(name, table, mode="append")
        connection.commit()
    return ids


def generated(
    count: int, start_ms: int, days: int = 1, seed: int = 0, experiment_id: int = 1, chunk: int = 20_000,
    ticket: Ticket = anything, wallets: Sequence[str] = WALLETS,
) -> Iterator[dict[str, pa.Table]]:  # fmt: skip
    """The rows of ``count`` traces, by MLflow table, in chunks."""
    step = max(1, days * DAY_MS // count)
    for first in range(0, count, chunk):
        rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in SCHEMAS}
        for number in range(first, min(count, first + chunk)):
            rng = random.Random(f"{seed}/{number}")
            _add(rows, rng, experiment_id, start_ms + number * step, ticket, wallets)
        yield {name: _table(name, rows[name]) for name in SCHEMAS}


def _table(name: str, rows: list[tuple[Any, ...]]) -> pa.Table:
    schema = pa.schema(list(SCHEMAS[name].items()))
    columns = list(zip(*rows, strict=True)) or [[] for _ in schema]
    return pa.table([pa.array(column, kind) for column, kind in zip(columns, schema.types, strict=True)], schema=schema)


def _add(
    rows: dict[str, list[tuple[Any, ...]]], rng: random.Random, experiment_id: int, at_ms: int, ticket: Ticket,
    wallets: Sequence[str],
) -> None:  # fmt: skip
    trace_id = f"tr-{rng.getrandbits(128):032x}"
    text, team = ticket(rng)
    duration = rng.randint(80, 2_000)
    inputs, outputs = json.dumps({"ticket": text}), json.dumps({"team": team})
    used = len(text) // 4
    rows["trace_info"].append(
        (trace_id, experiment_id, at_ms, duration, "OK", inputs, outputs, "Predict.forward", None, used, 3, used + 3, 3)
    )
    tags = {
        "mlflow.artifactLocation": f"/mlflow/artifacts/1/traces/{trace_id}/artifacts",
        "mlflow.trace.spansLocation": "TRACKING_STORE",
        "telefine.contributor": rng.choice(wallets),
        "channel": rng.choice(("mail", "chat", "phone")),
        "release": f"2026.{rng.randint(1, 9)}",
    }
    rows["trace_tags"] += [(key, value, trace_id) for key, value in tags.items()]
    rows["trace_request_metadata"] += [(key, value, trace_id) for key, value in _metadata(inputs, outputs).items()]
    rows["assessments"] += [
        _assessment(rng, trace_id, experiment_id, at_ms, "resolved", "feedback", rng.choice(("true", "false"))),
        _assessment(rng, trace_id, experiment_id, at_ms, "right_team", "expectation", json.dumps(team)),
    ]
    rows["spans"] += _spans(rng, trace_id, experiment_id, at_ms, duration, text, team)


def _metadata(inputs: str, outputs: str) -> dict[str, str]:
    return {
        "mlflow.source.git.branch": "main",
        "mlflow.source.git.commit": "4c0de",
        "mlflow.source.git.repoURL": "",
        "mlflow.source.name": "/srv/tickets/serve.py",
        "mlflow.source.type": "LOCAL",
        "mlflow.trace.infoFinalized": "true",
        "mlflow.trace.sizeBytes": "5600",
        "mlflow.trace.user": "ada",
        "mlflow.traceInputs": _cut(inputs),
        "mlflow.traceOutputs": _cut(outputs),
        "mlflow.trace_schema.version": "3",
        "mlflow.user": "root",
    }


def _cut(text: str) -> str:
    return text if len(text) <= 250 else text[:247] + "..."


def _assessment(
    rng: random.Random, trace_id: str, experiment_id: int, at_ms: int, name: str, kind: str, value: str
) -> tuple[Any, ...]:
    said = at_ms + rng.randint(1_000, 3_600_000)
    return (
        *(f"a-{rng.getrandbits(128):032x}", trace_id, name, kind, value, said, said),
        *("HUMAN", rng.choice(("ann", "bob")), True, experiment_id, at_ms, False),
    )


def _spans(
    rng: random.Random, trace_id: str, experiment_id: int, at_ms: int, duration: int, text: str, team: str
) -> list[tuple[Any, ...]]:
    prompt = "Which team answers the ticket? Answer with one of billing, login, shipping, other.\n" * 6 + text
    wanted = [
        ("Predict.forward", "LLM", {"ticket": text}, {"team": team}, {"signature": '"ticket -> team"'}),
        ("LM.__call__", "CHAT_MODEL", {"messages": [{"role": "user", "content": prompt}]}, [team], {}),
        ("ChatAdapter.parse", "PARSER", {"completion": team}, {"team": team}, {}),
    ]
    rows: list[tuple[Any, ...]] = []
    root: str | None = None
    for number, (name, kind, inputs, outputs, more) in enumerate(wanted):
        span_id, start = f"{rng.getrandbits(64):016x}", at_ms * 10**6 + number
        end = (at_ms + duration) * 10**6 - number
        content = span_content(trace_id, span_id, root, name, kind, start, end, inputs, outputs, more)
        rows.append((trace_id, experiment_id, span_id, root, name, kind, "OK", start, end, content))
        root = root or span_id
    return rows


def span_content(
    trace_id: str, span_id: str, parent: str | None, name: str, kind: str, start: int, end: int, inputs: Any,
    outputs: Any, more: dict[str, str] | None = None,
) -> str:  # fmt: skip
    """A span's ``content`` as MLflow's SQL store holds it."""
    attributes = {
        "mlflow.traceRequestId": json.dumps(trace_id),
        "mlflow.spanType": json.dumps(kind),
        "mlflow.spanInputs": json.dumps(inputs),
        **(more or {}),
        "mlflow.spanOutputs": json.dumps(outputs),
    }
    return json.dumps(
        {
            "trace_id": base64.b64encode(bytes.fromhex(trace_id.removeprefix("tr-"))).decode(),
            "span_id": base64.b64encode(bytes.fromhex(span_id)).decode(),
            "parent_span_id": parent and base64.b64encode(bytes.fromhex(parent)).decode(),
            "name": name,
            "start_time_unix_nano": start,
            "end_time_unix_nano": end,
            "events": [],
            "status": {"code": "STATUS_CODE_OK", "message": ""},
            "attributes": attributes,
            "links": [],
        }
    )
