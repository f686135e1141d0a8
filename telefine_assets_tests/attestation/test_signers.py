"""Signers sign, and never show the key."""

import copy
import json
import pickle
import subprocess
import sys
import traceback

import pytest

from telefine_assets.attestation.signatures import CURVE_ORDER, SigningError, sign_typed
from telefine_assets.attestation.signers import ExternalCommandSigner, KeystoreSigner, LocalKeySigner
from telefine_assets.attribution.addresses import AddressError
from telefine_assets_tests.attestation.example import ATTESTER, DOMAIN
from telefine_assets_tests.attestation.test_eas import MESSAGE, sign

KEY = "11" * 32


def keystore(iterations: int = 2) -> dict:
    from eth_account import Account

    return Account.encrypt(KEY, "correct horse", kdf="pbkdf2", iterations=iterations)


def test_a_keystore_signs_like_its_key():
    signer = KeystoreSigner(keystore(), lambda: "correct horse")
    assert sign(DOMAIN, MESSAGE, signer) == sign(DOMAIN, MESSAGE, ATTESTER)


def test_a_keystore_is_opened_once(tmp_path):
    path = tmp_path / "key.json"
    path.write_text(json.dumps(keystore()))
    asked = []
    signer = KeystoreSigner.from_file(path, lambda: asked.append(1) or "correct horse")
    assert signer.address == ATTESTER.address
    sign(DOMAIN, MESSAGE, signer)
    sign(DOMAIN, MESSAGE, signer)
    assert asked == [1]


def test_a_wrong_password_says_so_and_nothing_more():
    signer = KeystoreSigner(keystore(), lambda: "battery staple")
    with pytest.raises(SigningError, match="wrong password") as error:
        sign(DOMAIN, MESSAGE, signer)
    assert "battery" not in "".join(traceback.format_exception(error.value))


def test_who_cannot_sign_is_known_before_anything_is_to_be_signed(tmp_path):
    for signer in (ATTESTER, KeystoreSigner(keystore(), lambda: "correct horse"), command(sys.executable)):
        signer.prepare()
    with pytest.raises(SigningError, match="wrong password"):
        KeystoreSigner(keystore(), lambda: "battery staple").prepare()
    with pytest.raises(SigningError, match=r"password of the keystore of 0x\w+: No such file"):
        KeystoreSigner(keystore(), (tmp_path / "gone").read_text).prepare()
    with pytest.raises(SigningError, match="signing command kms: no such program"):
        command("/nowhere/kms").prepare()


def command(program: str) -> ExternalCommandSigner:
    return ExternalCommandSigner([program, "sign"], ATTESTER.address)


def test_a_keystore_that_names_another_address_is_refused():
    lying = keystore() | {"address": "ab" * 20}
    with pytest.raises(SigningError, match="holds the key of"):
        KeystoreSigner(lying, lambda: "correct horse").sign_typed_data({})


def test_a_file_that_is_no_keystore_is_refused(tmp_path):
    (tmp_path / "k").write_text("{}")
    with pytest.raises(SigningError, match="address"):
        KeystoreSigner.from_file(tmp_path / "k", lambda: "")
    with pytest.raises(SigningError, match="Cannot read"):
        KeystoreSigner.from_file(tmp_path / "none", lambda: "")


def external(answer: bytes, code: int = 0) -> ExternalCommandSigner:
    return ExternalCommandSigner(["kms", "sign"], ATTESTER.address, run=lambda argv, stdin, timeout: (code, answer))


@pytest.mark.parametrize("high", [False, True])
@pytest.mark.parametrize("offset", [0, 27])
def test_an_external_command_may_answer_in_the_spellings_of_kms(high, offset):
    expected = sign(DOMAIN, MESSAGE, ATTESTER).signature
    v, s = (55 - expected.v, CURVE_ORDER - expected.s) if high else (expected.v, expected.s)
    raw = expected.r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([v - 27 + offset])
    assert sign(DOMAIN, MESSAGE, external(b"0x" + raw.hex().encode() + b"\n")).signature == expected


def test_an_external_command_gets_digest_and_typed_data_on_its_input():
    program = (
        "import json,sys;from eth_keys import keys;q=json.load(sys.stdin);"
        f"k=keys.PrivateKey(bytes.fromhex('{KEY}'));"
        "assert q['typedData']['primaryType']=='Attest' and q['address']==k.public_key.to_checksum_address();"
        "print(k.sign_msg_hash(bytes.fromhex(q['digest'][2:])).to_bytes().hex())"
    )
    signer = ExternalCommandSigner([sys.executable, "-c", program], ATTESTER.address)
    assert sign(DOMAIN, MESSAGE, signer) == sign(DOMAIN, MESSAGE, ATTESTER)


def test_a_failing_command_is_named_and_its_output_is_not_repeated():
    for signer in (external(b"secret", code=3), external(b"secret"), external(b"00" * 65)):
        with pytest.raises(SigningError) as error:
            sign(DOMAIN, MESSAGE, signer)
        assert "secret" not in str(error.value)

    def slow(argv, stdin, timeout):
        raise subprocess.TimeoutExpired(argv, timeout)

    with pytest.raises(SigningError, match="took over"):
        sign(DOMAIN, MESSAGE, ExternalCommandSigner(["kms"], ATTESTER.address, run=slow))
    with pytest.raises(SigningError, match="Cannot start"):
        sign(DOMAIN, MESSAGE, ExternalCommandSigner(["/no/such/program"], ATTESTER.address))


def test_a_command_needs_a_program_and_an_address():
    with pytest.raises(SigningError):
        ExternalCommandSigner([], ATTESTER.address)
    with pytest.raises(AddressError):
        ExternalCommandSigner(["kms"], ATTESTER.address.lower())


@pytest.mark.parametrize(
    "make",
    [
        lambda: LocalKeySigner(KEY),
        lambda: KeystoreSigner(keystore(), lambda: "correct horse"),
        lambda: external(b""),
    ],
)
def test_no_signer_shows_its_key_or_can_be_pickled(make):
    signer = make()
    if not isinstance(signer, ExternalCommandSigner):
        sign_typed({"types": {"A": []}, "primaryType": "A", "domain": {}, "message": {}}, signer)
    shown = repr(signer) + str(signer)
    assert KEY not in shown
    assert "correct horse" not in shown
    assert not hasattr(signer, "__dict__")
    for escape in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(SigningError, match="cannot be pickled"):
            escape(signer)


@pytest.mark.parametrize("key", ["", "zz" * 32, "11" * 31, "11" * 33, "00" * 32, "ff" * 32])
def test_what_is_no_key_is_refused_without_repeating_it(key):
    with pytest.raises(SigningError) as error:
        LocalKeySigner(key)
    assert not key or key not in "".join(traceback.format_exception(error.value)).split("SigningError")[-1]
