"""What HTTP promises: ETags, HEAD, OPTIONS, problems, pages of lists; and that what is kept is never stale."""

import hashlib
import json

import pytest

from telefine_assets.api.stored import Kept, KeptRecords
from telefine_assets.ledger.spool import Spool
from telefine_assets.store.files import Files
from telefine_assets.store.records import RecordStore
from telefine_assets_tests.cli.attested_home import ALICE, MONDAY
from telefine_assets_tests.deltaone.told import no_look
from telefine_assets_tests.ledger.spooling import batch, offer

STORED = [
    "/v1/programs",
    f"/v1/programs/triage/reports/{MONDAY}",
    f"/v1/programs/triage/reports/{MONDAY}/page",
    f"/v1/programs/triage/contributors/{ALICE}/claim",
    "/v1/attestations",
    "/v1/log",
]


@pytest.mark.parametrize("path", STORED)
def test_what_the_caller_has_is_not_sent_again(full, reader, path):
    first = full.get(path, reader)
    tag = first.headers["etag"]
    assert tag == f'"{hashlib.sha256(first.content).hexdigest()}"'
    for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        again = full.get(path, reader, **{"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag), known
    for other in ('"other"', tag.strip('"'), f"{tag[:-2]}"):
        assert full.get(path, reader, **{"If-None-Match": other}).status_code == 200, other


@pytest.mark.parametrize("path", STORED)
def test_whatever_can_be_had_can_be_asked_about(full, reader, path):
    got, asked = full.get(path, reader), full.client.head(path, headers=full.headers(reader))
    assert (asked.status_code, asked.content) == (200, b"")
    for name in ("etag", "content-type", "content-length", "cache-control"):
        assert asked.headers[name] == got.headers[name]


def test_a_stream_can_be_asked_about_too(served):
    run_id, key = served.control.begin(), served.key("read")
    asked = served.client.head(f"/v1/runs/{run_id}/events", headers=served.headers(key))
    assert (asked.status_code, asked.content) == (200, b"")
    assert served.here.following.taken == 0


def test_an_address_tells_its_methods(full):
    for path, methods in (
        ("/v1/runs", "GET, HEAD, OPTIONS, POST"),
        ("/v1/runs/run-1", "GET, HEAD, OPTIONS"),
        ("/v1/runs/run-1/stop", "OPTIONS, POST"),
        ("/v1/openapi.json", "GET, HEAD, OPTIONS"),
    ):
        told = full.client.options(path)
        assert (told.status_code, told.headers["allow"]) == (204, methods)
        refused = full.client.request("PUT", path)
        assert (refused.status_code, refused.headers["allow"]) == (405, methods)
        assert refused.headers["content-type"] == "application/problem+json"
    assert full.client.options("/v1/nowhere").status_code == 404


def test_every_answer_has_an_id_and_may_do_nothing_in_a_browser(full, reader):
    for answer in (full.get("/v1/programs", reader), full.get("/v1/programs"), full.get("/nowhere")):
        assert len(answer.headers["x-request-id"]) == 32
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert full.get("/v1/programs", reader).headers["cache-control"] == "private, no-cache"
    assert full.get("/v1/programs").headers["cache-control"] == "no-store"


def test_other_origins_may_read_only_if_the_settings_say_so(full, serve):
    asks = {"Origin": "https://page.example", "Access-Control-Request-Method": "GET"}
    assert "access-control-allow-origin" not in full.get("/v1/attestations", **asks).headers
    assert "access-control-allow-origin" not in full.client.options("/v1/attestations", headers=asks).headers
    served = serve(cors_origins=("https://page.example",))
    assert served.get("/v1/attestations", **asks).headers["access-control-allow-origin"] == "https://page.example"
    assert served.client.options("/v1/attestations", headers=asks).status_code == 200
    other = served.get("/v1/attestations", Origin="https://other.example")
    assert "access-control-allow-origin" not in other.headers


def test_a_defect_is_told_by_its_id_alone(full, reader, monkeypatch, caplog):
    def broken(*_):
        raise RuntimeError("secret of the house")

    monkeypatch.setattr(full.control, "stages", broken)
    answer = full.lenient().get("/v1/programs/triage/stages", headers=full.headers(reader))
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert answer.json()["id"] == answer.headers["x-request-id"]
    assert "secret of the house" not in answer.text
    assert answer.json()["id"] in caplog.text
    assert "secret of the house" in caplog.text


def test_a_record_that_lacks_something_is_named_to_readers_alone(served, caplog):
    store, whole = RecordStore(Files(served.settings.store.uri)), no_look(sentence="There is no candidate.")
    reports = "/v1/programs/triage/reports"
    key = served.key("read")
    store.write("triage", "deltaone_reports", MONDAY, {name: whole[name] for name in whole if name != "reached"})
    answer = served.get(reports, key)
    assert (answer.status_code, answer.json()["code"]) == (503, "stored_record_broken")
    assert f"triage/deltaone_reports for {MONDAY} lacks 'reached'" in answer.json()["detail"]
    assert f"triage/deltaone_reports for {MONDAY}" in caplog.text
    store.write("triage", "attestations", MONDAY, {"outcome": "attested"})
    for path, code, told in (("/v1/attestations", None, False), ("/v1/attestations", key, True)):
        answer = served.get(path, code)
        assert (answer.status_code, answer.json()["code"]) == (503, "stored_record_broken")
        assert ("triage/attestations" in answer.text) is told
    files = Files(served.settings.store.uri)
    files.remove(f"records/triage/attestations/{MONDAY}.json")
    files.write(f"records/triage/deltaone_reports/{MONDAY}.json", b"{")
    assert "is no JSON" in served.get(f"{reports}/{MONDAY}", key).json()["detail"]
    store.write("triage", "deltaone_reports", MONDAY, whole)
    assert served.get(reports, key).status_code == 200


def test_no_more_mistakes_are_told_than_anybody_reads(served):
    batch = {"traces": [{"nothing": "x" * 100}] * 5_000}
    answer = served.post("/v1/programs/triage/traces", served.key("submit"), batch)
    problem = answer.json()
    assert (answer.status_code, len(problem["errors"]), problem["errors_left_out"]) == (422, 100, 9_900)
    assert problem["detail"].endswith("and 9990 more")
    assert len(answer.content) < 20_000


def test_a_spool_that_stands_still_is_a_hint_and_the_server_ready_all_the_same(served):
    (served.settings.home / "mlflow.db").touch()
    assert [each["ready"] for each in served.get("/v1/ready").json()["hints"]] == [True]
    Spool(served.here.ledger).accept(batch(offer("x"), program="triage"), int(served.now.timestamp() * 1000))
    served.wait(served.settings.api.drain_late_seconds + 1)
    told = served.get("/v1/ready", served.key("read"))
    assert (told.status_code, told.json()["ready"]) == (200, True)
    [hint] = told.json()["hints"]
    assert (hint["name"], hint["ready"]) == ("spool", False)
    assert "nothing of triage was written to MLflow for 900 seconds" in hint["cause"]


def test_a_cursor_belongs_to_its_list(full, reader):
    page = full.get("/v1/attestations?limit=1").json()
    (item,) = full.get(f"/v1/attestations?limit=1&cursor={page['next']}").json()["items"]
    assert item["uid"] != page["items"][0]["uid"]
    for path in ("/v1/programs", "/v1/programs/triage/reports", "/v1/runs"):
        refused = full.get(f"{path}?cursor={page['next']}", reader)
        assert (refused.status_code, refused.json()["code"]) == (400, "bad_cursor")
    assert full.get("/v1/attestations?cursor=!").status_code == 422
    for wrong in ("x", page["next"][:-4], page["next"] + "AAAA", "bnVsbA", "WzEsImF0dGVzdGF0aW9ucyIsNV0"):
        assert full.get(f"/v1/attestations?cursor={wrong}").status_code == 400, wrong


def test_a_record_that_was_replaced_is_read_anew(tmp_path):
    store, kept = RecordStore(Files(str(tmp_path))), KeptRecords(Files(str(tmp_path)))
    assert (kept.days("p", "s"), kept.find("p", "s", MONDAY)) == ([], None)
    for number in range(50):
        store.write("p", "s", MONDAY, {"number": number % 10})
        assert kept.read("p", "s", MONDAY) == {"number": number % 10}
        store.write("p", "s", f"2026-12-{number % 28 + 1:02}", {})
        assert kept.days("p", "s") == store.days("p", "s")


def test_what_nobody_used_for_long_is_forgotten():
    kept, made = Kept(2), []

    def make(name, stamp=1):
        return kept.get(name, stamp, lambda: made.append(name) or name)

    for name in ("a", "b", "a", "c", "a", "b"):
        make(name)
    assert made == ["a", "b", "c", "b"]
    make("b", 2)
    make("b", None)
    assert made[-2:] == ["b", "b"]


def test_readiness_names_what_is_missing_to_those_who_may_know(served):
    (served.settings.home / "mlflow.db").unlink(missing_ok=True)
    told = served.get("/v1/ready")
    assert told.status_code == 503
    states = {each["name"]: each["ready"] for each in told.json()["checks"]}
    assert states == {"ledger": True, "store": True, "mlflow": False}
    assert {each["cause"] for each in told.json()["checks"]} == {None}
    causes = served.get("/v1/ready", served.key("read")).json()["checks"]
    assert "MLflow's database is not there" in causes[2]["cause"]
    (served.settings.home / "mlflow.db").touch()
    assert served.get("/v1/ready").json()["ready"] is True
    assert served.get("/v1/health").json() == {"alive": True}


def test_openapi_describes_it_with_examples(full):
    document = json.loads(full.get("/v1/openapi.json").content)
    assert {"/v1/runs/{run_id}/events", "/v1/log", "/v1/programs/{program}/versions"} <= set(document["paths"])
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert operation["summary"], (method, path)
            assert "429" in operation["responses"], (method, path)
            for parameter in operation.get("parameters", []):
                assert parameter["in"] == "header" or parameter["schema"], (method, path)
    text = json.dumps(document)
    assert text.count('"example') > 15
    assert '"$defs"' not in text
