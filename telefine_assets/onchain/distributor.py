"""The contract to claim from: its source, and what the compiler makes of it.

``distributor.json`` holds the ABI and the bytecode, so that a deployment needs no
compiler; the compiler and its settings are pinned by the source's own pragmas, so
that anyone can compile it and compare. Telefine never deploys it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from telefine_assets.canonical import canonical_json, sha256_hex
from telefine_assets.onchain.errors import ChainError

COMPILER = "0.4.3"
SOURCE_FILE, COMPILED_FILE = "distributor.vy", "distributor.json"
# Vyper appends the immutables to the code: one word, the token.
_IMMUTABLES = 32


@dataclass(frozen=True)
class Contract:
    """A compiled contract.

    Attributes:
        compiler: version of Vyper, with its commit.
        source_sha256: of the source text.
        abi: the contract's ABI.
        bytecode: what is deployed, 0x and hexadecimal; the constructor's arguments follow it.
        runtime: what then stands at its address, before its immutables.
    """

    compiler: str
    source_sha256: str
    abi: list[dict[str, Any]]
    bytecode: str
    runtime: str

    def to_bytes(self) -> bytes:
        """The contract as ``distributor.json`` holds it."""
        return canonical_json(vars(self)) + b"\n"

    def is_at(self, code: bytes) -> bool:
        """Whether ``code``, as a chain has it, is this contract with any token."""
        runtime = bytes.fromhex(self.runtime[2:])
        return len(code) == len(runtime) + _IMMUTABLES and code.startswith(runtime)


def distributor_source() -> str:
    """The contract's source text."""
    return (files(__package__) / SOURCE_FILE).read_text(encoding="utf-8")


@cache
def distributor() -> Contract:
    """The contract as it is checked in."""
    return Contract(**json.loads((files(__package__) / COMPILED_FILE).read_bytes()))


def compile_distributor() -> Contract:
    """Compile the contract from its source, to compare it with the one that is checked in.

    Raises:
        ChainError: when the compiler is missing or is another version.
    """
    try:
        import vyper
    except ImportError:
        raise ChainError(f"the package vyper is missing; install vyper=={COMPILER}") from None
    if vyper.__version__ != COMPILER:
        raise ChainError(f"vyper {vyper.__version__} is installed; the contract is compiled by vyper=={COMPILER}")
    source = distributor_source()
    made = vyper.compile_code(source, output_formats=["abi", "bytecode", "bytecode_runtime"])
    return Contract(
        compiler=vyper.__long_version__,
        source_sha256=sha256_hex(source.encode()),
        abi=made["abi"],
        bytecode=made["bytecode"],
        runtime=made["bytecode_runtime"],
    )
