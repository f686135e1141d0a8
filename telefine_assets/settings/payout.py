"""Settings of what an attested DeltaOne pays, and in which contract: ``programs.<name>.payout``."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator, model_validator

from telefine_assets.settings.group import Group, IntegerString, Wallet


class MintSettings(Group):
    """The ``DeltaVerifier`` that mint requests are for. What is not set here is given with each request."""

    chain_id: int | None = Field(None, ge=1, description="The contract's chain.")
    contract: Wallet | None = Field(None, description="Address of the DeltaVerifier.")
    model_id: IntegerString | None = Field(None, description="The model's number in that contract, in quotes.")
    spec_id: str | None = Field(None, min_length=1, description="Id of the benchmark's specification.")
    metric_family: str = Field("proportion", min_length=1, description="What the contract calls the kind of metric.")
    escrow_wallet: Wallet | None = Field(None, description="Holds what unresolved contributors earned.")
    attesters: tuple[Wallet, ...] = Field((), description="Those whom the contract has registered.")
    required: int | None = Field(None, ge=1, description="How many of them must sign.")


class PayoutSettings(Group):
    """What one attested DeltaOne pays, in the token's smallest unit."""

    pool: IntegerString = Field("0", description="What one DeltaOne pays in all; 0 pays nothing.")
    token_symbol: str = Field(
        "TOKEN",
        min_length=1,
        description="The token's name, to be shown; must be set where a pool has no token_address.",
    )
    token_address: Wallet | None = Field(
        None, description="The ERC-20 token; name it before the first payout if you can."
    )
    token_decimals: int = Field(18, ge=0, le=36, description="Digits after the point when amounts are shown.")
    dust_floor: IntegerString = Field("0", description="Smaller parts go to the other wallets.")
    mint: MintSettings = MintSettings()

    @field_validator("pool", "dust_floor", mode="before")
    @classmethod
    def _no_yaml_numbers(cls, value: Any) -> Any:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            raise ValueError("write it in quotes: amounts are strings, so that no digit is lost")
        return value

    @model_validator(mode="after")
    def _of_a_named_token(self) -> PayoutSettings:
        # What was paid is in the first payout's token for ever: it must not be one that nobody chose.
        if int(self.pool) and self.token_address is None and "token_symbol" not in self.model_fields_set:
            raise ValueError(
                "a pool is of a token, and what was paid stays in the token of its day: "
                "set token_address, or token_symbol where there is no contract yet"
            )
        return self
