"""``telefine submissions``: sign, check, hand in, and hold a receipt that verifies offline."""

import json

import pytest

from telefine_assets.attestation.signers import LocalKeySigner
from telefine_assets.cli.main import main
from telefine_assets_tests.attribution.signing import ADA, BOB

KEY, OTHER_KEY = "a1" * 32, "b0" * 32
SETTINGS = """
deployment: shop
partitions: {start: 2026-11-02}
lm: {model: openai/none, api_base: "http://127.0.0.1:9", adapter: plain}
signer: {kind: environment}
programs:
  tickets:
    module: telefine_assets_tests.programs.tickets:build
    experiment: tickets
    split: {key: test}
    compile: {strategies: [{strategy: labeled_few_shot}]}
  refunds:
    module: telefine_assets_tests.programs.tickets:build
    experiment: refunds
    split: {key: test}
    compile: {strategies: [{strategy: labeled_few_shot}]}
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    (tmp_path / "telefine.yaml").write_text(SETTINGS)
    monkeypatch.setenv("TELEFINE_CONFIG", str(tmp_path / "telefine.yaml"))
    monkeypatch.setenv("TELEFINE_SIGNER__PRIVATE_KEY", KEY)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "inputs.json").write_text(json.dumps({"ticket": "Where is it?", "not an input": 1}))
    (tmp_path / "other.json").write_text(json.dumps({"ticket": "Where is she?"}))
    return tmp_path


@pytest.fixture
def telefine(home, capsys, monkeypatch):
    """Run ``telefine submissions``; returns exit code, output and errors."""

    def run(*arguments, key=KEY):
        monkeypatch.setenv("TELEFINE_SIGNER__PRIVATE_KEY", key)
        with pytest.raises(SystemExit) as caught:
            main(["submissions", *(str(home / each) if str(each).endswith(".json") else each for each in arguments)])
        done = capsys.readouterr()
        assert key not in done.out + done.err
        return caught.value.code or 0, done.out, done.err

    return run


@pytest.fixture
def signed(telefine):
    assert telefine("sign", "inputs.json", "-p", "tickets", "-o", "ada.json")[0] == 0
    return "ada.json"


def test_what_is_signed_is_the_tag_and_holds_for_its_own_inputs_program_and_nothing_else(home, telefine, signed):
    assert set(json.loads((home / signed).read_text())) == {"contributor", "time", "salt", "signature"}
    code, out, _ = telefine("check", signed, "inputs.json", "-p", "tickets")
    assert (code, f"good: {ADA.address}" in out) == (0, True)
    (home / "same.json").write_text(json.dumps({"ticket": "where  IS it?"}))
    assert telefine("check", signed, "same.json", "-p", "tickets")[0] == 0
    for arguments in (["other.json", "-p", "tickets"], ["inputs.json", "-p", "refunds"]):
        code, _, err = telefine("check", signed, *arguments)
        assert (code, "bad_signature" in err) == (1, True)


def test_without_a_file_the_tag_is_printed_and_no_file_is_overwritten(home, telefine, signed):
    code, out, _ = telefine("sign", "inputs.json", "-p", "tickets")
    assert (code, json.loads(out)["contributor"]) == (0, ADA.address)
    before = (home / signed).read_bytes()
    assert telefine("sign", "inputs.json", "-p", "tickets", "-o", signed)[0] == 1
    assert (home / signed).read_bytes() == before


def test_a_keystore_signs_for_its_owner(home, telefine):
    from eth_account import Account

    kept = Account.encrypt("0x" + OTHER_KEY, "open", kdf="pbkdf2", iterations=2)
    (home / "keystore.json").write_text(json.dumps(kept))
    (home / "password.json").write_text("open\n")
    arguments = ["sign", "inputs.json", "-p", "tickets", "--keystore", "keystore.json"]
    code, out, _ = telefine(*arguments, "--password-file", "password.json")
    assert (code, json.loads(out)["contributor"]) == (0, BOB.address)
    assert telefine(*arguments)[0] == 1


def test_the_log_keeps_the_order_and_a_receipt_verifies_without_the_deployment(home, telefine, signed, monkeypatch):
    telefine("sign", "inputs.json", "-p", "tickets", "-o", "bob.json", key=OTHER_KEY)
    assert "position 0" in telefine("receive", signed, "inputs.json", "-p", "tickets")[1]
    assert "position 1" in telefine("receive", "bob.json", "inputs.json", "-p", "tickets")[1]
    assert "position 0" in telefine("receive", signed, "inputs.json", "-p", "tickets")[1]
    rows = json.loads(telefine("log", "--json")[1])
    assert [(row["position"], row["contributor"]) for row in rows] == [(0, ADA.address), (1, BOB.address)]
    assert ADA.address in telefine("log")[1]
    assert json.loads(telefine("log", "--json", "-p", "refunds")[1]) == []
    for of, positions in ((BOB.address, [1]), (BOB.address.lower(), [1]), (rows[0]["traceDigest"], [0, 1])):
        found = telefine("receipt", of, "-p", "tickets")[1]
        assert [each["submission"]["position"] for each in json.loads(found)] == positions
    (home / "receipt.json").write_text(found)
    monkeypatch.delenv("TELEFINE_CONFIG")
    told = ["--deployment", "shop", "--log-key", LocalKeySigner(KEY).address]
    code, out, _ = telefine("verify", "receipt.json", *told)
    assert (code, out.count("valid: ")) == (0, 2)
    code, _, err = telefine("verify", "receipt.json", "--deployment", "mine", *told[2:])
    assert (code, "not the log you trust" in err) == (1, True)


def test_what_does_not_hold_is_not_logged(home, telefine, signed):
    code, _, err = telefine("receive", signed, "other.json", "-p", "tickets")
    assert (code, "bad_signature" in err) == (1, True)
    (home / "broken.json").write_text("{")
    code, _, err = telefine("receive", "broken.json", "inputs.json", "-p", "tickets")
    assert (code, "malformed" in err) == (1, True)
    assert json.loads(telefine("log", "--json")[1]) == []
    code, _, err = telefine("receipt", ADA.address, "-p", "tickets")
    assert (code, "nobody logged" in err) == (1, True)


def test_answers_are_to_be_had_as_json_with_the_code_of_what_does_not_hold(home, telefine, signed):
    def ask(*arguments):
        code, out, _ = telefine(*arguments, "--json")
        return code, json.loads(out)

    code, found = ask("check", signed, "inputs.json", "-p", "tickets")
    assert (code, found["valid"], found["contributor"]) == (0, True, ADA.address)
    code, refused = ask("check", signed, "other.json", "-p", "tickets")
    assert (code, refused["valid"], refused["code"]) == (1, False, "bad_signature")
    code, logged = ask("receive", signed, "inputs.json", "-p", "tickets")
    assert (code, logged["position"], logged["traceDigest"]) == (0, 0, found["traceDigest"])
    assert ask("receive", signed, "other.json", "-p", "tickets")[1]["code"] == "bad_signature"
    receipts = telefine("receipt", ADA.address, "-p", "tickets")[1]
    (home / "receipt.json").write_text(receipts)
    key = ("--log-key", LocalKeySigner(KEY).address)
    assert ask("verify", "receipt.json", "--deployment", "shop", *key) == (
        0,
        {"valid": True, "receipts": json.loads(receipts)},
    )
    code, refused = ask("verify", "receipt.json", "--deployment", "mine", *key)
    assert (code, refused["valid"], refused["code"]) == (1, False, "wrong_log")


@pytest.mark.parametrize(("content", "words"), [("[]", "JSON object"), ("{}", "lacks ticket"), ("{", "JSON object")])
def test_inputs_that_are_none_are_named(home, telefine, content, words):
    (home / "inputs.json").write_text(content)
    code, _, err = telefine("sign", "inputs.json", "-p", "tickets")
    assert (code, words in err) == (1, True)
