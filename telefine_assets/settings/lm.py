"""Settings of language models, and of what a compile may spend on them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr

from telefine_assets.settings.addresses import Address
from telefine_assets.settings.group import Group

Dollars = Annotated[
    str,
    Field(pattern=r"^[0-9]{1,9}(\.[0-9]{1,6})?$", description="US dollars in quotes, at most six decimals."),
]


class EmbeddedSettings(Group):
    """The embedded model's server (only with ``lm.model: embedded``)."""

    threads: int = Field(2, ge=1, le=64, description="Of its server; no more than there are idle cores.")
    state_dir: Path | None = Field(None, description="Shared by all processes of this machine.")


class PriceSettings(Group):
    """What a model costs, in US dollars for a million tokens."""

    input_per_million: Dollars
    output_per_million: Dollars


class LmSettings(Group):
    """A language model that programs run on, or that helps to compile them."""

    model: str = Field("embedded", description="'embedded', or a DSPy model string such as openai/gpt-4o-mini.")
    api_base: Address | None = Field(
        None,
        repr=False,
        description="Address of an OpenAI-compatible server; the model's own when absent. With a user or a password "
        "only from TELEFINE_LM__API_BASE or TELEFINE_LMS__<NAME>__API_BASE.",
    )
    api_key: SecretStr | None = Field(
        None, description="Only from TELEFINE_LM__API_KEY or TELEFINE_LMS__<NAME>__API_KEY."
    )
    adapter: Literal["chat", "json", "plain"] = Field(
        "chat", description="DSPy's layout of prompts: chat or json for instruct models, plain for base models."
    )
    temperature: float = Field(
        0.0, ge=0, le=2, description="0 gives the same answer each time, as far as the model does."
    )
    max_tokens: int = Field(512, ge=1, description="Longest answer.")
    calls_in_flight: int = Field(4, ge=1, le=256, description="Questions that one process asks at once.")
    runs_at_once: int = Field(1, ge=1, le=64, description="Compiles and evaluations that ask it at once; others wait.")
    calls_per_minute: int | None = Field(None, ge=1, description="Most calls that a process makes in a minute.")
    num_retries: int = Field(8, ge=0, le=50, description="Of transient faults only: 408, 429, 5xx, cut connections.")
    timeout_seconds: float = Field(60.0, gt=0, description="Longest wait for a byte of an answer.")
    price: PriceSettings | None = Field(None, description="The price list that DSPy carries, when absent.")
    embedded: EmbeddedSettings = EmbeddedSettings()


class BudgetSettings(Group):
    """Caps of one compile; once one is reached nothing more is asked."""

    max_calls: int | None = Field(
        None, ge=1, description="Questions to language models, of all that take part; remembered ones count too."
    )
    max_tokens: int | None = Field(None, ge=1, description="Tokens in and out that a run pays for.")
    max_cost: Dollars | None = Field(None, description="US dollars in quotes, such as '12.50'.")
    max_seconds: float | None = Field(None, gt=0, description="Time in which calls may be started.")
