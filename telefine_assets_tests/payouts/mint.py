"""The published mint request and keys to sign it with, for the tests of this folder."""

from __future__ import annotations

import copy
import json
from typing import Any

from telefine_assets.attestation.signatures import sign_typed
from telefine_assets.attestation.signers import LocalKeySigner
from telefine_assets.attribution.addresses import checksum_address
from telefine_assets.payouts.mint_request import MintRequest
from telefine_assets.payouts.preflight import packed_signature

# Recomputed by its publisher with another implementation; the digests are at the end.
KNOWN = json.loads("""
{
  "domain": {"name": "HokusaiDeltaVerifier", "version": "1", "chainId": 31337,
             "verifyingContract": "0xCf7Ed3AccA5a467e9e704C703E8D87F634fB0Fc9"},
  "modelId": "12345678901234567890",
  "payload": {
    "pipelineRunId": "eval-2026-abc123",
    "baselineScoreBps": 7800, "candidateScoreBps": 8100,
    "maxCostUsdMicro": 5000000, "actualCostUsdMicro": 2340000, "totalSamples": 1000,
    "anchors": {
      "benchmarkSpecHash": "0x8f707500bb8fc37ffc0b6694fe642741e7072950b28adbe948104c04b73d797f",
      "datasetHash": "0x0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
      "attestationHash": "0xd12b65d6be0c2170d427589cc027d4988031dc23356a7f83ecf476fc712bb543",
      "idempotencyKey": "0x1c19c341d6c99e7e7dbd68f767cdf7d0969688fed7e3d3fdd82711b29ea69a65",
      "metricName": "accuracy", "metricFamily": "proportion"
    },
    "baselineCommitment": "0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "candidateCommitment": "0xbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
    "deadline": 4102444800
  },
  "contributors": [
    {"walletAddress": "0x742d35cc6634c0532925a3b844bc9e7595f62341", "weight": 7000},
    {"walletAddress": "0x6c3e007f281f6948b37c511a11e43c8026d2f069", "weight": 3000}
  ]
}
""")
STRUCT_HASH = "0xbb27838d1e575f32eb3ff004dacc328aaf1459dc2d332d05d68cf8a06ff08d2b"
DIGEST = "0x059cdc7813009761228879db21bc0113d7c514ae409a6d59d456981b9e230828"
for _each in KNOWN["contributors"]:
    _each["walletAddress"] = checksum_address(bytes.fromhex(_each["walletAddress"][2:]))

SIGNERS = sorted((LocalKeySigner(f"{n:02x}" * 32) for n in (1, 2, 3)), key=lambda each: int(each.address, 16))


def known(**changes: Any) -> dict[str, Any]:
    """The known request as JSON, with fields (dots as double underscores) set anew."""
    value = copy.deepcopy(KNOWN)
    for path, new in changes.items():
        *folders, name = path.split("__")
        place = value
        for folder in folders:
            place = place[folder]
        place[name] = new
    return value


def request(**changes: Any) -> MintRequest:
    """The known request, changed."""
    return MintRequest.from_json(known(**changes))


def signed(wanted: MintRequest, signer: LocalKeySigner) -> str:
    """The 65 bytes of a signature."""
    return packed_signature(sign_typed(wanted.typed_data(), signer))
