"""The tickets program with items, cleaned traces and a language model, for the tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import SecretStr

from telefine_assets.canonical import digest_of
from telefine_assets.lm.budget import Budget
from telefine_assets.lm.opening import OpenLm, open_lm
from telefine_assets.programs.datasets import Item
from telefine_assets.programs.spec import ProgramSpec, load_spec
from telefine_assets.settings.compile import (
    BootstrapFewShotSettings,
    CompileSettings,
    LabeledFewShotSettings,
    RandomSearchSettings,
)
from telefine_assets.settings.lm import BudgetSettings
from telefine_assets.settings.schema import ProgramSettings, SplitSettings
from telefine_assets.traces.clusters import cluster_of, split_of
from telefine_assets.traces.records import CleanedTrace, json_text
from telefine_assets_tests.knn_lm import KnnLm, lm_settings
from telefine_assets_tests.programs.tickets import tickets

LABELED = LabeledFewShotSettings(max_labeled_demos=16)
BOOTSTRAP = BootstrapFewShotSettings(max_bootstrapped_demos=3, max_labeled_demos=12)
SEARCH = RandomSearchSettings(max_bootstrapped_demos=2, max_labeled_demos=12, candidates=2)
KEY = SecretStr("a secret")
"""What keys the split in the tests."""
ADA = "0x52908400098527886E0F7030069857D2E4169EE7"


def program_settings(**changes: Any) -> ProgramSettings:
    values = {
        "module": "telefine_assets_tests.programs.tickets:build",
        "experiment": "tickets",
        "split": {"key": KEY},
        "compile": {"strategies": [LABELED]},
        **changes,
    }
    return ProgramSettings.model_validate(values)


def tickets_spec(**changes: Any) -> ProgramSpec:
    return load_spec("tickets", program_settings(**changes))


def items(count: int, start: int = 0) -> list[Item]:
    """Items with the right labels."""
    return [_item(number, *row) for number, row in enumerate(tickets(count, start), start)]


def _item(number: int, text: str, team: str) -> Item:
    inputs = {"ticket": text}
    cluster = cluster_of(inputs)
    return Item(
        cluster=cluster,
        content=cluster,
        group=cluster,
        trace_id=f"tr-{number}",
        trace_digest=digest_of(number),
        inputs=inputs,
        label={"team": team},
        label_source="expectation:HUMAN:ann",
        quality_ppm=1_000_000,
        contributor=ADA,
        arrival_ms=number,
    )


def cleaned_tickets(count: int, start: int = 0, split: SplitSettings | None = None) -> list[CleanedTrace]:
    """Cleaned traces of tickets, right labels, each on the side where its content puts it."""
    split = split or program_settings().split
    return [
        cleaned_trace(f"tr-{number}", {"ticket": text}, {"team": team}, 1_000 + number, split)
        for number, (text, team) in enumerate(tickets(count, start), start)
    ]


def cleaned_trace(
    trace_id: str,
    inputs: dict[str, Any],
    label: dict[str, Any],
    at: int,
    split: SplitSettings,
    source: str = "expectation:HUMAN:ann",
) -> CleanedTrace:
    cluster = cluster_of(inputs)
    return CleanedTrace(
        trace_id=trace_id,
        trace_digest=digest_of(trace_id),
        day="2026-11-20",
        arrival_ms=at,
        inputs=json_text(inputs),
        label=json_text(label),
        label_source=source,
        score_ppm=None,
        quality_ppm=1_000_000,
        contributor=ADA,
        contributor_reason=None,
        content=cluster,
        cluster=cluster,
        group=cluster,
        split=split_of(cluster, split.key.get_secret_value(), split.validation_percent, split.holdout_percent),
        session=None,
        version=None,
        disagreement_ppm=None,
        flags="[]",
        submission=None,
    )


@contextmanager
def opened(knn: KnnLm, budget: dict[str, Any] | None = None, **changes: Any) -> Iterator[OpenLm]:
    """The stand-in as the tests' language model; ``budget`` as in the settings."""
    with open_lm(lm_settings(knn, **changes), budget=Budget(BudgetSettings.model_validate(budget or {}))) as lm:
        yield lm


def compile_settings(**changes: Any) -> CompileSettings:
    values = {"min_train": 20, "min_validation": 20, "strategies": [LABELED], **changes}
    return CompileSettings.model_validate(values)
