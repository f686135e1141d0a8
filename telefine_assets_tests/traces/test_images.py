"""Pictures inside of traces."""

import base64
import json

import pyarrow as pa

from telefine_assets.canonical import sha256_hex
from telefine_assets.traces.images import with_references
from telefine_assets.traces.records import DIGESTED, row_digest, trace_schema

PICTURE = bytes(range(256)) * 40
URI = f"data:image/png;base64,{base64.b64encode(PICTURE).decode()}"
REFERENCE = f"telefine-blob:sha256:{sha256_hex(PICTURE)};image/png"


def batch(*inputs):
    rows = [
        dict.fromkeys(trace_schema().names)
        | {"trace_id": f"tr-{number}", "request_time_ms": number, "status": "OK", "tags": "{}", "assessments": "[]"}
        | {"inputs": text, "fingerprint": "f", "digest": "d"}
        for number, text in enumerate(inputs)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=trace_schema())


def kept(batches):
    blobs = {}

    def put(content):
        blobs[sha256_hex(content)] = content
        return sha256_hex(content)

    return pa.Table.from_batches(with_references(batches, put), trace_schema()).to_pylist(), blobs


def test_a_picture_is_kept_once_and_referred_to():
    asked = json.dumps({"picture": {"url": URI}, "question": "what is it?", "again": [URI]})
    rows, blobs = kept([batch(asked), batch(asked)])
    assert blobs == {sha256_hex(PICTURE): PICTURE}
    for row in rows:
        assert json.loads(row["inputs"]) == {
            "picture": {"url": REFERENCE},
            "question": "what is it?",
            "again": [REFERENCE],
        }


def test_the_digest_is_that_of_what_is_stored():
    rows, _ = kept([batch(json.dumps({"picture": URI}), json.dumps({"no": "picture"}))])
    assert rows[0]["digest"] == row_digest(rows[0][name] for name in DIGESTED)
    assert rows[1]["digest"] == "d"


def test_text_that_only_looks_like_a_file_stays():
    texts = [json.dumps({"text": "data:image/png;base64,abc"}), json.dumps({"text": "see ;base64, there"}), None]
    rows, blobs = kept([batch(*texts)])
    assert [row["inputs"] for row in rows] == texts
    assert not blobs
