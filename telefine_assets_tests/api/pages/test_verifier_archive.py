"""The archives that a browser opens are those that Python opens, and what is in them is what Python finds."""

import random

import pytest

from telefine_assets.attestation.archive import _END, _header, _padding, pack, unpack
from telefine_assets.attestation.failures import VerificationFailed
from telefine_assets_tests.api.pages.verifying import chromium, modules_page, needs_chromium, run

pytestmark = needs_chromium
FILES = {"attestation.json": b"{}", f"evidence/{'a' * 64}": b"x" * 700, "log.json": bytes(512), "policy.json": b""}
FOUND = "([name, bytes]) => [name, m.hexOf(bytes)]"
REFUSED = {"refused": "Error"}


@pytest.fixture(scope="module")
def page():
    with chromium() as browser:
        yield modules_page(browser)


def python_finds(data):
    try:
        return [[name, content.hex()] for name, content in unpack(data).items()]
    except VerificationFailed:
        return REFUSED


def put_together(*entries):
    """An archive of any entries, (name, content) each, padded as it should be."""
    body = b"".join(_header(name, len(content)) + content + _padding(len(content), 512) for name, content in entries)
    return body + _END + _padding(len(body + _END), 10_240)


def altered(data, position, new, checksummed=True):
    """Other bytes at a place of the first header; its checksum follows or does not."""
    changed = bytearray(data)
    changed[position : position + len(new)] = new
    if checksummed:
        changed[148:156] = b" " * 8
        changed[148:156] = b"%06o\0 " % sum(changed[:512])
    return bytes(changed)


def archives():
    good, bundle = pack(FILES), ("attestation.json", b"{}")
    yield from (good, pack({}), pack({"x" * 100: b"1", "a/b.c/d-e": b"2"}), pack({"a": bytes(20_000)}))
    yield pack({"attestation.json": b"root", "x/attestation.json": b"nested", "z/log.json": b"{}"})
    # A name twice, another order, something between the end and the last byte, after it, or too little of it.
    yield from (put_together(bundle, bundle), put_together(bundle, ("attestation.json", b"[]")))
    yield put_together(("log.json", b"{}"), bundle)
    yield from (put_together(bundle)[:1024] + bytes(512) + put_together(bundle), good + b"\0", good + bytes(10_240))
    yield from (good[:-1], good[:-512], good[:3000], good[:512], good[:100], b"", bytes(1024), bytes(10_240))
    # Wrong checksum, mode, owner, time, type, link, group, prefix and what follows it, sizes.
    yield altered(good, 148, b"999999", checksummed=False)
    for position, new in (
        (100, b"0000755"), (108, b"0000001"), (136, b"00000000001"), (156, b"2"), (156, b"\0"), (157, b"/etc/passwd"),
        (265, b"me"), (345, b"evil"), (511, b"1"), (124, b"77777777777"), (124, b"00000000001"), (124, b"       0002"),
        (135, b"1"), (0, b"\0"), (0, b"/"), (0, b"."), (0, b"\xe9"), (16, b"/../x"), (16, b"\0x"), (0, b"x" * 100),
    ):  # fmt: skip
        yield altered(good, position, new)
    for name in ("a b", "a/", "a//b", "a/.b", "-a", "a\n", "a\\b"):
        yield put_together((name, b"x"))
    many = {f"f{number:04}": b"" for number in range(1001)}
    yield from (put_together(*many.items()), put_together(*list(many.items())[1:]))


def test_the_same_archives_are_opened_and_refused(page):
    given = list(archives())
    body = f"(hex) => m.unpacked(m.bytesOf(hex)).map({FOUND})"
    found = run(page, body, [each.hex() for each in given], "archive")
    assert found == [python_finds(each) for each in given]
    assert found.count(REFUSED) >= 35 and len(found) - found.count(REFUSED) >= 6


def test_any_changed_byte_is_refused_or_is_in_a_file_as_python_has_it(page):
    drawn, good = random.Random(3), pack(FILES)
    changes = [(at, drawn.randrange(1, 256)) for at in (*range(512), *drawn.sample(range(512, len(good)), 300))]
    body = f"""([at, change]) => {{
      const bytes = m.bytesOf("{good.hex()}");
      bytes[at] ^= change;
      return m.unpacked(bytes).map({FOUND});
    }}"""
    wanted = []
    for at, change in changes:
        data = bytearray(good)
        data[at] ^= change
        wanted.append(python_finds(bytes(data)))
    assert run(page, body, changes, "archive") == wanted
    assert REFUSED in wanted and len({str(each) for each in wanted}) > 10
