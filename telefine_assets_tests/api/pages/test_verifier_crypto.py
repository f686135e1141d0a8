"""The verifier's building stones against Python's: hashes, curve, typed data, JSON, ABI, trees."""

import hashlib
import json
import random

import pytest

from telefine_assets.attestation.eas import AttestMessage, typed_data
from telefine_assets.attestation.eas_schema import AttestationData, telefine_schema_uid
from telefine_assets.attestation.log import MerkleLog, leaf_hash
from telefine_assets.attestation.signatures import CURVE_ORDER, Signature, SignatureError, recover_typed
from telefine_assets.attribution.addresses import ZERO_ADDRESS, checksum_address, is_checksummed, resolve_contributor
from telefine_assets.attribution.keccak import keccak256
from telefine_assets.attribution.records import RecordError, load_json
from telefine_assets.canonical import canonical_json
from telefine_assets.payouts.merkle import shares_root
from telefine_assets_tests.api.pages.verifying import chromium, modules_page, needs_chromium, run
from telefine_assets_tests.attestation.example import ATTESTER, DOMAIN

pytestmark = needs_chromium
FIELD = 2**256 - 2**32 - 977


@pytest.fixture(scope="module")
def page():
    with chromium() as browser:
        yield modules_page(browser)


def messages():
    drawn = random.Random(1)
    lengths = [0, 1, 31, 32, 55, 56, 57, 63, 64, 65, 119, 120, 135, 136, 137, 271, 272, 273]
    return [drawn.randbytes(size) for size in (*lengths, *(drawn.randrange(700) for _ in range(180)))]


def test_the_hashes_are_those_of_python(page):
    found = run(
        page,
        "(hex) => [m.hexOf(m.sha256(m.bytesOf(hex))), m.hexOf(m.keccak256(m.bytesOf(hex)))]",
        [each.hex() for each in messages()],
        "sha256",
        "keccak",
    )
    assert found == [[hashlib.sha256(each).hexdigest(), keccak256(each).hex()] for each in messages()]


RECOVERS = """({ digest, v, r, s }) =>
  m.recoverSigner(m.bytesOf(digest), { v: BigInt(v), r: BigInt("0x" + r), s: BigInt("0x" + s) })"""


def signature(v, r, s):
    return {"v": v, "r": f"{r:064x}", "s": f"{s:064x}"}


def python_recovers(digest, v, r, s):
    """What Python answers: eth-keys, behind our own check of the form."""
    from eth_keys.datatypes import Signature as CurveSignature
    from eth_keys.exceptions import BadSignature
    from eth_utils.exceptions import ValidationError

    try:
        Signature(v, r, s).check()
        return CurveSignature(vrs=(v - 27, r, s)).recover_public_key_from_msg_hash(digest).to_checksum_address()
    except SignatureError as error:
        return {"refused": "high_s" if type(error).__name__ == "HighSError" else "bad_signature"}
    except (BadSignature, ValidationError):
        return {"refused": "bad_signature"}


def signatures():
    from eth_keys.datatypes import PrivateKey

    drawn = random.Random(2)
    for _ in range(60):
        digest = drawn.randbytes(32)
        made = PrivateKey(drawn.randbytes(32)).sign_msg_hash(digest)
        v, r, s = 27 + made.v, made.r, made.s
        yield digest, v, r, s
        yield digest, 55 - v, r, CURVE_ORDER - s
        yield digest, 55 - v, r, s
        yield drawn.randbytes(32), v, drawn.randrange(1, CURVE_ORDER), drawn.randrange(1, CURVE_ORDER // 2)
    # Recovery ids 2 and 3 mean that r is the point's x less n: Ethereum has no v for them.
    for v in (0, 1, 2, 3, 26, 29, 30, 35, 255):
        yield digest, v, r, s
    edges = (0, 1, 2, CURVE_ORDER // 2, CURVE_ORDER // 2 + 1, CURVE_ORDER - 1, CURVE_ORDER, FIELD - 1, 2**256 - 1)
    for edge in edges:
        yield digest, v, edge, s
        yield digest, v, r, edge
    for v in (27, 28):
        for digest in (bytes(32), b"\xff" * 32, CURVE_ORDER.to_bytes(32, "big")):
            yield digest, v, r, s


def test_a_signer_is_recovered_or_refused_as_python_does(page):
    given = list(signatures())
    found = run(page, RECOVERS, [{"digest": digest.hex(), **signature(*vrs)} for digest, *vrs in given], "eip712")
    assert found == [python_recovers(*each) for each in given]
    assert {str(each)[:2] for each in found} == {"0x", "{'"}


def test_a_key_at_infinity_is_refused(page):
    """With r of the generator and s = z / k the key would be the point at infinity."""
    generator = 0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798
    sent = [{"digest": f"{5:064x}", **signature(27, generator, 5)}]
    body = (
        "({ digest, r, s }) => m.recoverSigner(m.bytesOf(digest), { v: 27n, r: BigInt('0x' + r), s: BigInt('0x' + s) })"
    )
    assert run(page, body, sent, "eip712") == [{"refused": "bad_signature"}]


def attested():
    drawn = random.Random(3)
    for _ in range(50):
        yield AttestMessage(
            schema="0x" + drawn.randbytes(32).hex(),
            recipient=checksum_address(drawn.randbytes(20)),
            time=drawn.choice([0, 1, 2**64 - 1, drawn.randrange(2**64)]),
            expiration_time=drawn.randrange(2**64),
            revocable=drawn.random() < 0.5,
            ref_uid="0x" + drawn.randbytes(32).hex(),
            data=drawn.randbytes(drawn.choice([0, 1, 31, 32, 135, 136, 137, 500])),
            salt="0x" + drawn.randbytes(32).hex(),
        )


def test_uid_and_signer_of_any_message_are_those_of_python(page):
    made = [(each, Signature(*ATTESTER.sign_typed_data(typed_data(DOMAIN, each)))) for each in attested()]
    envelopes = [
        {
            "signer": ATTESTER.address,
            "sig": {
                "version": 2,
                "uid": each.uid,
                "domain": DOMAIN.to_json(),
                "primaryType": "Attest",
                "types": {"Attest": typed_data(DOMAIN, each)["types"]["Attest"]},
                "message": each.to_json(),
                "signature": signed.to_json(),
            },
        }
        for each, signed in made
    ]
    body = """(text) => {
      const envelope = m.readEnvelope(m.parseJson(m.utf8(text)));
      return [m.uidOf(envelope.message), m.signerOf(envelope)];
    }"""
    found = run(page, body, map(json.dumps, envelopes), "envelope", "json")
    assert found == [[each.uid, recover_typed(typed_data(DOMAIN, each), signed)] for each, signed in made]


TEXTS = [
    '{"b":1,"a":[true,false,null,"x"],"\\u00e4":"\\ud83d\\ude00","\U0001f600":0,"\ue000":0}',
    '{"a":1,"a":2}', '{"a":{"b":1,"b":1}}', '{"a":1,"\\u0061":2}', '{"__proto__":1,"constructor":{}}',
    "", " ", "{}", "[]", " [ ] ", "\t{\n}\r", "\ufeff{}", "{}x", "[1,]", "[,1]", '{"a":1,}', "{a:1}", "{'a':1}",
    "[01]", "[-0]", "[-]", "[+1]", "[1.]", "[.5]", "[0x1]", "[NaN]", "[Infinity]", "[-Infinity]", "[true1]", "[tru]",
    "[9007199254740993]", "[-9007199254740993]", '["\\x"]', '["\\u12"]', '["\\ud800"]', '["\\udc00\\ud800"]', '["a',
    '["\t"]', '["\x7f\u2028"]', '["\\/\\b\\f\\n\\r\\t\\"\\\\"]', "[1 2]", '{"a" 1}', '{"a":}', "[[[]]", "null", '"x"',
    "[" * 190 + "]" * 190, "[" * 400 + "]" * 400, '{"a":' * 150 + "1" + "}" * 150, "[1]\x00", "[1]\xa0", "\x0b[1]",
]  # fmt: skip


def python_reads(data):
    """The canonical bytes of what Python reads, as hexadecimal; integers too large for RFC 8785 as they are."""
    try:
        value = load_json(data, "text")
    except RecordError:
        return {"refused": "JsonError"}
    try:
        return canonical_json(value).hex()
    except ValueError:
        return json.dumps(value, separators=(",", ":")).encode().hex()


def test_json_is_read_and_written_canonically_as_python_does(page):
    sent = [text.encode() for text in TEXTS] + [b"\xff", b'["\xc3"]', b'["\xed\xa0\x80"]', "[]".encode("utf-16")]
    body = "(hex) => m.hexOf(m.canonicalJson(m.parseJson(m.bytesOf(hex))))"
    found = run(page, body, [each.hex() for each in sent], "json")
    assert dict(zip(sent, found, strict=True)) == {each: python_reads(each) for each in sent}


@pytest.mark.parametrize("text", ["[1.0]", "[1e2]", "[-0.0]", "[1E400]"])
def test_a_number_that_is_no_integer_is_read_and_never_hashed(page, text):
    body = "(text) => m.canonicalJson(m.parseJson(m.utf8(text)))"
    assert run(page, body, [text], "json") == [{"refused": "JsonError"}]
    assert run(page, "(text) => typeof m.parseJson(m.utf8(text))[0]", [text], "json") == ["number"]


def encodings():
    drawn = random.Random(4)
    wallets = sorted((checksum_address(drawn.randbytes(20)) for _ in range(5)), key=str.lower)
    for count in (0, 1, 2, 5):
        digests = ["0x" + drawn.randbytes(32).hex() for _ in range(4)]
        yield AttestationData(*digests, -(2**31), 2**31 - 1, 2**32 - 1, tuple(wallets[:count]), (7,) * count).encode()
    good = AttestationData(*digests, -1, 0, 0, tuple(wallets), (1,) * 5).encode()
    yield from (good[:-1], good[:-32], good + bytes(32), b"", bytes(64), good[32:], bytes(352), bytes(352 - 32))
    for word in range(len(good) // 32):
        for change in (b"\x01" + bytes(31), bytes(31) + b"\x01", b"\xff" * 32, bytes(32)):
            yield good[: 32 * word] + change + good[32 * word + 32 :]


def python_decodes(data):
    try:
        return AttestationData.decode(data).encode().hex()
    except RecordError:
        return {"refused": "RecordError"}


def test_the_fields_are_decoded_or_refused_as_python_does(page):
    given = list(encodings())
    body = "(hex) => m.hexOf(m.encodeData(m.decodeData(m.bytesOf(hex))))"
    assert run(page, body, [each.hex() for each in given], "data") == [python_decodes(each) for each in given]
    assert run(page, "() => m.SCHEMA_UID", [0], "data") == [telefine_schema_uid()]


def test_trees_and_proofs_are_those_of_python(page):
    logs = {size: MerkleLog(leaf_hash(b"leaf %d" % i) for i in range(size)) for size in (*range(1, 20), 64, 100)}
    grown = """(size) => {
      const tree = new m.Tree();
      const roots = [tree.root()];
      for (let i = 0; i < size; i++) { tree.append(m.utf8(`leaf ${i}`)); roots.push(tree.root()); }
      return [roots, Array.from({ length: size + 1 }, (_, i) => tree.root(i))];
    }"""
    roots = ["0x" + logs[100].root(i).hex() for i in range(101)]
    assert run(page, grown, [100], "merkle") == [[roots, roots]]
    proofs = [
        {
            "leaf": leaf_hash(b"leaf %d" % i).hex(),
            "index": at,
            "size": said,
            "proof": path,
            "root": root,
        }
        for size, log in logs.items()
        for i in {0, size // 2, size - 1}
        for root in [log.root().hex()]
        for path in [[node.hex() for node in log.inclusion_proof(i)]]
        for at in {i, i + 1, i ^ 1, size}
        for said in {size, size + 1, 2 * size, 0}
    ]
    body = """({ leaf, index, size, proof, root }) =>
      m.isIncluded(m.bytesOf(leaf), BigInt(index), BigInt(size), proof.map(m.bytesOf), m.bytesOf(root))"""
    assert run(page, body, proofs, "merkle") == [python_includes(each) for each in proofs]


def python_includes(each):
    from telefine_assets.attestation.log import verify_inclusion

    proof = [bytes.fromhex(node) for node in each["proof"]]
    leaf, root = bytes.fromhex(each["leaf"]), bytes.fromhex(each["root"])
    return verify_inclusion(leaf, each["index"], each["size"], proof, root)


def test_the_root_over_shares_is_that_of_python(page):
    drawn = random.Random(5)
    shares = [
        sorted((checksum_address(drawn.randbytes(20)), drawn.randrange(1, 10**6)) for _ in range(count))
        for count in (0, 1, 2, 3, 4, 7, 8, 33)
    ]
    body = "(shares) => m.sharesRoot(shares.map(([who, ppm]) => [who, BigInt(ppm)]))"
    assert run(page, body, shares, "merkle") == [shares_root(each) for each in shares]


def test_addresses_are_spelled_and_taken_as_python_does(page):
    drawn = random.Random(6)
    good = [checksum_address(drawn.randbytes(20)) for _ in range(30)]
    typed = [*good, *(g.lower() for g in good), *("0X" + g[2:].upper() for g in good), *(g.swapcase() for g in good)]
    typed += [ZERO_ADDRESS, "", "0x", good[0] + "0", good[0][:-1], "alice.eth", good[0] + "\n", " " + good[0]]
    expected = [resolve_contributor(each).address if each == each.strip() else None for each in typed]
    assert run(page, "m.typedWallet", typed, "address") == expected
    odd = [*typed, [good[0]], {"a": 1}, None, 5, True]
    expected = [is_checksummed(each) for each in odd]
    assert run(page, "m.isChecksummed", [*odd, *odd], "address") == [*expected, *expected]
