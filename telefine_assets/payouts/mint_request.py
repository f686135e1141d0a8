"""The mint request: what ``DeltaVerifier.submitMintRequest`` takes, as EIP-712 typed data.

``eth_account`` encodes extra fields, numeric strings, short bytes32 and bad
checksums without a word, so that everything goes through the models below first.
They judge form alone; whether the contract would take it is for ``preflight``.

Source: https://eips.ethereum.org/EIPS/eip-712
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

from telefine_assets.attestation.claim import require_text
from telefine_assets.attestation.eas import MAX_CHAIN_ID
from telefine_assets.attestation.signatures import BYTES32, typed_data_digest
from telefine_assets.attribution.addresses import is_checksummed
from telefine_assets.attribution.keccak import keccak256
from telefine_assets.attribution.records import Fields, RecordError, whole
from telefine_assets.payouts.plan import MAX_UINT256

DOMAIN_NAME, DOMAIN_VERSION = "HokusaiDeltaVerifier", "1"
PRIMARY_TYPE = "MintRequest"
FULL_BPS = 10_000

_DOMAIN = (("name", "string"), ("version", "string"), ("chainId", "uint256"), ("verifyingContract", "address"))
_REQUEST = (("modelId", "uint256"), ("payload", "MintRequestPayload"), ("contributors", "Contributor[]"))


def _check_uint256(value: object, where: str) -> None:
    whole(value, where, 0, MAX_UINT256)


def _check_bytes32(value: object, where: str) -> None:
    if not isinstance(value, str) or not BYTES32.fullmatch(value):
        raise RecordError(where, f"expected 0x and 64 lower-case digits, found {value!r}")


def _check_address(value: object, where: str) -> None:
    if not is_checksummed(value):
        raise RecordError(where, f"expected an EIP-55 address, found {value!r}")


def _check_string(value: object, where: str) -> None:
    # An empty one is for preflight to name.
    if value != "":
        require_text(where, value)


def _check_anchors(value: object, where: str) -> None:
    if not isinstance(value, Anchors):
        raise RecordError(where, f"expected anchors, found {type(value).__name__}")


_CHECKS: dict[str, Callable[[object, str], None]] = {
    "uint256": _check_uint256,
    "bytes32": _check_bytes32,
    "address": _check_address,
    "string": _check_string,
    "BenchmarkAnchors": _check_anchors,
}


class _Struct:
    """A Solidity struct: a dataclass whose fields stand in the order of ``SOLIDITY``."""

    SOLIDITY: ClassVar[tuple[tuple[str, str], ...]]

    def __post_init__(self) -> None:
        for name, kind, value in self._values():
            _CHECKS[kind](value, f"{type(self).__name__.lower()}.{name}")

    def typed(self) -> dict[str, Any]:
        """The struct as EIP-712 hashes it, integers as integers."""
        return {name: value.typed() if isinstance(value, _Struct) else value for name, _, value in self._values()}

    def to_json(self) -> dict[str, Any]:
        """The struct as JSON; integers are decimal strings, since they pass 2**53."""
        return {
            name: value.to_json() if isinstance(value, _Struct) else str(value) for name, _, value in self._values()
        }

    @classmethod
    def from_json(cls, row: Fields) -> Self:
        """Read ``to_json``'s form; an integer may also be a JSON integer.

        Raises:
            RecordError: a field is missing, unknown, out of range or malformed.
        """
        struct = cls(*(_read(row, name, kind) for name, kind in cls.SOLIDITY))
        row.done()
        return struct

    def _values(self) -> list[tuple[str, str, Any]]:
        own = fields(self)  # type: ignore[arg-type]  # every subclass is a dataclass
        return [(*pair, getattr(self, each.name)) for pair, each in zip(self.SOLIDITY, own, strict=True)]


def _read(row: Fields, name: str, kind: str) -> Any:
    if kind == "uint256":
        return row.decimal_integer(name, 0, MAX_UINT256)
    return Anchors.from_json(row.child(name)) if kind == "BenchmarkAnchors" else row.take(name)


@dataclass(frozen=True)
class Anchors(_Struct):
    """What the scores rest on.

    Attributes:
        spec_hash: ``benchmark_spec_hash`` of the benchmark's specification id.
        dataset_hash: commitment to the items that the scores were measured on.
        attestation_hash: the attestation's uid.
        idempotency_key: ``idempotency_key`` of model and attestation.
        metric_name: the metric, as the attestation names it.
        metric_family: what kind of number it is, such as ``proportion``.
    """

    SOLIDITY = (
        ("benchmarkSpecHash", "bytes32"),
        ("datasetHash", "bytes32"),
        ("attestationHash", "bytes32"),
        ("idempotencyKey", "bytes32"),
        ("metricName", "string"),
        ("metricFamily", "string"),
    )
    spec_hash: str
    dataset_hash: str
    attestation_hash: str
    idempotency_key: str
    metric_name: str
    metric_family: str


@dataclass(frozen=True)
class Payload(_Struct):
    """What was measured, and until when the request is good.

    Attributes:
        run_id: the run that measured it.
        baseline_bps: the baseline's score, basis points.
        candidate_bps: the candidate's score, basis points.
        max_cost: what the run was allowed to cost, millionths of a US dollar.
        actual_cost: what it cost, in the same unit.
        samples: items measured.
        anchors: what the scores rest on.
        baseline_commitment: digest of the baseline, the model's head on the chain.
        candidate_commitment: digest of the candidate, its next head.
        deadline: the last second at which it is taken, since 1970 UTC.
    """

    SOLIDITY = (
        ("pipelineRunId", "string"),
        ("baselineScoreBps", "uint256"),
        ("candidateScoreBps", "uint256"),
        ("maxCostUsdMicro", "uint256"),
        ("actualCostUsdMicro", "uint256"),
        ("totalSamples", "uint256"),
        ("anchors", "BenchmarkAnchors"),
        ("baselineCommitment", "bytes32"),
        ("candidateCommitment", "bytes32"),
        ("deadline", "uint256"),
    )
    run_id: str
    baseline_bps: int
    candidate_bps: int
    max_cost: int
    actual_cost: int
    samples: int
    anchors: Anchors
    baseline_commitment: str
    candidate_commitment: str
    deadline: int


@dataclass(frozen=True)
class Contributor(_Struct):
    """A wallet and its part of the reward.

    Attributes:
        wallet: EIP-55.
        weight: basis points.
    """

    SOLIDITY = (("walletAddress", "address"), ("weight", "uint256"))
    wallet: str
    weight: int


@dataclass(frozen=True)
class MintRequest:
    """One request to one contract on one chain.

    Attributes:
        chain_id: the chain, 1 or more.
        verifying_contract: the contract on it, EIP-55.
        model_id: the model that gets its reward minted.
        payload: what was measured.
        contributors: who shares the reward. The contract gives what rounding
            leaves to the first, so that the order is signed too.

    Raises:
        RecordError: on construction, for what EIP-712 cannot encode faithfully.
    """

    chain_id: int
    verifying_contract: str
    model_id: int
    payload: Payload
    contributors: tuple[Contributor, ...]

    def __post_init__(self) -> None:
        whole(self.chain_id, "domain.chainId", 1, MAX_CHAIN_ID)
        _check_address(self.verifying_contract, "domain.verifyingContract")
        _check_uint256(self.model_id, "modelId")
        if not isinstance(self.payload, Payload):
            raise RecordError("payload", f"expected a payload, found {type(self.payload).__name__}")
        if not all(isinstance(each, Contributor) for each in self.contributors):
            raise RecordError("contributors", "expected contributors alone")

    def typed_data(self) -> dict[str, Any]:
        """The full EIP-712 message that is signed."""
        structs = {
            "EIP712Domain": _DOMAIN,
            PRIMARY_TYPE: _REQUEST,
            "MintRequestPayload": Payload.SOLIDITY,
            "BenchmarkAnchors": Anchors.SOLIDITY,
            "Contributor": Contributor.SOLIDITY,
        }
        return {
            "types": {
                struct: [{"name": name, "type": kind} for name, kind in members] for struct, members in structs.items()
            },
            "primaryType": PRIMARY_TYPE,
            "domain": self._domain(),
            "message": {
                "modelId": self.model_id,
                "payload": self.payload.typed(),
                "contributors": [each.typed() for each in self.contributors],
            },
        }

    @property
    def digest(self) -> str:
        """The 32 bytes that every attester signs, 0x and 64 digits."""
        return "0x" + typed_data_digest(self.typed_data()).hex()

    def _domain(self) -> dict[str, Any]:
        return {
            "name": DOMAIN_NAME,
            "version": DOMAIN_VERSION,
            "chainId": self.chain_id,
            "verifyingContract": self.verifying_contract,
        }

    def to_json(self) -> dict[str, Any]:
        """The request as JSON; integers are decimal strings."""
        return {
            "domain": {**self._domain(), "chainId": str(self.chain_id)},
            "modelId": str(self.model_id),
            "payload": self.payload.to_json(),
            "contributors": [each.to_json() for each in self.contributors],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> MintRequest:
        """Read ``to_json``'s form strictly; integers may also be JSON integers.

        Raises:
            RecordError: a field is missing, unknown, out of range or malformed.
        """
        row = Fields(value, "request")
        domain = row.child("domain")
        domain.constant("name", DOMAIN_NAME)
        domain.constant("version", DOMAIN_VERSION)
        request = cls(
            chain_id=domain.decimal_integer("chainId", 1, MAX_CHAIN_ID),
            verifying_contract=domain.text("verifyingContract"),
            model_id=row.decimal_integer("modelId", 0, MAX_UINT256),
            payload=Payload.from_json(row.child("payload")),
            contributors=tuple(Contributor.from_json(each) for each in row.objects("contributors")),
        )
        domain.done()
        row.done()
        return request


def benchmark_spec_hash(spec_id: str) -> str:
    """How the contract knows a benchmark's specification: the Keccak-256 of its id in UTF-8."""
    require_text("spec_id", spec_id)
    return "0x" + keccak256(spec_id.encode()).hex()


def idempotency_key(model_id: int, attestation_hash: str) -> str:
    """The key under which the contract takes a model's attestation once.

    It hashes ``<model id>:<attestation hash>``, the hash without its 0x.

    Raises:
        RecordError: ``model_id`` is no uint256 or ``attestation_hash`` no bytes32.
    """
    _check_uint256(model_id, "modelId")
    _check_bytes32(attestation_hash, "attestationHash")
    return "0x" + hashlib.sha256(f"{model_id}:{attestation_hash[2:]}".encode()).hexdigest()
