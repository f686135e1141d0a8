"""Runs are Dagster's: started, stopped and followed through ``Control`` and nothing else."""

import json
from itertools import count

import pytest
from starlette.testclient import TestClient

from telefine_assets.api import runs
from telefine_assets.api.limits import Places
from telefine_assets.control.records import RunRequest, RunStatus
from telefine_assets.ledger.api_keys import ApiKeys
from telefine_assets_tests.api.served import NOW

BODY = {"program": "triage", "stages": ["traces"], "first": "2026-11-02", "last": "2026-11-06"}


@pytest.fixture
def operator(served):
    return served.key("operate", "read")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(runs, "LOOK_SECONDS", 0.01)


def events_of(text):
    """Names and states of the events in a stream."""
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


def test_a_run_is_asked_of_dagster_as_it_was_asked_for(served, operator):
    answer = served.post("/v1/runs", operator, BODY)
    assert (answer.status_code, answer.json()) == (202, {"runs": ["run-0000"]})
    by = f"key {operator.split('_')[1]}"
    assert served.control.asked == [RunRequest("triage", ("traces",), "2026-11-02", "2026-11-06", by)]
    shown = served.get("/v1/runs/run-0000", operator).json()
    assert (shown["status"], shown["program"], shown["days"]) == ("started", "triage", ["2026-11-02"])


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"program": "nobody"}, "body.program"),
        ({"stages": ["traces", "elsewhere"]}, "body.stages"),
        ({"first": "2026-11-31"}, "body.first"),
        ({"first": "2026-11-07"}, "body.first"),
        ({"first": "2026-11-01"}, "body.first"),
        ({"last": "tomorrow"}, "body.last"),
        ({"last": 20261106}, "body.last"),
        ({"by": "somebody else"}, "body.by"),
    ],
)
def test_what_cannot_be_run_is_not_asked_for(served, operator, change, where):
    answer = served.post("/v1/runs", operator, BODY | change)
    assert (answer.status_code, [each["where"] for each in answer.json()["errors"]]) == (422, [where])
    assert served.control.asked == []


def test_runs_are_listed_page_by_page_newest_first(served, operator):
    for program in ("triage", "other", "triage", "triage"):
        served.control.begin(program)
    seen, cursor = [], ""
    while cursor is not None:
        page = served.get(f"/v1/runs?program=triage&limit=2{cursor and '&cursor=' + cursor}", operator).json()
        seen += [each["run_id"] for each in page["items"]]
        cursor = page["next"]
    assert seen == ["run-0003", "run-0002", "run-0000"]


def test_a_stopped_run_is_stopped_by_whoever_asked(served, operator):
    served.control.begin()
    assert served.post("/v1/runs/run-0000/stop", operator).json()["status"] == "canceled"
    assert served.control.stopped == [("run-0000", f"key {operator.split('_')[1]}")]
    assert served.post("/v1/runs/run-0009/stop", operator).status_code == 404


def test_a_run_is_followed_until_it_ends(served, operator, monkeypatch):
    run_id, looks = served.control.begin(), iter(["12 of 50", "12 of 50", "40 of 50", None])

    def look(_):
        progress = next(looks)
        if progress is None:
            served.control.change(run_id, status=RunStatus.SUCCEEDED, ended_ms=1)
        else:
            served.control.change(run_id, progress=progress)
        return served.control.known[run_id]

    answer_first = served.control.run
    calls = iter([answer_first])
    monkeypatch.setattr(served.control, "run", lambda each: next(calls, look)(each))
    answer = served.get(f"/v1/runs/{run_id}/events", operator)
    assert answer.headers["content-type"].startswith("text/event-stream")
    told = [(name, state["progress"], state["status"]) for name, state in events_of(answer.text)]
    assert told == [
        ("run", None, "started"),
        ("run", "12 of 50", "started"),
        ("run", "40 of 50", "started"),
        ("run", "40 of 50", "succeeded"),
        ("end", "40 of 50", "succeeded"),
    ]


def test_a_stream_tells_that_it_lives_and_ends_in_the_end(served, operator, monkeypatch):
    run_id = served.control.begin()
    monkeypatch.setattr(runs, "BEAT_SECONDS", 0.02)
    monkeypatch.setattr(runs, "MOST_SECONDS", 0.2)
    answer = served.get(f"/v1/runs/{run_id}/events", operator)
    assert ": still running" in answer.text
    assert [name for name, _ in events_of(answer.text)] == ["run"]


def test_places_of_followers_are_bounded_and_given_back(serve):
    served = serve(max_followers=1)
    key, run_id = served.key("read"), served.control.begin()
    served.control.change(run_id, status=RunStatus.FAILED, error="no disk")
    for _ in range(3):
        (_, state), (end, _) = events_of(served.get(f"/v1/runs/{run_id}/events", key).text)
        assert (state["error"], end) == ("no disk", "end")
    served.here.following.take("somebody")
    assert served.get(f"/v1/runs/{run_id}/events", key).json()["code"] == "too_many_followers"


def test_one_key_leaves_places_to_the_others():
    places = Places(10)
    assert [places.take("busy") for _ in range(4)] == [True, True, False, False]
    assert [places.take(f"other {number}") for number in range(9)] == [True] * 8 + [False]
    places.leave("busy")
    assert (places.taken, places.take("one more"), places.take("busy")) == (9, True, False)


def test_one_key_follows_a_fifth_of_the_streams(serve):
    served = serve(max_followers=5)
    key, other, run_id = served.key("read"), served.key("read"), served.control.begin()
    served.control.change(run_id, status=RunStatus.SUCCEEDED)
    served.here.following.take(f"key {key.split('_')[1]}")
    assert served.get(f"/v1/runs/{run_id}/events", key).json()["code"] == "too_many_followers"
    assert served.get(f"/v1/runs/{run_id}/events", other).status_code == 200


@pytest.mark.parametrize("end", ["revoked", "expired", "signed out", "revoked behind a session"])
def test_nobody_hears_a_run_any_more_whose_key_or_session_ended(served, monkeypatch, end):
    monkeypatch.setattr(runs, "MOST_SECONDS", 1.0)
    key, run_id, looks = served.key("read", days=1), served.control.begin(), count()
    headers = served.headers(key)
    form = {"Origin": "http://testserver"}
    if end in ("signed out", "revoked behind a session"):
        served.client.post("/sign-in", data={"key": key}, headers=form, follow_redirects=False)
        headers = {"Cookie": f"telefine_session={served.client.cookies['telefine_session']}"}
        served.client.cookies.clear()

    def ended():
        if "revoked" in end:
            ApiKeys(served.here.ledger).revoke(key.split("_")[1], "it leaked", "me", NOW)
        elif end == "expired":
            served.wait(86_400)
        else:
            TestClient(served.app).post("/sign-out", headers=headers | form, follow_redirects=False)

    def look(_):
        number = next(looks)
        if number == 1:
            ended()
        served.control.change(run_id, progress=f"look {number}")
        return served.control.known[run_id]

    monkeypatch.setattr(served.control, "run", look)
    answer = served.client.get(f"/v1/runs/{run_id}/events", headers=headers)
    assert [state["progress"] for _, state in events_of(answer.text)] == ["look 0", "look 1"]


def test_without_dagster_it_says_so_and_names_no_place(served, operator):
    served.control.down = True
    for path in ("/v1/runs", "/v1/runs/run-0000", "/v1/programs/triage/stages"):
        answer = served.get(path, operator)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert "/secret/place" not in answer.text
        assert answer.json()["id"] == answer.headers["x-request-id"]
