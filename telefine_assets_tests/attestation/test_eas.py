"""The EAS envelope: known answers, one spelling per value, one encoding per data."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telefine_assets.attestation.eas import (
    MAX_UINT64,
    ZERO_BYTES32,
    AttestMessage,
    EasDomain,
    Envelope,
    recover,
    schema_uid,
    sign,
)
from telefine_assets.attestation.eas_schema import SCHEMA, AttestationData, telefine_schema_uid
from telefine_assets.attestation.signatures import CURVE_ORDER, HighSError, Signature, SignatureError, SigningError
from telefine_assets.attribution.addresses import ZERO_ADDRESS, checksum_address
from telefine_assets.attribution.records import RecordError
from telefine_assets_tests.attestation.example import ALICE, ATTESTER, BOB, DOMAIN, STRANGER

DATA = AttestationData(
    *("0x" + digit * 64 for digit in "1234"), 50_000, -12_000, 400, tuple(sorted([ALICE, BOB])), (700_000, 300_000)
)
MESSAGE = AttestMessage(
    telefine_schema_uid(), ZERO_ADDRESS, 1_763_683_200, 0, True, ZERO_BYTES32, DATA.encode(), "0x" + "5" * 64
)


def test_the_schema_uid_is_the_registrys():
    from eth_abi.packed import encode_packed
    from eth_utils import keccak

    packed = encode_packed(["string", "address", "bool"], [SCHEMA, ZERO_ADDRESS, True])
    assert telefine_schema_uid() == schema_uid(SCHEMA) == "0x" + keccak(packed).hex()


def test_the_uid_is_the_packed_hash_of_the_sdk():
    from eth_abi.packed import encode_packed
    from eth_utils import keccak

    message = replace(MESSAGE, expiration_time=7, revocable=False, recipient=ALICE)
    types = [
        "uint16",
        "bytes",
        "address",
        "address",
        "uint64",
        "uint64",
        "bool",
        "bytes32",
        "bytes",
        "bytes32",
        "uint32",
    ]
    values = [
        2,
        message.schema.encode(),
        ALICE,
        ZERO_ADDRESS,
        message.time,
        7,
        False,
        bytes(32),
        message.data,
        bytes.fromhex("55" * 32),
        0,
    ]
    assert message.uid == "0x" + keccak(encode_packed(types, values)).hex()


def test_an_envelope_survives_json_and_its_signer_is_recovered():
    envelope = sign(DOMAIN, MESSAGE, ATTESTER)
    read = Envelope.from_json(json.loads(json.dumps(envelope.to_json())))
    assert read == envelope
    assert recover(read) == ATTESTER.address
    assert read.uid == MESSAGE.uid


def test_numbers_may_be_json_integers_too():
    value = sign(DOMAIN, MESSAGE, ATTESTER).to_json()
    value["sig"]["domain"]["chainId"] = DOMAIN.chain_id
    value["sig"]["message"]["time"] = MESSAGE.time
    assert recover(Envelope.from_json(value)) == ATTESTER.address


def test_signing_twice_gives_the_same_bytes():
    assert sign(DOMAIN, MESSAGE, ATTESTER) == sign(DOMAIN, MESSAGE, ATTESTER)


def test_empty_data_signs_too():
    message = replace(MESSAGE, data=b"")
    assert recover(Envelope.from_json(sign(DOMAIN, message, ATTESTER).to_json())) == ATTESTER.address


def test_the_malleated_twin_is_refused():
    envelope = sign(DOMAIN, MESSAGE, ATTESTER)
    twin = Signature(55 - envelope.signature.v, envelope.signature.r, CURVE_ORDER - envelope.signature.s)
    with pytest.raises(HighSError):
        recover(replace(envelope, signature=twin))


@pytest.mark.parametrize(
    ("v", "r", "s"),
    [(0, 1, 1), (1, 1, 1), (26, 1, 1), (29, 1, 1), (27, 0, 1), (27, 1, 0), (27, CURVE_ORDER, 1), (27, 5, 1)],
)
def test_what_is_no_signature_is_refused(v, r, s):
    with pytest.raises(SignatureError):
        recover(replace(sign(DOMAIN, MESSAGE, ATTESTER), signature=Signature(v, r, s)))


def test_a_signer_that_signs_as_somebody_else_is_found_out():
    class Liar:
        address = ATTESTER.address
        sign_typed_data = staticmethod(STRANGER.sign_typed_data)

    with pytest.raises(SigningError, match="signed as"):
        sign(DOMAIN, MESSAGE, Liar())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema", "0x12"),
        ("schema", "0x" + "A" * 64),
        ("ref_uid", 0),
        ("salt", "5" * 64),
        ("recipient", ALICE.lower()),
        ("time", -1),
        ("time", MAX_UINT64 + 1),
        ("time", True),
        ("time", "5"),
        ("expiration_time", 1.0),
        ("revocable", 1),
        ("data", "0x"),
    ],
)
def test_a_message_out_of_form_never_reaches_the_signer(field, value):
    with pytest.raises(RecordError):
        replace(MESSAGE, **{field: value})


@pytest.mark.parametrize(
    "arguments",
    [("", 1, ALICE), ("1.3.0", 0, ALICE), ("1.3.0", 1, ALICE.lower()), ("1.3.0", True, ALICE), ("1.3.0", "1", ALICE)],
)
def test_a_domain_out_of_form_is_refused(arguments):
    with pytest.raises(RecordError):
        EasDomain(*arguments)


INT32 = st.integers(-(2**31), 2**31 - 1)
WORD = st.binary(min_size=32, max_size=32).map(lambda word: "0x" + word.hex())
SHARES = st.dictionaries(st.integers(1, 2**160 - 1), st.integers(1, 10**6), max_size=6)


@given(WORD, WORD, WORD, WORD, INT32, INT32, st.integers(0, 2**32 - 1), SHARES)
@settings(max_examples=50)
def test_data_is_read_back_as_it_was(a, b, c, d, delta, lower, size, shares):
    wallets = tuple(checksum_address(n.to_bytes(20, "big")) for n in sorted(shares))
    data = AttestationData(a, b, c, d, delta, lower, size, wallets, tuple(shares[n] for n in sorted(shares)))
    assert AttestationData.decode(data.encode()) == data


def test_there_is_one_encoding_only():
    good = DATA.encode()
    for bad in (
        b"",
        good[:-1],
        good[:-32],
        good + bytes(32),
        good[: 32 * 4] + b"\x01" + good[32 * 4 + 1 :],  # dirty high bits of an int32
        good[: 32 * 9] + (10**9).to_bytes(32, "big") + good[32 * 10 :],  # a length beyond the data
    ):
        with pytest.raises(RecordError):
            AttestationData.decode(bad)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("program_digest", "1" * 64),
        ("delta_ppm", 2**31),
        ("holdout_size", -1),
        ("contributors", tuple(sorted([ALICE, BOB], reverse=True))),
        ("contributors", (ALICE, ALICE)),
        ("contributors", (ALICE,)),
        ("contributors", (ZERO_ADDRESS, ALICE)),
        ("contributors", (ALICE.lower(), BOB)),
        ("weights_ppm", (0, 1)),
        ("weights_ppm", (1.0, 1)),
    ],
)
def test_data_out_of_form_is_refused(field, value):
    with pytest.raises(RecordError):
        replace(DATA, **{field: value})
