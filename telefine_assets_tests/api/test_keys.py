"""Keys: what opens what, until when, how often, and where a key is never seen."""

import logging
import re

import pytest
from starlette.testclient import TestClient

from telefine_assets.ledger.api_keys import ApiKeys
from telefine_assets.ledger.audit import Audit
from telefine_assets_tests.api.served import NOW

SCOPES = ("read", "submit", "operate", "admin")
BODY = {"program": "triage", "first": "2026-11-02", "last": "2026-11-02"}


def id_of(key):
    return key.split("_")[1]


@pytest.mark.parametrize("scope", SCOPES)
def test_a_key_opens_what_its_scope_says_and_admin_everything(served, scope):
    key = served.key(scope)
    assert served.get("/v1/programs", key).status_code == (200 if scope in ("read", "admin") else 403)
    assert served.post("/v1/runs", key, BODY).status_code == (202 if scope in ("operate", "admin") else 403)
    assert served.post("/v1/programs/triage/traces", key, {}).status_code == (
        422 if scope in ("submit", "admin") else 403
    )


def test_a_key_opens_nothing_once_it_has_expired(served):
    key = served.key("read", days=1)
    served.wait(86_399)
    assert served.get("/v1/programs", key).status_code == 200
    served.wait(1)
    assert served.get("/v1/programs", key).status_code == 401


def test_a_revoked_key_opens_nothing_at_once(served):
    key, other = served.key("read"), served.key("read")
    assert served.get("/v1/programs", key).status_code == 200
    ApiKeys(served.here.ledger).revoke(id_of(key), "it leaked", "me", NOW)
    assert served.get("/v1/programs", key).status_code == 401
    assert served.get("/v1/programs", other).status_code == 200


def test_a_bad_key_is_refused_even_where_none_is_needed(served):
    key = served.key("read")
    wrong = key[:-1] + ("0" if key[-1] != "0" else "1")
    for said in (wrong, key.upper(), key + " ", "telefine_", "", id_of(key)):
        answer = served.get("/v1/attestations", Authorization=f"Bearer {said}")
        assert answer.status_code == 401, said
    assert served.get("/v1/attestations", Authorization=f"Basic {key}").status_code == 401
    assert served.get("/v1/attestations", Authorization=f"bearer {key}").status_code == 200


def test_no_key_is_in_an_answer_a_log_or_the_database(served, caplog):
    caplog.set_level(logging.DEBUG)
    key = served.key("read", "operate")
    secret = key.split("_")[2]
    answers = [
        served.get("/v1/programs", key),
        served.get(f"/v1/programs?cursor={key}", key),
        served.get(f"/v1/programs/{key}", key),
        served.get("/v1/programs", key + "x"),
        served.post("/v1/runs", key, {"program": key}),
        served.client.request(key, "/v1/programs"),
    ]
    assert not [each for each in answers if secret in each.text + str(each.headers)]
    # The client's own log has the addresses that it asks for.
    logged = [each for each in caplog.records if not each.name.startswith("http")]
    assert not [each for each in logged if secret in each.getMessage()]
    assert len([each for each in logged if each.name == "telefine.api"]) >= len(answers)
    assert secret not in served.here.ledger.file.read_bytes().hex()
    assert secret.encode() not in served.here.ledger.file.read_bytes()


def test_a_key_may_burst_and_then_go_on_at_its_rate(serve):
    served = serve(requests_burst=3, requests_per_second=2)
    key, other = served.key("read"), served.key("read")
    assert [served.get("/v1/programs", key).status_code for _ in range(4)] == [200, 200, 200, 429]
    assert served.get("/v1/programs", other).status_code == 200
    served.wait(0.5)
    assert [served.get("/v1/programs", key).status_code for _ in range(2)] == [200, 429]
    refused = served.get("/v1/programs", key)
    assert (refused.headers["retry-after"], refused.json()["code"]) == ("1", "rate_limited")
    served.wait(-3_600)
    assert served.get("/v1/programs", key).status_code == 429


def test_strangers_have_limits_of_their_own_and_guessing_uses_them_up(serve):
    served = serve(anonymous_burst=3, anonymous_per_minute=60)
    wrong = "telefine_" + "0" * 16 + "_" + "0" * 64
    assert [served.get("/v1/programs", wrong).status_code for _ in range(4)] == [401, 401, 401, 429]
    assert served.get("/v1/attestations").status_code == 429
    assert served.get("/v1/programs", served.key("read")).status_code == 200
    assert served.get("/v1/health").status_code == 200
    served.wait(1)
    assert served.get("/v1/attestations").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/openapi.json", 200),
        ("GET", "/verify", 200),
        ("GET", "/nothing", 404),
        ("GET", "/v1/attestations?nothing=1", 400),
        ("PUT", "/v1/attestations", 405),
    ],
)
def test_what_asks_nobody_who_he_is_costs_strangers_a_token(serve, method, path, status):
    served = serve(anonymous_burst=2, anonymous_per_minute=60)
    assert [served.client.request(method, path).status_code for _ in range(3)] == [status, status, 429]
    assert served.get("/v1/programs", served.key("read")).status_code == 200


def test_a_file_of_a_page_costs_so_little_that_pages_load_and_is_not_free(serve):
    served = serve(anonymous_burst=1, anonymous_per_minute=1)
    codes = [served.get("/static/pages.css").status_code for _ in range(52)]
    assert (codes[:49], codes[51]) == ([200] * 49, 429)


def test_an_address_has_one_bucket_however_it_is_written(serve):
    served = serve(anonymous_burst=2, anonymous_per_minute=1)

    def codes(*hosts):
        clients = [TestClient(served.app, client=(host, 1)) for host in hosts]
        return [each.get("/v1/attestations").status_code for each in clients]

    assert codes("::ffff:203.0.113.7", "203.0.113.7", "::ffff:203.0.113.7") == [200, 200, 429]
    assert codes("::ffff:198.51.100.9", "198.51.100.9") == [200, 200]
    assert codes("2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1") == [200, 200, 429, 200]
    assert codes("nobody", "192.0.2.01", "192.0.2.1:99") == [200, 200, 429]


def test_dear_requests_cost_more(serve):
    served = serve(anonymous_burst=15, anonymous_per_minute=60)
    path = "/v1/attestations/0x" + "0" * 64 + "/verification"
    assert [served.get(path).status_code for _ in range(2)] == [404, 429]


def test_whatever_changes_something_is_audited_with_the_keys_id(served):
    key = served.key("operate", "read")
    (run_id,) = served.post("/v1/runs", key, BODY | {"stages": ["traces"]}).json()["runs"]
    assert served.post(f"/v1/runs/{run_id}/stop", key).json()["status"] == "canceled"
    audit = Audit(served.here.ledger)
    made, asked, stopped = audit.rows()
    assert audit.verify() == 3
    assert made.subject == asked.actor == stopped.actor == f"key {id_of(key)}"
    assert asked.details == {"stages": "traces", "first": "2026-11-02", "last": "2026-11-02"}
    assert (asked.subject, stopped.subject) == ("runs of triage", f"run {run_id}")
    assert served.control.asked[0].by == f"key {id_of(key)}"


def test_what_cannot_be_audited_is_not_done(served, monkeypatch):
    key = served.key("operate")

    def broken(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(Audit, "append", broken)
    served.client = served.lenient()
    assert served.post("/v1/runs", key, BODY).status_code == 500
    assert served.control.asked == []


def test_a_key_is_random_to_its_last_digit():
    from telefine_assets.ledger.api_keys import _KEY

    assert re.fullmatch(_KEY, "telefine_" + "f" * 16 + "_" + "f" * 64)
    assert not re.fullmatch(_KEY, "telefine_" + "f" * 16 + "_" + "f" * 63)
