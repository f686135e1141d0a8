"""Which model judges: the one that the metric's or the guardrail's settings name."""

import pytest

from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.records import Work
from telefine_assets.ledger.spending import Spendings
from telefine_assets.resources.models import LmResource
from telefine_assets_tests.knn_lm import lm_settings
from telefine_assets_tests.programs.examples import program_settings

WORK = Work("tickets", "deltaone_reports", "2026-11-02", "run")
JUDGE = {"name": "lm_judge", "instructions": "It must be kind."}


@pytest.fixture
def ledger(tmp_path):
    opened = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield opened
    opened.close()


def test_every_guardrails_judge_is_bound_and_unnamed_ones_are_the_programs_own_model(knn, ledger):
    models = {
        name: lm_settings(knn, model=f"openai/{name}").model_dump(mode="json", exclude={"api_key"}, exclude_none=True)
        for name in ("lm", "lms.kind", "lms.strict")
    }
    rails = {
        "kind": {"metric": {**JUDGE, "lm": "kind", "labels": False}, "at_least": 1},
        "own": {"metric": JUDGE, "at_least": 1},
        "same": {"metric": "exact_match", "at_least": 1},
        "latency_ms": {"at_most": 1},
    }
    settings = program_settings(metric={**JUDGE, "lm": "strict"}, deltaone={"guardrails": rails})
    resource = LmResource(models=models, key_variables={})
    with resource.program(WORK, settings, ledger, print) as (spec, _):
        bound = {"": spec.metric, **spec.guardrails}
        judges = {name: metric.judge_lm and metric.judge_lm.identity["model"] for name, metric in bound.items()}
        digests = {name: metric.digest for name, metric in bound.items()}
    assert judges == {"": "openai/lms.strict", "kind": "openai/lms.kind", "own": "openai/lm", "same": None}
    assert len(set(digests.values())) == 4


def test_the_ledger_is_told_what_work_came_to_even_if_it_failed(knn, ledger):
    own = lm_settings(knn).model_dump(mode="json", exclude={"api_key"}, exclude_none=True)
    resource, settings = LmResource(models={"lm": own}, key_variables={}), program_settings()
    for _ in range(2):
        with (
            pytest.raises(ValueError, match="half way"),
            resource.program(WORK, settings, ledger, print) as (_, models),
            models.lm.context(),
        ):
            models.lm.lm("Which team?")
            raise ValueError("half way")
    with resource.program(WORK, settings, ledger, print):
        pass  # Nothing asked, nothing to tell.
    first, again = Spendings(ledger).of("tickets", WORK.day, WORK.day)
    assert (first.work, first.calls, first.remembered) == (WORK, 1, 0)
    assert (again.calls, again.remembered, again.cost_micros) == (0, 1, 0)
