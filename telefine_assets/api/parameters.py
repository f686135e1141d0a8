"""What stands in addresses: programs, days, wallets, digests."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Query

from telefine_assets.api.deployment import Deployment, deployment
from telefine_assets.api.problems import Problem, not_found
from telefine_assets.attribution.addresses import resolve_contributor

DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
Here = Annotated[Deployment, Depends(deployment)]


async def _program(
    here: Here, program: Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{0,62}$", examples=["film_reviews"])]
) -> str:
    if program not in here.settings.programs:
        raise not_found(f"there is no program {program!r}")
    return program


async def _wallet(
    address: Annotated[
        str,
        Path(
            pattern=r"^0[xX][0-9a-fA-F]{40}$",
            description="The wallet, in any spelling of its address.",
            examples=["0x52908400098527886E0F7030069857D2E4169EE7"],
        ),
    ],
) -> str:
    found = resolve_contributor(address)
    if found.address is None:
        raise Problem(422, "no_wallet", f"the address is no wallet ({found.reason})")
    return found.address


Program = Annotated[str, Depends(_program)]
Wallet = Annotated[str, Depends(_wallet)]
Day = Annotated[str, Path(pattern=DAY, description="A UTC day.", examples=["2026-11-02"])]
QueryDay = Annotated[str | None, Query(pattern=DAY, description="A UTC day.", examples=["2026-11-02"])]
Uid = Annotated[str, Path(pattern=r"^0x[0-9a-f]{64}$", description="The attestation.", examples=["0x" + "1f" * 32])]
Digest = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="SHA-256.", examples=["2e" * 32])]
