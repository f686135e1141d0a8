"""A store with one trace of each odd kind, for the sources to agree on."""

import json
import sqlite3
from pathlib import Path
from typing import Any

from telefine_assets.partitions import bounds_ms
from telefine_assets_tests.traces.mlflow_logging import log, logging_to
from telefine_assets_tests.traces.mlflow_store import fill

START, END = bounds_ms("2026-11-20")
EXPERIMENT = "1"
PLAIN = 40
MANY_TAGS = 10_000
LONG = "word " * 200_000
ODD = "it's \"odd\" \\ `back` 100% é😀\n\u2028 ' OR '1'='1"
TEAM = {"team": "login"}
FAR = 253_370_764_800_000  # the year 9999


def make(uri: str) -> dict[str, str]:
    """Log all of them; returns their ids by name."""
    fill(uri, PLAIN, START, seed=5)
    with logging_to(uri):
        ids = _asked() | _failed() | _assessed() | _tagged()
    with sqlite3.connect(uri.removeprefix("sqlite:///")) as database:
        _rewrite(database, ids)
    return ids


def _ask(number: int, inputs: Any, outputs: Any = TEAM, **more: Any) -> str:
    return log(EXPERIMENT, START + 1_000 + number, inputs, outputs, **more)


def _asked() -> dict[str, str]:
    chat = {"messages": [{"role": "user", "content": json.dumps({"ticket": "inner"})}]}
    deep: Any = "end"
    for _ in range(30):
        deep = {"in": [deep, 1.5, None, True]}
    inside = ({"ticket": "inside", "more": 1}, {"team": "billing"})
    return {
        "by place": _ask(1, {"args": ["by place"]}),
        "two by place": _ask(2, {"args": ["one", "two"]}),
        "wrapped": _ask(3, {"request": 3}, "done", child=inside),
        "a long input": _ask(4, {"ticket": "x" * 2_000}),
        "a million characters": _ask(5, {"ticket": LONG}, {"team": LONG[:5_000]}),
        "a chat": _ask(6, chat),
        "a list": _ask(7, ["ticket"]),
        "a number": _ask(8, 5, 1e20),
        "a string": _ask(9, "ticket", "login"),
        "nothing": _ask(10, None, None),
        "no answer": _ask(11, {"ticket": "no answer"}, None),
        "not a number": _ask(12, {"ticket": "nan", "more": [float("nan"), float("inf")]}),
        "large numbers": _ask(13, {"ticket": "large", "more": [2**70, -(2**63), 1e300, 3.0, -0.0]}),
        "odd text": _ask(14, {"ticket": ODD}, {"team": ODD}),
        "deep": _ask(15, {"ticket": "deep", "more": deep}, deep),
        "at one moment": _ask(16, {"ticket": "first"}),
        "at the same moment": _ask(16, {"ticket": "second"}),
        "custom preview": _ask(17, {"ticket": "true"}),
        "custom answer": _ask(18, {"ticket": "custom answer"}),
        "written by JavaScript": _ask(19, {"ticket": "é" * 300, "more": [1, 2]}),
        "imported": _ask(20, {"ticket": "imported"}),
        "last moment": log(EXPERIMENT, END - 1, {"ticket": "over midnight"}, TEAM),
        "midnight": log(EXPERIMENT, END, {"ticket": "midnight"}, TEAM),
    }


def _failed() -> dict[str, str]:
    down, inside = ValueError("the model is down"), ({"question": "inside"}, None)
    return {
        "failed": _ask(30, {"ticket": "x"}, None, error=down),
        "failed inside": _ask(31, {"ticket": "x"}, TEAM, child=inside, child_error=down),
        "failed inside and out": _ask(32, {"other": 1}, None, child=inside, child_error=down, error=KeyError(ODD)),
        "declared right": _ask(33, {"ticket": "declared right"}, TEAM, error=down),
        "under way": _ask(34, {"ticket": "under way"}),
        "of negative length": _ask(35, {"ticket": "clock skew"}),
        "of no length": _ask(36, {"ticket": "no length"}),
    }


def _assessed() -> dict[str, str]:
    import mlflow
    from mlflow.entities import AssessmentSource

    ann, judge = AssessmentSource("HUMAN", ODD), AssessmentSource("LLM_JUDGE", "judge")
    values = [5, 0.25, 3.0, -0.5, 1e300, True, False, "text", ODD, "5", "NaN", [1, 2.5, "x", None], [], {}]
    values += [{"z": 1, "a": [1, {"y": 2.0, "b": ODD}]}, [[1.0]], {"n": None}]
    ids = {"assessed": _ask(50, {"ticket": "assessed"}), "overridden": _ask(51, {"ticket": "overridden"})}
    for number, value in enumerate(values):
        mlflow.log_feedback(trace_id=ids["assessed"], name=f"feedback {number}", value=value, source=ann, rationale=ODD)
        mlflow.log_expectation(trace_id=ids["assessed"], name=f"expectation {number}", value=value, source=ann)
    for _ in range(2):
        mlflow.log_feedback(trace_id=ids["assessed"], name="the same name", value=True, source=judge)
    mlflow.log_feedback(trace_id=ids["assessed"], name="nothing", value=None, source=judge)
    mlflow.log_feedback(trace_id=ids["assessed"], name="failed", error=ValueError("judge down"), source=judge)
    wrong = mlflow.log_feedback(trace_id=ids["overridden"], name="helpful", value=False, source=ann)
    mlflow.override_feedback(trace_id=ids["overridden"], assessment_id=wrong.assessment_id, value=True, source=ann)
    gone = mlflow.log_feedback(trace_id=ids["overridden"], name="gone", value=1, source=ann)
    mlflow.delete_assessment(trace_id=ids["overridden"], assessment_id=gone.assessment_id)
    return ids


def _tagged() -> dict[str, str]:
    metadata = {"mlflow.trace.session": ODD, "mlflow.modelId": "m-1", "release": "v2"}
    usage = {"mlflow.chat.tokenUsage": {"input_tokens": 9, "output_tokens": 3, "total_tokens": 12}}
    return {
        "many tags": _ask(60, {"ticket": "many tags"}),
        "odd tags": _ask(61, {"ticket": "odd tags"}, tags={ODD[:40]: ODD, "name": "x", "empty": "", "release": "v1"}),
        "of a version": _ask(62, {"ticket": "of a version"}, metadata=metadata, attributes=usage),
        "of a compilation": _ask(63, {"ticket": "compiled"}, tags={"telefine.purpose": "compile"}),
        "of a run": _ask(64, {"ticket": "run"}, metadata={"mlflow.sourceRun": "a run"}),
        "artifact": _ask(65, {"ticket": "y" * 1_500}),
        "lost artifact": _ask(66, {"ticket": "z" * 1_500}),
    }


def _rewrite(database: sqlite3.Connection, ids: dict[str, str]) -> None:
    """What no client would log in a test: other writers, odd clocks, and where MLflow puts things later."""

    def set_info(name: str, **columns: Any) -> None:
        for column, value in columns.items():
            database.execute(f"UPDATE trace_info SET {column} = ? WHERE request_id = ?", [value, ids[name]])

    set_info("custom preview", request_preview='{"ticket": "false"}')
    set_info("custom answer", response_preview='{"team": "false"}')
    set_info("declared right", status="OK")
    set_info("under way", status="IN_PROGRESS", execution_time_ms=None, response_preview=None)
    database.execute("DELETE FROM spans WHERE trace_id = ?", [ids["under way"]])
    set_info("of negative length", execution_time_ms=-5)
    set_info("of no length", execution_time_ms=None)
    tags = [(f"tag {number}", f"value {number}", ids["many tags"]) for number in range(MANY_TAGS)]
    database.executemany("INSERT INTO trace_tags (key, value, request_id) VALUES (?, ?, ?)", tags)
    database.execute("UPDATE assessments SET created_timestamp = 5 WHERE name = 'feedback 0'")
    database.execute("UPDATE assessments SET created_timestamp = ? WHERE name = 'feedback 1'", [FAR])
    _write_as_javascript(database, ids["written by JavaScript"])
    database.execute("DELETE FROM trace_request_metadata WHERE request_id = ?", [ids["imported"]])
    _move_to_artifacts(database, ids["artifact"])
    _move_to_artifacts(database, ids["lost artifact"])
    Path(_artifacts(database, ids["lost artifact"]) / "traces.json").unlink()


def _write_as_javascript(database: sqlite3.Connection, trace_id: str) -> None:
    """JSON without blanks, as other languages write it."""
    (text,) = database.execute("SELECT content FROM spans WHERE trace_id = ?", [trace_id]).fetchone()
    content = json.loads(text)
    for attribute, preview, start in (
        ("mlflow.spanInputs", "request_preview", "mlflow.traceInputs"),
        ("mlflow.spanOutputs", "response_preview", "mlflow.traceOutputs"),
    ):
        said = json.dumps(json.loads(content["attributes"][attribute]), separators=(",", ":"), ensure_ascii=False)
        content["attributes"][attribute] = said
        cut = said if len(said) <= 250 else said[:247] + "..."
        whole = said if len(said) <= 1_000 else said[:997] + "..."
        database.execute(f"UPDATE trace_info SET {preview} = ? WHERE request_id = ?", [whole, trace_id])
        database.execute(
            "UPDATE trace_request_metadata SET value = ? WHERE request_id = ? AND key = ?", [cut, trace_id, start]
        )
    database.execute("UPDATE spans SET content = ? WHERE trace_id = ?", [json.dumps(content), trace_id])
    # The preview is not what makes it right: the span must be read.
    database.execute("UPDATE trace_info SET request_preview = 'cut off' WHERE request_id = ?", [trace_id])


def _artifacts(database: sqlite3.Connection, trace_id: str) -> Path:
    sql = "SELECT value FROM trace_tags WHERE key = 'mlflow.artifactLocation' AND request_id = ?"
    return Path(database.execute(sql, [trace_id]).fetchone()[0].removeprefix("file://"))


def _move_to_artifacts(database: sqlite3.Connection, trace_id: str) -> None:
    """Keep the spans where MLflow kept them before its database had a table for them."""
    texts = database.execute("SELECT content FROM spans WHERE trace_id = ?", [trace_id]).fetchall()
    folder = _artifacts(database, trace_id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "traces.json").write_text(json.dumps({"spans": [json.loads(text) for (text,) in texts]}))
    database.execute("DELETE FROM spans WHERE trace_id = ?", [trace_id])
    database.execute(
        "UPDATE trace_tags SET value = 'ARTIFACT_REPO' WHERE key = 'mlflow.trace.spansLocation' AND request_id = ?",
        [trace_id],
    )
