"""What all groups of settings share."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from telefine_assets.attribution.addresses import ZERO_ADDRESS, is_checksummed

ImportPath = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Percent = Annotated[int, Field(ge=1, le=98)]
IntegerString = Annotated[str, Field(pattern=r"^[0-9]{1,78}$")]


def _wallet(value: str) -> str:
    if not is_checksummed(value) or value == ZERO_ADDRESS:
        raise ValueError("must be a checksummed (EIP-55) address other than zero")
    return value


Wallet = Annotated[str, AfterValidator(_wallet)]
Share = Annotated[float, Field(ge=0, le=1)]


class Group(BaseModel):
    """A group of settings: frozen, and an unknown key is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")
