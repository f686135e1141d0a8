"""Settings of who signs: ``signer``. No key material is in a settings file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, model_validator

from telefine_assets.settings.group import Group, Wallet


class SignerSettings(Group):
    """Who signs attestations. Key material is never in this file."""

    kind: Literal["keystore", "environment", "command"] = Field("keystore", description="Where the key is.")
    keystore: Path | None = Field(None, description="An encrypted key file, as Ethereum clients write it.")
    password_file: Path | None = Field(None, description="The file that holds the keystore's password.")
    private_key: SecretStr | None = Field(None, description="Only from TELEFINE_SIGNER__PRIVATE_KEY.")
    command: tuple[str, ...] = Field((), description="A program and its arguments; it reads a digest and signs it.")
    address: str | None = Field(None, description="The command signer's address.")
    chain_id: int = Field(1, ge=1, description="The chain whose EAS contract the signature names.")
    eas_contract: str = Field(
        "0xA1207F3BBa224E2c9c3c6D5aF63D0eb1582Ce587", pattern=r"^0x[0-9a-fA-F]{40}$", description="That contract."
    )
    eas_version: str = Field("0.26", description="What that contract's version() returns.")
    required: int = Field(1, ge=1, le=100, description="How many attesters must sign before anything is paid.")
    attesters: tuple[Wallet, ...] = Field((), description="The only ones who count; empty: every key good in the log.")

    @model_validator(mode="after")
    def _enough_attesters(self) -> SignerSettings:
        if self.required > 1 and len(set(self.attesters)) < self.required:
            raise ValueError(f"attesters must name at least the {self.required} who are required to sign")
        return self
