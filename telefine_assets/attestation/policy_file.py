"""``policy.json``: whom to trust, as a file that a verifier keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from telefine_assets.attestation.eas import EasDomain
from telefine_assets.attestation.policy import Pin, SignerPolicy, TrustedSigner
from telefine_assets.attribution.records import Fields, load_json
from telefine_assets.canonical import canonical_json
from telefine_assets.errors import TelefineError

POLICY_FILE = "policy.json"


def policy_bytes(policy: SignerPolicy) -> bytes:
    """The file's canonical bytes."""
    return canonical_json(policy_to_json(policy))


def policy_to_json(policy: SignerPolicy) -> dict[str, Any]:
    """A policy as ``policy.json`` holds it."""
    return {
        "domain": policy.domain.to_json(),
        "genesis": policy.genesis,
        "signers": [_stretch_to_json(each) for each in policy.signers],
        "required": policy.required,
        "attesters": sorted(policy.attesters),
        "logOrigin": policy.log_origin,
        "logKeys": [_stretch_to_json(each) for each in policy.log_keys],
        "revokedUids": sorted(policy.revoked_uids),
        "head": None if policy.head is None else {"size": policy.head.size, "root": policy.head.root},
    }


def read_policy(path: Path) -> SignerPolicy:
    """Read ``policy.json``.

    Raises:
        TelefineError: when it cannot be read or is no policy.
    """
    try:
        return parse_policy(path.read_bytes(), path.name)
    except OSError as error:
        raise TelefineError(f"{path}: cannot be read ({error.strerror}); name a policy with --policy") from None


def parse_policy(data: bytes, where: str) -> SignerPolicy:
    """Read the bytes of a ``policy.json``.

    Raises:
        TelefineError: they are no policy.
    """
    fields = Fields(load_json(data, where), where)
    policy = SignerPolicy(
        domain=EasDomain.from_json(fields.child("domain")),
        genesis=fields.text_or_none("genesis"),
        signers=tuple(_stretch(row) for row in fields.objects("signers")),
        required=fields.integer("required", 1, 100),
        attesters=frozenset(fields.texts("attesters")),
        log_origin=fields.text("logOrigin"),
        log_keys=tuple(_stretch(row) for row in fields.objects("logKeys")),
        revoked_uids=frozenset(fields.texts("revokedUids")),
        head=_pin(fields),
    )
    fields.done()
    return policy


def _stretch_to_json(stretch: TrustedSigner) -> dict[str, Any]:
    return {"address": stretch.address, "firstIndex": stretch.first_index, "lastIndex": stretch.last_index}


def _stretch(row: Fields) -> TrustedSigner:
    stretch = TrustedSigner(row.text("address"), row.integer("firstIndex", 0, 2**53 - 1), row.take("lastIndex"))
    row.done()
    return stretch


def _pin(fields: Fields) -> Pin | None:
    value = fields.take("head")
    if value is None:
        return None
    head = Fields(value, fields.path("head"))
    pin = Pin(head.integer("size", 1, 2**53 - 1), head.text("root"))
    head.done()
    return pin
