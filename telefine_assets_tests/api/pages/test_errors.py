"""What goes wrong is told to people by a page and to programs by a problem."""

import pytest

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nowhere", 404),
        ("/programs/nobody", 404),
        ("/programs/%3Cscript%3E", 404),
        ("/programs/..%2f", 400),
        ("/programs/%00", 400),
        ("/attestations/0x12", 404),
        ("/attestations/0x" + "0" * 64, 404),
        ("/attestations/0x" + "g" * 64, 404),
        ("/contributors/x", 400),
        ("/programs/triage?page=2", 400),
        ("/programs/triage/reports/2026-11-02", 401),
        ("/" + "a" * 5_000, 414),
        ("/v1x", 404),
    ],
)
def test_a_browser_gets_a_page_and_a_program_a_problem(told, path, status):
    page, problem = told.client.get(path, headers=HTML), told.client.get(path)
    assert (page.status_code, problem.status_code) == (status, status)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-length"] == str(len(page.content))
    assert "<h1>" in page.text
    assert 'href="/contributors"' in page.text
    assert "<script" not in page.text
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.json()["status"] == status


def test_the_api_answers_problems_whoever_asks(told):
    for path in ("/v1/nowhere", "/v1/programs", "/v1", "/v1/attestations/0x12"):
        answer = told.client.get(path, headers=HTML)
        assert answer.headers["content-type"] == "application/problem+json", path


def test_methods_that_are_not_for_an_address(told):
    for method in ("POST", "PUT", "DELETE"):
        answer = told.client.request(method, "/programs/triage", headers=HTML)
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
        assert answer.headers["content-type"].startswith("text/html")


def test_whatever_can_be_had_can_be_asked_about(told):
    for path in ("/", "/nowhere", "/static/pages.css"):
        got, asked = told.client.get(path, headers=HTML), told.client.head(path, headers=HTML)
        assert (asked.status_code, asked.content) == (got.status_code, b"")
        assert asked.headers["content-type"] == got.headers["content-type"]


def test_a_defect_is_told_by_its_id_alone(told, monkeypatch):
    def broken(*_):
        raise RuntimeError("secret of the house")

    monkeypatch.setattr(told.here.champions, "current", broken)
    answer = told.lenient().get("/programs/triage", headers=HTML)
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] in answer.text
    assert "secret of the house" not in answer.text


def test_too_many_requests_are_told_on_a_page_with_when_to_come_again(told, monkeypatch):
    monkeypatch.setattr(told.here.strangers, "take", lambda *_: 2.5)
    answer = told.client.get("/", headers=HTML)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")
    assert "Try again in 3 s." in answer.text
