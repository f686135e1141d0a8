"""Traces and error reports: only where they are asked for, only what may leave, and never in anybody's way."""

import subprocess
import sys
from threading import Event

import httpx
import pytest

from telefine_assets.errors import TelefineError
from telefine_assets.observing import reporting, tracing
from telefine_assets.observing.extras import MissingExtra
from telefine_assets.observing.masking import Masker
from telefine_assets.observing.observer import Observer, StageWork
from telefine_assets.observing.reporting import WITHHELD, Reporting
from telefine_assets.observing.tracing import TAG, Tracing, parent_of_run, traceparent
from telefine_assets.settings.observing import ObservingSettings
from telefine_assets_tests.api.served import Served, small_home

SECRET = "a-key-for-the-model"
PROMPT = "the ticket of a customer"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
WORK = StageWork("triage", "traces", "2026-11-02", "run-1")


class Ours(TelefineError):
    """An error that somebody can put right."""


def fails(secret_local):
    """An error of a program's, which quotes data, turned into one of ours, which quotes it again, and a key."""
    prompt = f"{PROMPT}, {secret_local}"
    try:
        raise ValueError(f"cannot parse {prompt}")
    except ValueError as error:
        raise Ours(f"the model refuses {SECRET}: {error}") from error


def observer(tmp_path, **settings):
    return Observer(ObservingSettings.model_validate(settings), "telefine", tmp_path, Masker([SECRET]))


def test_a_report_has_the_class_and_the_way_of_an_error_and_nothing_of_the_data(receiver, tmp_path):
    seen = observer(tmp_path, sentry_dsn=receiver.dsn)
    with pytest.raises(Ours), seen.stage(WORK):
        fails(str(tmp_path))
    ((_, _, envelope),) = receiver.got
    assert not [kept for kept in (SECRET, PROMPT, str(tmp_path)) if kept.encode() in envelope]
    (event,) = receiver.events()
    assert event["tags"] == {"program": "triage", "stage": "traces", "partition": "2026-11-02", "run_id": "run-1"}
    said = {each["type"]: each["value"] for each in event["exception"]["values"]}
    assert said == {"ValueError": WITHHELD, "Ours": WITHHELD}
    functions = [each["function"] for each in event["exception"]["values"][-1]["stacktrace"]["frames"]]
    assert functions[-1] == "fails"


def test_what_ends_a_stage_or_a_tick_is_reported_unless_somebody_meant_it(receiver, tmp_path):
    seen = observer(tmp_path, sentry_dsn=receiver.dsn)
    for error, reported in ((KeyboardInterrupt(), 0), (OSError("away"), 1)):
        with pytest.raises(type(error)), seen.stage(WORK):
            raise error
        seen.reporting.flush()
        assert len(receiver.events()) == reported
    for error, reported in ((Ours("set it right"), 1), (KeyError("x"), 2)):
        with pytest.raises(type(error)), seen.tick("triage_late_feedback"):
            raise error
        seen.reporting.flush()
        assert len(receiver.events()) == reported
    assert receiver.events()[-1]["tags"] == {"sensor": "triage_late_feedback"}


def test_the_api_reports_its_defects_and_not_what_callers_do_wrong(receiver, tmp_path, own_environment, monkeypatch):
    monkeypatch.setenv("TELEFINE_OBSERVING__SENTRY_DSN", receiver.dsn)
    served = Served(small_home(tmp_path))
    key = served.key("read")
    assert [served.get(path, key).status_code for path in ("/nowhere", "/v1/programs/none")] == [404, 404]
    monkeypatch.setattr(served.control, "runs", lambda *_: [][1])
    answer = served.lenient().get("/v1/runs?program=triage", headers=served.headers(key))
    served.here.observer.reporting.flush()
    (event,) = receiver.events()
    assert event["tags"] == {"request_id": answer.json()["id"], "route": "/v1/runs"}
    assert event["exception"]["values"][0]["type"] == "IndexError"
    assert key not in str(event)


def test_spans_know_their_parents_and_errors_are_named_by_class_alone(receiver):
    sent = Tracing(receiver.base, "telefine", "a-deployment")
    assert traceparent() is None
    with sent.span("request", "SERVER", PARENT) as request:
        request.update_name("POST /v1/runs")
        asked = traceparent()
        with pytest.raises(ValueError, match=PROMPT), sent.span("inner", program="triage", none=None):
            raise ValueError(PROMPT)
    with sent.span("stranger", "SERVER", "00-not-a-parent-01"):
        pass
    sent.flush()
    inner, outer, stranger = receiver.spans()
    assert (outer["name"], outer["trace"], outer["parent"]) == ("POST /v1/runs", *PARENT.split("-")[1:3])
    assert asked == f"00-{outer['trace']}-{outer['id']}-01"
    assert (inner["parent"], inner["status"]) == (outer["id"], "ValueError")
    assert inner["about"] == {"telefine.program": "triage", "error.type": "ValueError"}
    assert stranger["parent"] == "" and stranger["trace"] != outer["trace"]
    assert PROMPT.encode() not in b"".join(body for _, _, body in receiver.got)


def test_a_collector_that_never_ends_its_answer_keeps_nobody(receiver, monkeypatch):
    monkeypatch.setattr(tracing, "_EXPORT_SECONDS", 0.05)
    seen, asked, let_go = Tracing(receiver.base, "telefine", "another-deployment"), Event(), Event()
    monkeypatch.setattr(seen._provider, "force_flush", lambda: asked.set() or let_go.wait(60))
    seen.flush()
    assert asked.is_set() and not let_go.is_set()
    let_go.set()


def test_the_stages_of_a_run_that_nobody_traced_are_one_trace():
    own = {parent_of_run("run-1", {}), parent_of_run("run-1", {TAG: "00-nonsense"})}
    assert len(own) == 1 != parent_of_run("run-2", {})
    assert parent_of_run("run-1", {TAG: PARENT}) == PARENT


def test_a_collector_and_a_service_that_are_away_fail_nothing_and_hold_no_process_up(tmp_path):
    """In a process of its own, whose end counts too."""
    program = f"""
import sys
from pathlib import Path
from telefine_assets.observing.masking import Masker
from telefine_assets.observing.observer import Observer, StageWork
from telefine_assets.settings.observing import ObservingSettings
settings = ObservingSettings(otlp_endpoint="http://127.0.0.1:9", sentry_dsn="http://key@127.0.0.1:9/1")
observer = Observer(settings, "telefine", Path({str(tmp_path)!r}), Masker())
try:
    with observer.stage(StageWork("triage", "traces", "2026-11-02", "run-1")):
        raise KeyError("x")
except KeyError:
    print("done")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def test_what_is_off_is_not_imported_and_what_is_not_installed_is_named(tmp_path):
    program = f"""
import sys
from pathlib import Path
from telefine_assets.observing.masking import Masker
from telefine_assets.observing.observer import Observer, StageWork
from telefine_assets.settings.observing import ObservingSettings
with Observer(ObservingSettings(), "telefine", Path({str(tmp_path)!r}), Masker()).stage(StageWork("a", "b", "c", "d")):
    pass
print([each for each in sys.modules if each.split(".")[0] in ("sentry_sdk", "opentelemetry")])
sys.modules |= dict.fromkeys(("sentry_sdk", "opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http"))
for own in ({{"otlp_endpoint": "http://127.0.0.1:9"}}, {{"sentry_dsn": "http://key@127.0.0.1:9/1"}}):
    try:
        with Observer(ObservingSettings(**own), "telefine", Path("."), Masker()).stage(StageWork("a", "b", "c", "d")):
            print("work was begun")
    except Exception as error:
        print(type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    nothing, traces, errors = done.stdout.splitlines()
    assert nothing == "[]"
    for line, setting in ((traces, "observing.otlp_endpoint"), (errors, "observing.sentry_dsn")):
        assert line.startswith(f"{MissingExtra.__name__} {setting} is set, and ")
        assert line.endswith("is not installed: install telefine-assets[observability]")


def test_the_api_says_at_once_what_is_not_installed(tmp_path, own_environment, monkeypatch):
    monkeypatch.setenv("TELEFINE_OBSERVING__SENTRY_DSN", "http://another-key@127.0.0.1:9/1")
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)
    reporting._client.cache_clear()
    with pytest.raises(MissingExtra, match="observability"):
        Served(small_home(tmp_path))


def test_a_client_of_ours_is_no_business_of_the_processes_others(receiver):
    """Sentry's own hooks are not in use: an error that nobody reports stays here."""
    Reporting(receiver.dsn, "telefine")
    import sentry_sdk

    sentry_sdk.capture_message("of somebody else's")
    sentry_sdk.flush(1)
    assert receiver.got == []
    assert httpx.post(f"{receiver.base}/v1/traces", content=b"").status_code == 200
