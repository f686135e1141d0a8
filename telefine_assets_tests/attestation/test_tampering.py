"""The tamper matrix: every field of every part, changed, removed or added, is refused with a code."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from telefine_assets.attestation.failures import FailureCode, VerificationFailed
from telefine_assets_tests.attestation.example import ALICE, BOB, make_example

EXAMPLE = make_example()
Path = tuple[str | int, ...]


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value that holds no others, with its path."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = False
    for key, child in children:
        found = True
        yield from leaves(child, (*path, key))
    if not found:
        yield path, value


def containers(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every object and list, with its path."""
    if isinstance(value, dict | list):
        yield path, value
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from containers(child, (*path, key))


def put(value: Any, path: Path, new: Any) -> Any:
    """A copy of ``value`` with ``new`` at ``path``."""
    if not path:
        return new
    changed = copy.copy(value)
    changed[path[0]] = put(value[path[0]], path[1:], new)
    return changed


def other_values(value: Any) -> list[Any]:
    """What somebody might put in a leaf's place: near values, other types, other spellings."""
    if isinstance(value, bool):
        return [not value, int(value), None]
    if isinstance(value, int):
        return [value + 1, -value - 1, float(value), None]
    if isinstance(value, str):
        flipped = value[:-1] + chr(ord(value[-1]) ^ 1) if value else "x"
        others = [flipped, "", None, value + " "]
        if value.startswith("0x"):
            others += [value.upper(), value[:-2], value + "00", value[2:], "0x" + "0" * (len(value) - 2)]
        if value in (ALICE, BOB):
            others.append(BOB if value == ALICE else ALICE)
        if value.isdigit():
            others += [str(int(value) + 1), "0" + value, value + ".0"]
        return others
    return [1, "x", {}, []] if value is None else [None, 1]


def tampered(part: Any) -> Iterator[tuple[str, Any]]:
    """Every change of one place, with its name."""
    for path, value in leaves(part):
        for new in other_values(value):
            if not (new == value and type(new) is type(value)):
                yield f"{path} = {new!r}", put(part, path, new)
    for path, value in containers(part):
        if isinstance(value, dict):
            yield f"{path} + field", put(part, path, value | {"unknown": 1})
            for key in value:
                yield f"{path} - {key}", put(part, path, {k: v for k, v in value.items() if k != key})
        else:
            yield f"{path} + item", put(part, path, [*value, value[-1] if value else 1])
            if value:
                yield f"{path} - item", put(part, path, value[:-1])
            if len(value) > 1:
                yield f"{path} reversed", put(part, path, value[::-1])


@pytest.mark.parametrize("part", ["envelope", "statement", "receipt"])
def test_no_change_of_any_field_passes(part):
    changes = list(tampered(getattr(EXAMPLE.bundle, part)))
    assert len(changes) > 50
    passed = []
    for name, changed in changes:
        try:
            EXAMPLE.verify(**{part: changed})
            passed.append(name)
        except VerificationFailed as failure:
            assert failure.code in FailureCode
            assert failure.detail
    assert passed == []


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        (("signer",), ALICE, "bad_signature"),
        (("sig", "uid"), "0x" + "1" * 64, "uid_mismatch"),
        (("sig", "version"), 1, "malformed_envelope"),
        (("sig", "domain", "chainId"), "1", "wrong_domain"),
        (("sig", "domain", "version"), "1.4.0", "wrong_domain"),
        (("sig", "domain", "name"), "EAS", "malformed_envelope"),
        (("sig", "message", "schema"), "0x" + "1" * 64, "wrong_schema"),
        (("sig", "message", "recipient"), ALICE, "uid_mismatch"),
        (("sig", "message", "time"), "1", "uid_mismatch"),
        (("sig", "message", "expirationTime"), "1", "uid_mismatch"),
        (("sig", "message", "data"), "0x", "uid_mismatch"),
        (("sig", "message", "salt"), "0x" + "1" * 64, "uid_mismatch"),
        (("sig", "signature", "v"), 26, "bad_signature"),
        (("sig", "signature", "r"), "0x" + "0" * 64, "bad_signature"),
        (("sig", "signature", "s"), "0x" + "f" * 64, "bad_signature"),
    ],
)
def test_each_field_of_the_envelope_has_its_code(path, value, code):
    with pytest.raises(VerificationFailed) as error:
        EXAMPLE.verify(envelope=put(EXAMPLE.bundle.envelope, path, value))
    assert error.value.code == code


def test_a_recomputed_uid_does_not_save_a_changed_message():
    from telefine_assets.attestation.eas import AttestMessage
    from telefine_assets.attribution.records import Fields

    envelope = put(EXAMPLE.bundle.envelope, ("sig", "message", "expirationTime"), "99999999999")
    uid = AttestMessage.from_json(Fields(envelope["sig"]["message"], "message")).uid
    with pytest.raises(VerificationFailed) as error:
        EXAMPLE.verify(envelope=put(envelope, ("sig", "uid"), uid))
    assert error.value.code == "bad_signature"


@pytest.mark.parametrize("part", ["envelope", "statement", "receipt"])
@pytest.mark.parametrize("value", [[], "text", 5, {}, True])
def test_what_is_no_such_part_is_refused(part, value):
    with pytest.raises(VerificationFailed):
        EXAMPLE.verify(**{part: value})
