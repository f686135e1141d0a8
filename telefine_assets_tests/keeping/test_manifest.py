"""A manifest is read back as it was written, and can lead nowhere else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.canonical import canonical_json, sha256_hex
from telefine_assets.keeping.manifest import Entry, KeepingError, Manifest, read_manifest

ENTRIES = st.builds(
    Entry,
    st.from_regex(r"(store|dagster)(/[a-z0-9]{1,5}){1,3}", fullmatch=True),
    st.binary(max_size=3).map(sha256_hex),
    st.integers(0, 2**53 - 1),
)


@given(
    st.lists(ENTRIES, max_size=4), st.dictionaries(st.sampled_from(["artifacts/0", "artifacts/1"]), st.just("s3://b"))
)
def test_what_is_written_is_read_back(files, artifacts):
    manifest = Manifest("paid", "20261123T120000000000Z", 5, "0" * 64, artifacts, tuple(files))
    assert read_manifest(manifest.to_bytes(), manifest.label) == manifest


@pytest.mark.parametrize(
    "name",
    ["store/../../etc/passwd", "/etc/passwd", "store", "store//a", "store/./a", "../store/a", "store/a/", "s\\a/b"],
)
def test_a_name_that_leads_elsewhere_is_refused(name):
    manifest = Manifest("paid", "20261123T120000000000Z", 5, "0" * 64, {}, (Entry(name, "0" * 64, 1),))
    with pytest.raises(KeepingError, match="leads elsewhere"):
        read_manifest(manifest.to_bytes(), manifest.label)


@pytest.mark.parametrize("change", [{"format": 2}, {"more": 1}, {"at": "yesterday"}, {"audit": "x"}, {"files": [{}]}])
def test_anything_unknown_is_refused(change):
    value = json.loads(Manifest("paid", "20261123T120000000000Z", 5, "0" * 64, {}, ()).to_bytes()) | change
    content = canonical_json(value)
    with pytest.raises(KeepingError):
        read_manifest(content, f"20261123T120000000000Z.{sha256_hex(content)}")
