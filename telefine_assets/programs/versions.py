"""Versions: a program document whose digest is its name.

The document holds what decides a version's answers: state, fields, the source file
that makes the program, the model. Its SHA-256 is the version, so the same facts
have the same version wherever and whenever they are put together, and a stored
document proves itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from telefine_assets.canonical import canonical_json, sha256_hex
from telefine_assets.programs.nearest import wrapped
from telefine_assets.programs.spec import ProgramError, ProgramSpec
from telefine_assets.programs.state import check_state, dump_state, load_state

FIRST_STRATEGY = {"strategy": "first_version"}


@dataclass(frozen=True)
class Version:
    """One version of a program, with its document."""

    document: bytes

    @property
    def digest(self) -> str:
        """The version: SHA-256 of the document, 64 hexadecimal digits."""
        return sha256_hex(self.document)

    @property
    def state(self) -> dict[str, Any]:
        """The program's state (see ``programs.state``)."""
        return dict(json.loads(self.document)["state"])

    @property
    def strategy(self) -> dict[str, Any]:
        """The strategy that made it, with its configuration."""
        return dict(json.loads(self.document)["strategy"])

    def was_made_with(self, spec: ProgramSpec, lm: Mapping[str, str]) -> bool:
        """Whether the program's code and the language model are still those that it names."""
        content = json.loads(self.document)
        return bool(content["code"] == spec.code_digest and content["lm"] == dict(lm))

    def module(self, spec: ProgramSpec) -> Any:
        """A fresh ``dspy.Module`` of this version, choosing among its demos where its strategy says so.

        Raises:
            ProgramError: when the version belongs to another program or signature.
        """
        content = json.loads(self.document)
        if content.get("program") != spec.name or content.get("signatures") != spec.signatures:
            raise ProgramError(
                f"version {self.digest} is of {content.get('program')!r} with other fields than {spec.name!r} has now; "
                "compile a new one"
            )
        return wrapped(load_state(spec, content["state"]), content["strategy"])


def make_version(
    spec: ProgramSpec, state: dict[str, Any], strategy: Mapping[str, Any], trainset: str, lm: Mapping[str, str]
) -> Version:
    """Put a version together; ``trainset`` is a digest, ``lm`` the identity of the language model.

    Raises:
        ProgramError: when the state does not fit the program.
    """
    check_state(spec, state)
    return Version(
        canonical_json(
            {
                "program": spec.name,
                "signatures": spec.signatures,
                "code": spec.code_digest,
                "state": state,
                "strategy": dict(strategy),
                "trainset": trainset,
                "lm": dict(lm),
            }
        )
    )


def first_version(spec: ProgramSpec, lm: Mapping[str, str]) -> Version:
    """The version that the program's own code makes: the baseline until something is promoted."""
    return make_version(spec, dump_state(spec.build()), FIRST_STRATEGY, "", lm)
