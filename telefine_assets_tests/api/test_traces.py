"""Handing traces in: on disk when it is answered, each once, and nobody's mistake costs another his trace."""

import json
from datetime import timedelta

import pytest

from telefine_assets.api import traces
from telefine_assets.attribution.submissions import Scope, sign_submission
from telefine_assets.ledger.spool import Spool
from telefine_assets.ledger.submissions import Submissions
from telefine_assets.traces.clusters import cluster_of
from telefine_assets.traces.spooling import trace_id_of
from telefine_assets_tests.api.served import NOW
from telefine_assets_tests.attribution.signing import ADA, BOB, SALT

PATH = "/v1/programs/triage/traces"
NOW_MS = int(NOW.timestamp() * 1000)


@pytest.fixture
def sender(served):
    return served.key("submit")


@pytest.fixture
def send(served, sender):
    """Hand traces in; returns status and body."""

    def send(*given, key=None, by=None, path=PATH):
        headers = served.headers(by or sender) | ({} if key is None else {"Idempotency-Key": key})
        answer = served.client.post(path, headers=headers, json={"traces": list(given)})
        return answer.status_code, answer.json()

    return send


def late(number=0, **more):
    return {"inputs": {"ticket": f"parcel {number}"}} | more


def signed(served, number, signer=ADA, program="triage", contributor=None):
    """A trace that its contributor signed for, now."""
    digest = Scope(served.settings.deployment, program).trace_digest(cluster_of(late(number)["inputs"]))
    tag = sign_submission(signer, digest, NOW_MS // 1000, SALT).to_tag()
    return late(number, contributor=contributor or signer.address, submission=tag)


def outcomes(body):
    return [each["outcome"] for each in body["results"]]


def waiting(served):
    return Spool(served.here.ledger).waiting("triage", 10**6)


def test_traces_are_in_the_spool_when_they_are_answered(served, sender, send):
    status, body = send(late(1, session="s"), late(2), late(1, session="s"))
    assert (status, body["accepted"], outcomes(body)) == (202, 2, ["accepted", "accepted", "duplicate"])
    rows = waiting(served)
    assert [trace_id_of(row.identity) for row in rows] == [each["trace_id"] for each in body["results"][:2]]
    assert json.loads(rows[0].body) == late(1, session="s")
    assert {(row.submitter, row.received_ms) for row in rows} == {(sender.split("_")[1], NOW_MS)}


def test_a_batch_that_is_sent_again_is_answered_the_same(served, send):
    first = send(late(1), late(2), key="batch-1")
    served.now += timedelta(days=30)
    assert send(late(1), late(2), key="batch-1") == first
    status, body = send(late(1), late(2))
    assert (status, body["accepted"], outcomes(body)) == (202, 0, ["duplicate", "duplicate"])
    assert len(waiting(served)) == 2


def test_another_batch_under_the_same_key_is_refused(served, send):
    send(late(1), key="batch-1")
    status, problem = send(late(2), key="batch-1")
    assert (status, problem["code"]) == (409, "key_reused")
    assert len(waiting(served)) == 1
    assert send(late(2), key="batch-1", by=served.key("submit"))[0] == 202


def test_one_wrong_trace_does_not_cost_the_others_theirs(served, send):
    week = 7 * 86_400_000
    status, body = send(
        late(1),
        {"inputs": {"other": "x"}},
        late(2, time_ms=NOW_MS + 300_001),
        late(3, time_ms=NOW_MS - week - 1),
        late(4, time_ms=NOW_MS - week),
        late(5, id="a"),
        late(6, id="a"),
        late(7, outputs={"text": "x" * 1_000_000}),
    )
    assert status == 202
    assert outcomes(body) == [
        "accepted", "refused", "refused", "refused", "accepted", "accepted", "conflict", "refused",
    ]  # fmt: skip
    reasons = [str(each["reason"]).partition(":")[0] for each in body["results"]]
    assert (reasons[1], reasons[2], reasons[3], reasons[7]) == (
        "missing_inputs",
        "wrong_time",
        "wrong_time",
        "too_large",
    )
    assert "ticket" in body["results"][1]["reason"]
    assert len(waiting(served)) == 3


def test_tags_that_have_fields_of_their_own_are_refused(served, sender):
    target = traces.Target(Scope("shop", "triage"), ("ticket",), frozenset(), frozenset({"who"}))
    given = traces.SubmittedTrace(inputs={"ticket": "x"}, tags={"who": "me"})
    [verdict] = traces.accept_traces(Spool(served.here.ledger), target, [given], "key", None, NOW_MS)
    assert verdict.reason is not None
    assert verdict.reason.startswith("reserved_tag: who")


def test_an_expectation_of_null_is_taken_where_it_will_be_read_and_else_refused_by_its_name(served, send):
    status, body = send(late(1, expectations={"right_team": None}), late(2, expectations={"right_team": [None]}))
    assert (status, outcomes(body), len(waiting(served))) == (202, ["refused", "accepted"], 1)
    assert body["results"][0]["reason"].startswith("null_expectation: right_team. Leave out what nobody expects;")
    target = traces.Target(Scope("shop", "triage"), ("ticket",), frozenset({"right_due"}), frozenset())
    given = traces.SubmittedTrace(inputs={"ticket": "x"}, expectations={"right_due": None})
    [verdict] = traces.accept_traces(Spool(served.here.ledger), target, [given], "key", None, NOW_MS)
    assert verdict.outcome is traces.Outcome.ACCEPTED


def test_a_signed_submission_is_checked_and_logged_with_its_trace(served, send):
    status, body = send(
        signed(served, 1),
        signed(served, 1, BOB),
        signed(served, 2, contributor=BOB.address),
        signed(served, 3, program="other"),
        late(4, contributor=ADA.address, submission="{}"),
    )
    assert (status, outcomes(body)) == (202, ["accepted", "accepted", "refused", "refused", "refused"])
    assert [each["place"] for each in body["results"]] == [0, 1, None, None, None]
    reasons = [str(each["reason"]).partition(":")[0] for each in body["results"][2:]]
    assert reasons == ["wrong_contributor", "bad_signature", "malformed"]
    rows = Submissions(served.here.ledger).rows("triage")
    assert [(row.entry.contributor, row.received_ms) for row in rows] == [(ADA.address, NOW_MS), (BOB.address, NOW_MS)]
    assert send(signed(served, 1))[1]["results"][0]["place"] == 0


def test_more_signatures_than_are_checked_at_once_are_refused_before_they_cost_anything(served, send, monkeypatch):
    monkeypatch.setattr(traces, "MAX_SIGNED", 1)
    status, problem = send(signed(served, 1), signed(served, 2))
    assert (status, problem["code"]) == (422, "too_many_signed")
    assert waiting(served) == []


def test_only_keys_that_may_submit_do(served, send):
    for scope in ("read", "operate"):
        assert send(late(1), by=served.key(scope))[0] == 403
    assert served.client.post(PATH, json={"traces": [late(1)]}).status_code == 401
    assert send(late(1), path="/v1/programs/none/traces")[0] == 404
    assert waiting(served) == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 422),
        (b"{}", 422),
        (b'{"traces": []}', 422),
        (b'{"traces": [{}]}', 422),
        (b'{"traces": [{"inputs": {"ticket": NaN}}]}', 400),
        (b'{"traces": [{"inputs": {"ticket": 1, "ticket": 2}}]}', 400),
        (b'{"traces": [{"inputs": {"ticket": "\\ud800"}}]}', 400),
        (b'{"traces": [{"inputs": {"ticket": "\xff"}}]}', 400),
        (b'{"traces": [{"inputs": {"ticket": ' + b"[" * 150 + b"]" * 150 + b"}}]}", 422),
        (b'{"traces": [{"inputs": {"ticket": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}]}", 400),
        (b'{"traces": [{"inputs": {"ticket": 1e400}}]}', 422),
        (b'{"traces": [{"inputs": {"ticket": 1' + b"0" * 5_000 + b"}}]}", 400),
    ],
)
def test_hostile_bodies_are_refused(served, sender, body, status):
    headers = served.headers(sender) | {"Content-Type": "application/json"}
    answer = served.client.post(PATH, headers=headers, content=body)
    assert (answer.status_code in (400, 422), answer.headers["content-type"]) == (True, "application/problem+json")
    assert answer.status_code == status
    assert waiting(served) == []


@pytest.mark.parametrize("key", ["", "a b", "é", "x" * 256])
def test_an_idempotency_key_is_a_word(served, sender, key):
    headers = {**served.headers(sender), "Idempotency-Key": key.encode()}
    assert served.client.post(PATH, headers=headers, json={"traces": [late(1)]}).status_code == 422


def test_ten_thousand_traces_are_one_batch_and_no_more(served, send):
    status, body = send(*(late(number) for number in range(10_000)))
    assert (status, body["accepted"], len(waiting(served))) == (202, 10_000, 10_000)
    assert send(*(late(number) for number in range(10_001)))[0] == 422


def test_the_document_describes_the_body_without_loose_ends(served):
    document = served.get("/v1/openapi.json").json()
    content = document["paths"]["/v1/programs/{program}/traces"]["post"]["requestBody"]["content"]["application/json"]
    assert "$ref" not in json.dumps(content)
    assert traces.TraceBatch.model_validate_json(json.dumps(content["example"])).traces[0].id == "call-4711"
