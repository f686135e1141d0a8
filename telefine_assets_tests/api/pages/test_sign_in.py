"""Signing in: what the cookie opens, what it never opens, and that no other site can use it."""

import logging
import re

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from telefine_assets.api.problems import explain_problems
from telefine_assets.api.security import requires
from telefine_assets.api.sessions import SECONDS, Sessions
from telefine_assets.ledger.api_keys import ApiKeys
from telefine_assets_tests.api.pages.told import Told
from telefine_assets_tests.api.served import NOW

WRONG = "telefine_" + "0" * 16 + "_" + "0" * 64
RUN = {"program": "triage", "first": "2026-11-02", "last": "2026-11-02"}


@pytest.fixture
def fresh(home):
    """Servers of the same home that nobody has asked anything, with changes to ``api``."""

    return lambda **api: Told(*home, **api)


def is_in(told, cookie):
    return "Signed in" in told.look("/", cookie).text


def test_a_good_key_opens_a_session_whose_cookie_scripts_and_other_sites_cannot_use(told):
    answer = told.send("/sign-in", f"key={told.key('read')}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    said = answer.headers["set-cookie"]
    assert re.fullmatch(r"telefine_session=[\w-]{43}; HttpOnly; Max-Age=43200; Path=/; SameSite=strict", said)
    assert "telefine_" not in said.split("=", 1)[1]
    told.client.cookies.clear()


def test_over_https_the_cookie_is_for_https_alone(told):
    answer = told.client.post(
        "https://testserver/sign-in",
        content=f"key={told.key('read')}",
        headers={"Content-Type": "application/x-www-form-urlencoded", "Origin": "https://testserver"},
        follow_redirects=False,
    )
    assert answer.headers["set-cookie"].endswith("; SameSite=strict; Secure")
    told.client.cookies.clear()


def test_a_wrong_key_is_told_on_the_page_and_never_repeated(told):
    answer = told.send("/sign-in", f"key={WRONG}")
    assert answer.status_code == 401
    assert "This key is unknown, expired or revoked." in answer.text
    assert "0" * 64 not in answer.text + str(answer.headers)
    assert "set-cookie" not in answer.headers
    assert told.send("/sign-in", f"key={told.key('submit')}").status_code == 403


def test_guessing_is_limited_as_the_api_limits_it(fresh):
    told = fresh(anonymous_burst=3, anonymous_per_minute=60)
    assert [told.send("/sign-in", f"key={WRONG}").status_code for _ in range(4)] == [401, 401, 401, 429]
    assert told.get("/v1/attestations").status_code == 429
    refused = told.send("/sign-in", f"key={WRONG}")
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Sec_Fetch_Site": "none"}, 403),
        ({"Sec_Fetch_Site": "cross-site", "Origin": "http://testserver"}, 403),
        ({"Sec_Fetch_Site": "same-origin"}, 303),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "application/json"}, 415),
    ],
)
def test_only_our_own_form_signs_in(told, sent, status):
    answer = told.send("/sign-in", f"key={told.key('read')}", **sent)
    assert answer.status_code == status
    assert ("set-cookie" in answer.headers) == (status == 303)
    told.client.cookies.clear()


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://testserver", 303),
        ("http://evil.example", 403),
        ("null", 403),
        ("http://testserver.evil", 403),
        ("http://[", 403),
        ("http://a]b", 403),
        ("http://\u2100", 403),
        ("ftp://testserver", 403),
        (None, 403),
    ],
)
@pytest.mark.parametrize("path", ["/sign-in", "/sign-out"])
def test_a_browser_that_says_no_site_must_name_the_origin(told, path, origin, status):
    headers = {"Content-Type": "application/x-www-form-urlencoded"} | ({"Origin": origin.encode()} if origin else {})
    body = f"key={told.key('read')}"
    assert told.client.post(path, content=body, headers=headers, follow_redirects=False).status_code == status
    told.client.cookies.clear()


def test_no_host_is_no_origin(told):
    for path in ("/sign-in", "/sign-out"):
        assert told.client.post(path, headers={"Host": ""}, follow_redirects=False).status_code == 403
        assert told.client.post(path, headers={"Host": "", "Origin": "http://"}).status_code == 403


def test_forms_of_other_sites_and_signing_out_cost_what_asking_costs(fresh):
    told = fresh(anonymous_burst=2, anonymous_per_minute=60)
    assert [told.send("/sign-in", Sec_Fetch_Site="cross-site").status_code for _ in range(3)] == [403, 403, 429]
    told.wait(2)
    assert [told.send("/sign-out").status_code for _ in range(3)] == [303, 303, 429]


def test_who_signs_in_anew_leaves_no_session_behind(told):
    old = told.signed_in()
    answer = told.send("/sign-in", f"key={told.key('read')}", Cookie=f"telefine_session={old}")
    told.client.cookies.clear()
    new = answer.headers["set-cookie"].partition(";")[0].partition("=")[2]
    assert (is_in(told, old), is_in(told, new)) == (False, True)


def test_the_page_of_a_report_is_kept_by_no_browser_and_framed_by_no_site(told):
    answer = told.look("/programs/triage/reports/2026-11-02", told.signed_in())
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert answer.headers["vary"] == "Authorization, Cookie"
    for said in ("frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"):
        assert said in answer.headers["content-security-policy"]
        shown = told.get("/v1/programs/triage/reports/2026-11-02/page", told.key("read"))
        assert said in shown.headers["content-security-policy"]


@pytest.mark.parametrize("body", ["", "key=", "key=a&key=b", "a=1&" * 50, "key=%ff", "key=" + "x" * 10_000, "\u00e9"])
def test_odd_forms_are_refused(told, body):
    assert told.send("/sign-in", body.encode()).status_code in (400, 401)


def test_the_cookie_opens_pages_and_the_events_of_runs_and_nothing_else(told, monkeypatch):
    run_id = told.control.begin()
    told.control.change(run_id, ended_ms=1)
    monkeypatch.setattr("telefine_assets.api.runs.MOST_SECONDS", 0.0)
    monkeypatch.setattr("telefine_assets.api.runs.LOOK_SECONDS", 0.0)
    cookie = told.signed_in("admin")
    sent = {"Cookie": f"telefine_session={cookie}"}
    assert is_in(told, cookie)
    assert told.get(f"/v1/runs/{run_id}/events", **sent).status_code == 200
    assert told.get(f"/v1/runs/{run_id}/events").status_code == 401
    for path in ("/v1/programs", "/v1/programs/triage/reports", "/v1/runs", f"/v1/runs/{run_id}"):
        assert told.get(path, **sent).status_code == 401, path
    for path, body in (("/v1/runs", RUN), (f"/v1/runs/{run_id}/stop", None), ("/v1/programs/triage/traces", {})):
        assert told.client.post(path, json=body, headers=sent).status_code == 401, path
    assert (told.control.asked, told.control.stopped) == ([], [])


def test_what_changes_something_cannot_be_opened_by_a_cookie_even_by_mistake(told):
    app = FastAPI()
    app.state.deployment, app.state.sessions = told.here, told.app.state.sessions
    explain_problems(app)
    for method in ("GET", "POST", "DELETE"):
        app.add_api_route("/x", lambda: "done", methods=[method], dependencies=[requires("read", session=True)])
    client = TestClient(app, cookies={"telefine_session": told.signed_in()})
    assert [client.request(method, "/x").status_code for method in ("GET", "POST", "DELETE")] == [200, 401, 401]


def test_a_session_ends_with_its_key_its_time_and_its_sign_out(told):
    key = told.key("read")
    cookies = []
    for _ in range(3):
        answer = told.send("/sign-in", f"key={key}")
        cookies.append(answer.headers["set-cookie"].split(";")[0].split("=")[1])
        told.client.cookies.clear()
    assert all(is_in(told, cookie) for cookie in cookies)
    gone = told.send("/sign-out", Cookie=f"telefine_session={cookies[0]}")
    assert (gone.status_code, gone.headers["location"]) == (303, "/")
    assert 'telefine_session=""' in gone.headers["set-cookie"]
    assert [is_in(told, cookie) for cookie in cookies] == [False, True, True]
    ApiKeys(told.here.ledger).revoke(key.split("_")[1], "it leaked", "me", NOW)
    assert not any(is_in(told, cookie) for cookie in cookies)
    late = told.signed_in()
    told.wait(SECONDS - 1)
    assert is_in(told, late)
    told.wait(1)
    assert not is_in(told, late)


def test_a_made_up_cookie_opens_nothing(told):
    for cookie in ("", "x", "0" * 43, "\xff", "a" * 4_000):
        assert not is_in(told, cookie.encode("latin-1").decode("ascii", "replace").replace("\ufffd", "?"))


def test_who_signs_in_is_limited_as_the_key_is(fresh):
    told = fresh(requests_burst=3, requests_per_second=1)
    cookie = told.signed_in()
    assert [told.look("/", cookie).status_code for _ in range(3)] == [200, 200, 429]
    assert told.look("/").status_code == 200


def test_the_key_is_in_no_address_log_or_page(told, caplog):
    caplog.set_level(logging.DEBUG)
    key = told.key("read")
    secret = key.split("_")[2]
    answers = [told.send("/sign-in", f"key={key}"), told.look("/"), told.look("/sign-in"), told.look(f"/{key}")]
    answers += [told.send("/sign-in", f"key={key}x"), told.look(f"/sign-in?key={key}")]
    told.client.cookies.clear()
    assert not [each for each in answers if secret in each.text + str(each.headers)]
    assert answers[-1].status_code == 400
    logged = [each for each in caplog.records if not each.name.startswith("http")]
    assert not [each for each in logged if secret in each.getMessage()]


def test_old_sessions_make_room_for_new_ones():
    sessions = Sessions(most=2)
    tokens = [sessions.open(f"k{number}", 0.0) for number in range(3)]
    assert [sessions.key_of(token, 1.0) for token in tokens] == [None, "k1", "k2"]
    assert len(set(tokens)) == 3


def test_one_key_pushes_nobody_elses_session_out():
    sessions = Sessions(most=5, of_a_key=2)
    other, *own = [sessions.open(key_id, 0.0) for key_id in ("other", *["busy"] * 9)]
    assert sessions.key_of(other, 1.0) == "other"
    assert [bool(sessions.key_of(token, 1.0)) for token in own] == [False] * 7 + [True] * 2
