"""Requests made at random from the OpenAPI: none fails, and every answer is one that it describes.

In the manner of schemathesis, whose checks these are: no server error, a status
and media type that is documented, and a body that has the documented schema.
"""

import json
import re
from urllib.parse import quote

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telefine_assets.control.records import RunStatus
from telefine_assets.store.evidence import EvidenceStore
from telefine_assets.store.files import Files
from telefine_assets.store.records import RecordStore
from telefine_assets_tests.cli.attested_home import ALICE, BOB, MONDAY, TUESDAY

TEXTS = st.text(max_size=40) | st.sampled_from(
    ["..", "%00", "\r\nX: y", "0x", "-1", "null", "{}", "'", "\ud7ff", "a" * 300]
)
GOOD = {
    "program": ["triage"],
    "day": [MONDAY, TUESDAY],
    "first": [MONDAY],
    "last": [TUESDAY],
    "address": [ALICE, ALICE.lower(), BOB],
    "version": ["first", "2026-12-24"],
    "run_id": ["run-0000", "run-0001"],
    "limit": ["1", "200"],
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


def operations(document):
    return sorted((path, method) for path, item in document["paths"].items() for method in item)


@st.composite
def requests(draw, document, good):
    """A request to an operation: each parameter is a good one, or anything."""
    path, method = draw(st.sampled_from(operations(document)))
    operation = document["paths"][path][method]
    query = {}
    for parameter in operation.get("parameters", []):
        name = parameter["name"]
        value = draw(st.sampled_from(good.get(name, ["x"])) | TEXTS)
        if parameter["in"] == "path":
            path = path.replace(f"{{{name}}}", _quoted(value))
        elif parameter["in"] == "query" and draw(st.booleans()):
            query[name] = value
    body = None
    if "requestBody" in operation:
        example = operation["requestBody"]["content"]["application/json"]["example"]
        changed = st.fixed_dictionaries({name: st.just(value) | JSON for name, value in example.items()})
        body = json.dumps(draw(changed | JSON)).encode()
    return operation, method, path, query, body


def _quoted(text):
    # The client would take dots for steps in the path.
    return quote(text.encode("utf-8", "replace"), safe="").replace(".", "%2E") or "%20"


@pytest.fixture(scope="module")
def good(full):
    """Values that lead somewhere, for each parameter."""
    full.control.begin()
    full.control.change("run-0000", status=RunStatus.SUCCEEDED, ended_ms=1)
    improved(full)
    uid = full.here.records.read("triage", "attestations", MONDAY)["uid"]
    files = full.get(f"/v1/attestations/{uid}/statement").json()["predicate"]["evidence"]
    cursor = full.get("/v1/attestations?limit=1").json()["next"]
    return GOOD | {"uid": [uid], "digest": [file["sha256"] for file in files], "cursor": [cursor]}


def improved(full):
    """Both days have an improvement report: the one that the document shows."""
    shown = full.app.openapi()["components"]["schemas"]["ImprovementShown"]["example"]
    record = {name: shown[name] for name in shown.keys() - {"program", "day", "amended_since"}}
    files = Files(full.settings.store.uri)
    page = EvidenceStore(files).put(b"<!doctype html><html><body>better</body></html>")
    for day in (MONDAY, TUESDAY):
        RecordStore(files).write("triage", "improvement_reports", day, record | {"evidence": {"report.html": page}})


@pytest.mark.parametrize("scopes", [("admin",), ("read",), ()])
def test_nothing_fails_and_everything_is_as_described(full, good, scopes):
    document = full.app.openapi()
    headers = full.headers(full.key(*scopes) if scopes else None)

    @given(requests(document, good))
    @settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def check(request):
        operation, method, path, query, body = request
        kind = {"Content-Type": "application/json"} if body is not None else {}
        answer = full.client.request(method, path, params=query, content=body, headers=headers | kind)
        described(document, operation, path, answer)

    check()


@pytest.mark.parametrize("scopes", [("admin",), ()])
def test_every_operation_succeeds_as_described(full, good, scopes):
    """Good values alone: every schema is held against a real answer at least once."""
    document, key = full.app.openapi(), full.key(*scopes) if scopes else None
    seen = set()
    for path, method in operations(document):
        if method != "get":
            continue
        filled = re.sub(r"\{(\w+)\}", lambda found: good[found[1]][0], path)
        answer = full.get(filled, key)
        described(document, document["paths"][path][method], path, answer)
        seen.add(answer.status_code)
    assert seen == {200, 503} if scopes else seen == {200, 401, 503}


def described(document, operation, path, answer):
    """The answer is one that the OpenAPI document describes."""
    # MLflow is not there, which /v1/ready says.
    assert answer.status_code < 500 or path == "/v1/ready", (path, answer.text)
    known = operation["responses"].get(str(answer.status_code))
    assert known is not None, (path, answer.status_code)
    kind = answer.headers.get("content-type", "").partition(";")[0]
    assert kind in known.get("content", {"": {}}), (path, kind)
    schema = known.get("content", {}).get(kind, {}).get("schema", {})
    if kind.endswith("json") and schema:
        jsonschema.validate(answer.json(), {**schema, "components": document["components"]})
