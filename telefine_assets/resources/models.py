"""The language model, as a Dagster resource."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dagster as dg

from telefine_assets.settings import LmSettings

if TYPE_CHECKING:
    from telefine_assets.ledger.connection import Ledger
    from telefine_assets.lm.opening import OpenLm


class LmResource(dg.ConfigurableResource):
    """The model that programs run on. Its key, if any, comes from the environment and is not shown."""

    model: str
    api_base: str | None = None
    api_key: str | None = None
    adapter: str = "chat"
    temperature: float = 0.0
    max_tokens: int = 512
    calls_in_flight: int = 4
    num_retries: int = 5
    timeout_seconds: float = 60.0
    threads: int = 2
    state_dir: str | None = None

    @classmethod
    def of(cls, settings: LmSettings) -> LmResource:
        """The resource for these settings."""
        values = settings.model_dump(exclude={"api_key", "embedded"})
        state_dir = settings.embedded.state_dir
        return cls(
            **values,
            threads=settings.embedded.threads,
            state_dir=str(state_dir) if state_dir else None,
            api_key=dg.EnvVar("TELEFINE_LM__API_KEY") if settings.api_key else None,
        )

    def settings(self) -> LmSettings:
        """The settings again, as the lm package wants them."""
        return LmSettings.model_validate(
            {
                name: getattr(self, name)
                for name in LmSettings.model_fields
                if name != "embedded" and getattr(self, name) is not None
            }
            | {"embedded": {"threads": self.threads, "state_dir": self.state_dir}}
        )

    @contextmanager
    def open(self, ledger: Ledger, max_calls: int | None = None) -> Iterator[OpenLm]:
        """The model, with the ledger as the journal of its answers: nothing is asked twice."""
        from telefine_assets.ledger.answers import Answers
        from telefine_assets.lm.opening import open_lm

        with open_lm(self.settings(), Answers(ledger), max_calls) as lm:
            yield lm

    def identity(self) -> dict[str, str]:
        """What decides the model's answers."""
        from telefine_assets.lm.opening import identity_of

        return identity_of(self.settings())
