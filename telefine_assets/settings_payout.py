"""Settings of what an attested DeltaOne pays, and in which contract: ``programs.<name>.payout``."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from telefine_assets.settings_group import Group, IntegerString, Wallet


class MintSettings(Group):
    """The ``DeltaVerifier`` that mint requests are for. What is not set here is given with each request."""

    chain_id: int | None = Field(None, ge=1)
    contract: Wallet | None = None
    model_id: IntegerString | None = None
    spec_id: str | None = Field(None, min_length=1, description="Id of the benchmark's specification.")
    metric_family: str = Field("proportion", min_length=1)
    escrow_wallet: Wallet | None = Field(None, description="Holds what unresolved contributors earned.")
    attesters: tuple[Wallet, ...] = Field((), description="Those whom the contract has registered.")
    required: int | None = Field(None, ge=1, description="How many of them must sign.")


class PayoutSettings(Group):
    """What one attested DeltaOne pays, in the token's smallest unit."""

    pool: IntegerString = "0"
    token_symbol: str = Field("TOKEN", min_length=1)
    token_address: Wallet | None = Field(None, description="The ERC-20 token; name it before the first payout.")
    token_decimals: int = Field(18, ge=0, le=36)
    dust_floor: IntegerString = "0"
    mint: MintSettings = MintSettings()

    @field_validator("pool", "dust_floor", mode="before")
    @classmethod
    def _no_yaml_numbers(cls, value: Any) -> Any:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            raise ValueError("write it in quotes: amounts are strings, so that no digit is lost")
        return value
