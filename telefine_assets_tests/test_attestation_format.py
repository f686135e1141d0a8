"""The page that works an attestation out: its steps run as they stand there, on the bytes that Telefine makes."""

import doctest
import json

from telefine_assets.attestation.log import leaf_hash
from telefine_assets.attestation.log_records import Erasure, Place, sign_record
from telefine_assets.canonical import canonical_json
from telefine_assets_tests.attestation.example import ATTESTER, make_example
from telefine_assets_tests.test_docs import ROOT, blocks

PAGE = ROOT / "docs" / "attestation-format.md"


def test_the_attestation_on_the_page_is_what_telefine_makes_with_these_keys():
    shown, _ = blocks(PAGE, "json")
    assert json.loads(shown) == json.loads(make_example().bundle.to_bytes())


def test_the_erasure_on_the_page_is_what_telefine_says_with_these_keys():
    bundle = make_example().bundle
    head, evidence = bundle.receipt["head"], bundle.statement["predicate"]["evidence"]
    file = next(each["sha256"] for each in evidence if each["name"] == "program.json")
    place = Place(head["origin"], head["size"], head["root"])
    leaf = sign_record(Erasure(f"0x{file}", "asked by mail"), place, ATTESTER).leaf()
    text = PAGE.read_text()
    assert canonical_json(json.loads(blocks(PAGE, "json")[1])) == leaf
    assert f">>> len(eighth)\n{len(leaf)}\n" in text and leaf_hash(leaf).hex() in text


def test_every_number_on_the_page_is_what_its_step_gives(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "attestation.json").write_text(blocks(PAGE, "json")[0])
    done = doctest.testfile(str(PAGE), module_relative=False)
    assert done.attempted > 50
    assert done.failed == 0
    assert "False\n" not in PAGE.read_text()
