"""From settings to a language model that DSPy can use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from telefine_assets.canonical import digest_of
from telefine_assets.errors import TelefineError
from telefine_assets.settings import LmSettings

if TYPE_CHECKING:
    from telefine_assets.lm.journal import AnswerJournal, JournalEngine


class BudgetSpent(TelefineError):
    """More calls were wanted than the settings allow. What was answered is kept."""


@dataclass(frozen=True)
class OpenLm:
    """A language model in use, with the adapter that suits it."""

    lm: Any
    """``dspy.LM``"""
    adapter: Any
    """``dspy.Adapter``"""
    identity: dict[str, str]
    """What decides its answers: model, weights' digest, adapter, sampling. No address, no key."""
    calls_in_flight: int
    engine: JournalEngine | None

    def context(self) -> Any:
        """``dspy.context`` with this model: for a block, never for the process."""
        import dspy

        return dspy.context(lm=self.lm, adapter=self.adapter, track_usage=False)

    @property
    def asked(self) -> int:
        """Calls that went to the model; 0 without a journal, which does the counting."""
        return self.engine.asked if self.engine else 0

    def check_budget(self) -> None:
        """Refuse to go on once a call was refused for want of budget.

        DSPy takes a refused call for one that failed, and would go on to
        compare programs that were not asked everything.

        Raises:
            BudgetSpent: with what to change.
        """
        if self.engine and self.engine.refused:
            raise BudgetSpent(
                f"the budget of {self.engine.asked} language model calls is spent; raise compile.max_lm_calls. "
                "Every answer is kept: run again, it goes on where it stopped"
            )

    @property
    def remembered(self) -> int:
        """Calls that the journal answered."""
        return self.engine.remembered if self.engine else 0


def identity_of(settings: LmSettings) -> dict[str, str]:
    """What decides a model's answers, without starting or asking it."""
    identity = {
        "model": settings.model,
        "adapter": settings.adapter,
        "temperature": repr(settings.temperature),
        "max_tokens": str(settings.max_tokens),
        "dspy": version("dspy"),
    }
    if settings.model == "embedded":
        from telefine_assets.lm.embedded import model_identity

        name, digest = model_identity()
        # Another build of the engine may round otherwise, and then answer otherwise.
        identity |= {"model": name, "sha256": digest, "engine": f"xllamacpp {version('xllamacpp')}"}
    return identity


@contextmanager
def open_lm(
    settings: LmSettings, journal: AnswerJournal | None = None, max_calls: int | None = None
) -> Iterator[OpenLm]:
    """Open the model of the settings; the embedded one is started if it does not run yet.

    With a ``journal`` no question is asked twice, and at most ``max_calls`` are
    asked. Without one every call is made.
    """
    if settings.model == "embedded":
        from telefine_assets.lm.embedded import embedded_model

        options = settings.embedded
        with embedded_model(threads=options.threads, state_dir=options.state_dir) as served:
            yield _opened(settings, f"openai/{served.model}", served.api_base, None, journal, max_calls)
        return
    key = settings.api_key.get_secret_value() if settings.api_key else None
    yield _opened(settings, settings.model, settings.api_base, key, journal, max_calls)


def _opened(
    settings: LmSettings,
    model: str,
    api_base: str | None,
    api_key: str | None,
    journal: AnswerJournal | None,
    max_calls: int | None,
) -> OpenLm:
    import dspy

    connection: dict[str, Any] = {"timeout": settings.timeout_seconds}
    if api_base:
        # A server of one's own takes any key; DSPy insists on one.
        connection |= {"api_base": api_base, "api_key": api_key or "none"}
    elif api_key:
        connection["api_key"] = api_key
    sampling = {"temperature": settings.temperature, "max_tokens": settings.max_tokens}
    # DSPy's own cache knows neither the server nor the weights behind a model's name.
    direct = dspy.LM(model, cache=False, num_retries=settings.num_retries, **sampling, **connection)
    identity = identity_of(settings)
    if journal is None:
        return OpenLm(direct, _adapter(settings), identity, settings.calls_in_flight, None)
    from telefine_assets.lm.journal import JournalEngine

    # Two servers may serve different weights under one name; the embedded one
    # is known by its weights, and listens elsewhere every time.
    asked = identity | {"api_base": settings.api_base or ""}
    engine = JournalEngine(direct, digest_of(asked), journal, max_calls)
    lm = dspy.LM(model, cache=False, num_retries=0, engine=engine, **sampling)
    return OpenLm(lm, _adapter(settings), identity, settings.calls_in_flight, engine)


def _adapter(settings: LmSettings) -> Any:
    import dspy

    if settings.adapter == "plain":
        from telefine_assets.lm.plain_adapter import PlainFewShotAdapter

        return PlainFewShotAdapter()
    return dspy.JSONAdapter() if settings.adapter == "json" else dspy.ChatAdapter()
