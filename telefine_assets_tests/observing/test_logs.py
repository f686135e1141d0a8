"""Logs say what they are about, for people or for machines, and never a secret."""

import io
import json
import logging
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.observing.logs import about, log_to
from telefine_assets.observing.masking import MASK, Masker
from telefine_assets.observing.observer import Observer, StageWork
from telefine_assets.settings.observing import ObservingSettings
from telefine_assets_tests.api.served import Served, small_home

SECRET = 'sk-7f3a "not" to be shown/é'
WORK = StageWork("triage", "traces", "2026-11-02", "run-1")


@pytest.fixture
def written():
    """Sets the logs up as a process does, and tells what was written; all loggers are as before at the end."""
    loggers = [logging.getLogger(name) for name in ("", "telefine", "uvicorn")]
    before = [(each.handlers[:], each.level, each.propagate) for each in loggers]

    def begin(masker=None, **settings):
        stream = io.StringIO()
        names = tuple(each.name.replace("root", "") for each in loggers)
        log_to(stream, ObservingSettings(**settings), masker or Masker([SECRET]), names)
        return stream

    yield begin
    for each, (handlers, level, propagate) in zip(loggers, before, strict=True):
        each.handlers, each.propagate = handlers, propagate
        each.setLevel(level)


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_of_json_says_what_it_is_about_in_this_thread_alone(written):
    stream = written(log_format="json")
    with about(run_id="run-1", program="triage", partition="2026-11-02", request_id=None):
        logging.getLogger("telefine.lm").info("asked %s", "twice", extra={"seconds": 2, "prompt": "of somebody"})
        other = threading.Thread(target=logging.getLogger("telefine.lm").warning, args=("elsewhere",))
        other.start()
        other.join()
    logging.getLogger("telefine.lm").debug("not wanted")
    logging.getLogger("somebody.else").info("not wanted either")
    first, second = lines(stream)
    assert first.pop("timestamp").endswith("Z")
    assert first == {
        "event": "asked twice", "level": "info", "logger": "telefine.lm", "seconds": 2,
        "run_id": "run-1", "program": "triage", "partition": "2026-11-02",
    }  # fmt: skip
    assert "run_id" not in second


def test_no_secret_is_in_a_line_neither_in_its_message_nor_in_a_traceback(written):
    own = "telefine_0123456789abcdef_" + "f" * 64
    for log_format in ("json", "console"):
        stream = written(log_format=log_format)
        try:
            raise RuntimeError(f"401 for key {SECRET!r} at postgresql+psycopg://ann:unheard-of@db/ledger, {own}")
        except RuntimeError:
            logging.getLogger("telefine.runs").exception("the model refuses %s", SECRET)
        told = stream.getvalue()
        assert "RuntimeError" in told
        assert MASK in told
        for secret in (SECRET, json.dumps(SECRET)[1:-1], "unheard-of", "f" * 64):
            assert secret not in told, log_format
        if log_format == "json":
            (line,) = lines(stream)
            assert "Traceback" in line["exception"]


@given(st.text(min_size=8, max_size=40).filter(lambda secret: secret not in MASK))
def test_whatever_a_secret_looks_like_it_is_in_no_text(secret):
    masker, in_json, shown = Masker([secret]), json.dumps(secret)[1:-1], repr(secret)[1:-1]
    texts = {f"a {secret} b": secret, f'{{"key": "{in_json}"}}': in_json, f"Error({shown})": shown}
    for text, form in texts.items():
        assert form not in masker(text).replace(MASK, "")


@pytest.mark.parametrize("said", ["password=hunter2 dbname=x", r"password = 'hunter2 \'hunter2' dbname=x"])
def test_a_password_as_libpq_writes_it_is_in_no_text(said):
    masked = Masker()(f"connection to 'host=postgres {said}' failed")
    assert MASK in masked and "hunter2" not in masked and masked.endswith(" dbname=x' failed")


def test_secrets_are_those_of_the_settings(load, monkeypatch):
    monkeypatch.setenv("TELEFINE_LM__API_KEY", "a-key-for-the-model")
    monkeypatch.setenv("TELEFINE_LMS__JUDGE__API_KEY", "a-key-for-the-judge")
    monkeypatch.setenv("TELEFINE_LEDGER__URL", "postgresql+psycopg://ann:p%40ssw0rd%21@db/ledger")
    masker = Masker.of(load({"lms/judge": {"model": "openai/x"}, "programs/tickets/split/key": "a-key-for-the-split"}))
    told = masker("a-key-for-the-model a-key-for-the-judge a-key-for-the-split p%40ssw0rd%21 p@ssw0rd! ann db")
    assert told == " ".join([MASK] * 5 + ["ann", "db"])


def test_a_stage_writes_its_begin_and_end_and_a_request_its_id(written, tmp_path, own_environment):
    stream = written(log_format="json")
    observer = Observer(ObservingSettings(), "telefine", tmp_path, Masker())
    with pytest.raises(ValueError, match="odd"), observer.stage(WORK):
        raise ValueError("odd")
    begins, ends = lines(stream)
    assert begins["event"] == "traces of 2026-11-02 begins"
    assert (ends["outcome"], ends["stage"], ends["run_id"]) == ("failed", "traces", "run-1")
    stream.truncate(0)
    stream.seek(0)
    answer = Served(small_home(tmp_path / "home")).get("/v1/health")
    (line,) = lines(stream)
    assert line["request_id"] == answer.headers["X-Request-Id"]
    assert (line["method"], line["route"], line["status"]) == ("GET", "/v1/health", 200)


def test_people_read_lines_without_colours_where_no_terminal_is(written):
    stream = written()
    with about(program="triage"):
        logging.getLogger("uvicorn.error").info("running on http://127.0.0.1:8400")
    assert "running on http://127.0.0.1:8400" in stream.getvalue()
    assert "program=triage" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()
