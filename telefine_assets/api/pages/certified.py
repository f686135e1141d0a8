"""What a deployment's attestations say, those too that were revoked and replaced."""

from __future__ import annotations

from telefine_assets.api.deployment import Deployment
from telefine_assets.api.standings import standings
from telefine_assets.attestation.standing import Issued


def certified(here: Deployment, program: str) -> list[Issued]:
    """The attestations of a program, oldest day first, and of a day oldest first."""
    return [each for standing in standings(here, program).values() for each in standing.issued]
