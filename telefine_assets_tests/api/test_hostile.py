"""Whatever a stranger or a key-holder sends is answered with 4xx and a problem, and never with 5xx."""

import json

import pytest

from telefine_assets_tests.cli.attested_home import ALICE, MONDAY

PROGRAM = "/v1/programs/triage"
UID = "0x" + "1" * 64


@pytest.fixture(scope="module")
def admin(full):
    return full.key("admin")


def refused(answer, *statuses):
    assert answer.status_code in (statuses or range(400, 500)), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["type"] == f"urn:telefine:problem:{body['code']}"
    assert {"title", "detail"} <= body.keys()
    return body


@pytest.mark.parametrize(
    "path",
    [
        "/programs",
        "/static/..%2fpages.css",
        "/static/pages.css%00",
        "/static/verify/..%5cpage.html",
        "/attestations/x",
        "/contributors/x",
        "/v1",
        "/v1/programs/",
        "/v1//programs",
        "/V1/programs",
        "/v1/programs/../../etc/passwd",
        "/v1/programs/%2e%2e/reports",
        "/v1/programs/triage%2freports",
        "/v1/programs/triage%00",
        "/v1/programs/%ff%fe",
        "/v1/programs/%ed%a0%80",
        f"{PROGRAM}/reports/..%2f..%2f{MONDAY}",
        f"{PROGRAM}/reports/{MONDAY}.json",
        f"{PROGRAM}/reports/{MONDAY}%0a",
        f"{PROGRAM}/reports/{MONDAY}%20",
        f"{PROGRAM}/reports/٢٠٢٦-١١-٠٢",
        f"{PROGRAM}/reports/2026-99-99",
        f"{PROGRAM}%5Creports",
        f"{PROGRAM}/versions/%2e%2e%2f%2e%2e",
        f"{PROGRAM}/versions/CHAMPION",
        f"{PROGRAM}/versions/{'a' * 65}",
        f"{PROGRAM}/contributors/{ALICE[:-1]}",
        f"{PROGRAM}/contributors/{ALICE}%00/claim",
        f"{PROGRAM}/contributors/0x{'0' * 40}/claim",
        f"{PROGRAM}/contributors/0xdBF03B407c01E7cD3CBea99509d93f8DDDC8C6Fb/claim",
        f"{PROGRAM}/contributors/alice.eth/claim",
        f"/v1/attestations/{UID.upper()}",
        f"/v1/attestations/{UID}",
        f"/v1/attestations/{UID}0",
        f"/v1/attestations/{UID}/evidence/../../../ledger.db",
        f"/v1/attestations/{UID}/evidence/{'0' * 63}g",
        "/v1/runs/..%2f..",
        "/v1/runs/%0d%0aSet-Cookie:%20a=b",
        "/v1/runs/" + "a" * 65,
        "/v1/attestations?limit=0",
        "/v1/attestations?limit=201",
        "/v1/attestations?limit=1e2",
        "/v1/attestations?limit=" + "9" * 400,
        "/v1/attestations?limit=1&limit=2",
        "/v1/attestations?limit=1&%6cimit=2",
        "/v1/attestations?limt=1",
        "/v1/attestations?cursor=%00",
        "/v1/attestations?cursor=%ff",
        "/v1/attestations?cursor=" + "A" * 1_025,
        "/v1/attestations?" + "&".join(f"a{number}=1" for number in range(60)),
        f"{PROGRAM}/contributors/{ALICE}/traces?first=2026-02-30&last=2026-03-01",
        f"{PROGRAM}/contributors/{ALICE}/traces?first=0000-00-00",
        "/v1/runs?program=..",
        "/v1/runs?program=",
        "/v1/openapi.json?x=1",
        "/docs",
        "/.env",
    ],
)
def test_odd_addresses(full, admin, path):
    refused(full.get(path, admin), 400, 404, 422)


def test_long_addresses(full, admin):
    refused(full.get("/v1/programs/" + "a" * 5_000, admin), 414)
    refused(full.get("/v1/programs?cursor=" + "a" * 5_000, admin), 414)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND", "G", "X" * 300])
def test_odd_methods(full, admin, method):
    refused(full.client.request(method, "/v1/programs", headers=full.headers(admin)), 405)


DEEP = b"[" * 100_000
BODIES = {
    "nothing": b"",
    "no json": b"{",
    "deep": DEEP[:30_000] + b"]" * 30_000,
    "deep objects": b'{"a":' * 8_000 + b"1" + b"}" * 8_000,
    "deep in a field": b'{"program": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    "a list": b"[]",
    "a number": b"1e999",
    "not a number": b"NaN",
    "a long number": b"1" * 10_000,
    "a bad string": b'"\xff\xfe"',
    "half a pair": b'{"program": "\\ud800", "first": "a", "last": "b"}',
    "half a pair as a key": b'{"\\ud800": 1}',
    "a NUL": b'{"program": "a\\u0000b", "first": "2026-11-02", "last": "2026-11-02"}',
    "a repeated key": b'{"program": "triage", "program": "other", "first": "2026-11-02", "last": "2026-11-02"}',
    "another encoding": '{"program": "triage"}'.encode("utf-16"),
    "a mark in front": b"\xef\xbb\xbf{}",
    "unknown fields": b'{"program": "triage", "first": "2026-11-02", "last": "2026-11-02", "__class__": "x"}',
    "many fields": json.dumps({f"f{number}": number for number in range(3_000)}).encode(),
    "a path": b'{"program": "../../x", "first": "2026-11-02", "last": "2026-11-02"}',
    "many stages": json.dumps(
        {"program": "triage", "stages": ["x"] * 51, "first": "2026-11-02", "last": "2026-11-02"}
    ).encode(),
}


@pytest.mark.parametrize("path", ["/v1/runs", f"{PROGRAM}/traces"])
@pytest.mark.parametrize("name", BODIES)
def test_odd_bodies(full, admin, path, name):
    kind = {"Content-Type": "application/json"}
    answer = full.client.post(path, content=BODIES[name], headers=full.headers(admin) | kind)
    refused(answer, 400, 422)
    assert full.control.asked == []


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "a" * 999]
)
def test_bodies_of_another_kind(full, admin, kind):
    answer = full.client.post("/v1/runs", content=b"{}", headers=full.headers(admin) | {"Content-Type": kind})
    refused(answer, 415)


def test_a_large_body_is_refused_before_it_is_read(full, admin):
    limit, sent = full.settings.api.max_body_bytes, []

    def endless():
        for _ in range(100):
            sent.append(1)
            yield b"x" * 16_384

    headers = full.headers(admin) | {"Content-Type": "application/json"}
    refused(full.client.post("/v1/runs", content=b"x" * (limit + 1), headers=headers), 413)
    refused(full.client.post("/v1/runs", content=endless(), headers=headers), 413)
    refused(full.client.post("/v1/runs", content=b"{}", headers=headers | {"Content-Length": str(2**70)}), 400, 413)
    refused(full.client.post("/v1/runs", content=b"{}", headers=headers | {"Content-Length": "-1"}), 400)
    refused(full.client.post("/v1/runs", content=b"{}", headers=headers | {"Content-Length": "2, 2"}), 400)


def test_a_body_is_not_read_before_the_caller_is_let_in(full):
    refused(full.client.post("/v1/runs", content=b"{", headers={"Content-Type": "application/json"}), 401)
    refused(full.client.post("/v1/runs", content=b"{", headers=full.headers(full.key("read"))), 403)


@pytest.mark.parametrize(
    "headers",
    [
        [("Authorization", "Bearer a"), ("Authorization", "Bearer b")],
        [("Content-Type", "application/json"), ("Content-Type", "text/plain")],
        [("Host", "a"), ("Host", "b")],
        [("Authorization", "Bearer \xff\xfe")],
        [("Authorization", "")],
        [("Authorization", "Bearer " + "a" * 50_000)],
    ],
)
def test_odd_headers(full, headers):
    refused(
        full.client.get("/v1/programs", headers=[(name, value.encode("latin-1")) for name, value in headers]),
        400,
        401,
        431,
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"Range": "bytes=0-0"},
        {"Range": "bytes=9999999999999-,0-1,0-1"},
        {"If-None-Match": "\x01" * 100},
        {"If-None-Match": '"' * 20_000},
        {"If-None-Match": 'W/"' * 5_000 + ","},
        {"If-Match": '"x"'},
        {"Accept": "image/png"},
        {"Accept-Encoding": "x" * 1_000},
        {"X-Forwarded-For": "1.2.3.4, evil"},
        {"X-HTTP-Method-Override": "DELETE"},
        {"X-Request-Id": "a\tb"},
        {"Origin": "null"},
        {"Expect": "100-continue"},
    ],
)
def test_headers_that_are_not_asked_for_change_nothing(full, admin, headers):
    plain, odd = full.get("/v1/attestations", admin), full.get("/v1/attestations", admin, **headers)
    assert (odd.status_code, odd.content) == (200, plain.content)
    assert odd.headers["x-request-id"] not in headers.values()


def test_nothing_that_was_sent_comes_back_in_a_header(full, admin):
    for path in ("/v1/runs/%0d%0aSet-Cookie:a=b", f"{PROGRAM}/reports/%0d%0ax", "/v1/programs?limit=%0d%0aX:%20y"):
        answer = full.get(path, admin)
        refused(answer, 400)
        assert "set-cookie" not in answer.headers
        assert "x" not in answer.headers
