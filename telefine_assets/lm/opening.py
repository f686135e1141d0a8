"""From settings to a language model that DSPy can use."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from telefine_assets.canonical import digest_of
from telefine_assets.lm.budget import Bill, Budget, BudgetSpent, BudgetUnknown, DeadlinePassed, Spent, Unreachable
from telefine_assets.lm.retrying import Gate, Notices, Retrying
from telefine_assets.lm.untraced import untraced, untraced_modules
from telefine_assets.settings.lm import LmSettings, PriceSettings

if TYPE_CHECKING:
    from telefine_assets.lm.journal import AnswerJournal, JournalEngine
    from telefine_assets.lm.watching import Watch

__all__ = ["BudgetSpent", "DeadlinePassed", "OpenLm", "Unreachable", "identity_of", "open_lm"]

logger = logging.getLogger("telefine.lm")
FREE = PriceSettings(input_per_million="0", output_per_million="0")


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
    engine: JournalEngine
    budget: Budget

    @contextmanager
    def context(self, callbacks: Sequence[Any] = ()) -> Iterator[None]:
        """Run DSPy with this model, in this thread and those that DSPy starts, and unseen by MLflow.

        Args:
            callbacks: DSPy callbacks; there are no others in the block.
        """
        import dspy

        watchers = [*untraced_modules(), *callbacks]
        with (
            untraced(),
            dspy.context(lm=self.lm, adapter=self.adapter, callbacks=watchers, track_usage=False, usage_tracker=None),
        ):
            yield

    @contextmanager
    def counting(self, label: str) -> Iterator[None]:
        """Count what is asked in this block under ``label``, of other models than this one too.

        Threads that DSPy starts in the block count there as well; others enter it again.
        """
        import dspy

        from telefine_assets.lm.journal import LABEL

        with dspy.context(**{LABEL: label}), self.engine.watch.batch(label):
            yield

    @contextmanager
    def measuring(self) -> Iterator[Bill]:
        """Sum up what the answers took that this block gets, of any model, when they were first asked for.

        Threads that DSPy starts in the block are summed up too; others, if they run in a copy of its context.
        """
        import dspy

        from telefine_assets.lm.journal import BILL

        bill = Bill()
        with dspy.context(**{BILL: bill}):
            yield bill

    @property
    def spent(self) -> Spent:
        """What this model was asked since it was opened."""
        return self.engine.meter.total()

    def spent_by(self) -> dict[str, Spent]:
        """The same by label; ``""`` is what was asked outside ``counting``. The parts sum to ``spent``."""
        return self.engine.meter.by_label()

    def check(self) -> None:
        """Raise what DSPy may have taken for a wrong answer; to be called before results are used.

        Raises:
            BudgetSpent: a cap was reached and more was wanted; again at each check.
            BudgetUnknown: a cap depends on what the model does not report; again at each check.
            DeadlinePassed: the time was over and more was wanted; again at each check.
            Unreachable: a question got no answer since the last check; ``spent_by()[label].failed`` says whose.
        """
        self.engine.check()

    def intact(self) -> None:
        """Raise what else DSPy may have taken for a call without an answer.

        Raises:
            JournalBroken: an answer could not be kept or read.
            Halted: the run was stopped.
        """
        self.engine.intact()


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
    settings: LmSettings,
    journal: AnswerJournal | None = None,
    budget: Budget | None = None,
    watch: Watch | None = None,
    say: Callable[[str], None] = logger.info,
) -> Iterator[OpenLm]:
    """Open the model of the settings; the embedded one is started if it does not run yet.

    With a ``journal`` no question is asked twice; without one every call is
    made. Models that are opened with one ``budget`` share its caps. ``watch`` is told of every request,
    and ``say`` takes a line now and then while the model does not answer; threads share both.

    Raises:
        BudgetUnknown: when the budget has a cap in money, and the model's price is not known.
    """
    budget = budget or Budget()
    if settings.model == "embedded":
        from telefine_assets.lm.embedded import embedded_model

        options = settings.embedded
        with embedded_model(threads=options.threads, state_dir=options.state_dir) as served:
            yield _opened(settings, f"openai/{served.model}", served.api_base, FREE, journal, budget, watch, say)
        return
    yield _opened(settings, settings.model, settings.api_base, settings.price, journal, budget, watch, say)


def _opened(
    settings: LmSettings,
    model: str,
    api_base: str | None,
    price: PriceSettings | None,
    journal: AnswerJournal | None,
    budget: Budget,
    watch: Watch | None,
    say: Callable[[str], None],
) -> OpenLm:
    from telefine_assets.lm.asking import LM, Wire
    from telefine_assets.lm.journal import JournalEngine

    # DSPy's own cache knows neither the server nor the weights behind a model's name.
    common = {"cache": False, "num_retries": 0, "temperature": settings.temperature, "max_tokens": settings.max_tokens}
    wire = Wire(model, price, **common, **_connection(settings, api_base))
    if budget.limits.max_cost is not None and not wire.has_price:
        raise BudgetUnknown(
            f"what {model} costs is not known, so that compile.budget.max_cost cannot be kept; "
            "set lm.price, or compile.budget.max_calls or max_tokens instead"
        )
    identity = identity_of(settings)
    # Two servers may serve different weights under one name; the embedded one
    # is known by its weights, and listens elsewhere every time.
    asked = digest_of(identity | {"api_base": settings.api_base or ""})
    notices = Notices(say, settings.model, budget.clock)
    retrying = Retrying(settings.num_retries + 1, Gate(settings.calls_per_minute, budget), budget, notices)
    engine = JournalEngine(wire, asked, journal, budget, retrying, watch)
    lm = LM(model, **common, engine=engine)
    return OpenLm(lm, _adapter(settings), identity, settings.calls_in_flight, engine, budget)


def _connection(settings: LmSettings, api_base: str | None) -> dict[str, Any]:
    key = settings.api_key.get_secret_value() if settings.api_key else None
    connection: dict[str, Any] = {"timeout": settings.timeout_seconds}
    if api_base:
        # A server of one's own takes any key; DSPy insists on one.
        connection |= {"api_base": api_base, "api_key": key or "none"}
    elif key:
        connection["api_key"] = key
    return connection


def _adapter(settings: LmSettings) -> Any:
    import dspy

    if settings.adapter == "plain":
        from telefine_assets.lm.plain_adapter import PlainFewShotAdapter

        return PlainFewShotAdapter()
    return dspy.JSONAdapter() if settings.adapter == "json" else dspy.ChatAdapter()
