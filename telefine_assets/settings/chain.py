"""Settings of the optional transactions: ``chain``. Which chain it is, ``signer.chain_id`` says."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from telefine_assets.settings.group import Group, IntegerString, Name, Wallet


class ChainSettings(Group):
    """Who sends transactions, through which node, and where each program's distributor is."""

    rpc_url: SecretStr | None = Field(None, description="Only from TELEFINE_CHAIN__RPC_URL: it may hold an API key.")
    keystore: Path | None = Field(None, description="The sender's encrypted key file; it needs ether for gas, no more.")
    password_file: Path | None = Field(None, description="The file that holds its password.")
    distributors: dict[Name, Wallet] = Field({}, description="The contract to claim from, of each program its own.")
    max_cost: IntegerString = Field("50000000000000000", description="No transaction may cost more, in wei.")

    @field_validator("distributors")
    @classmethod
    def _one_each(cls, distributors: dict[str, str]) -> dict[str, str]:
        # The contract pays total minus claimed: the totals of two programs in one would eat each other.
        if len(set(distributors.values())) < len(distributors):
            raise ValueError("two programs name the same contract: each needs its own")
        return distributors
