"""A compile whose process is killed goes on where it stopped, whatever the strategy, to the same bytes."""

import signal
import subprocess
import sys
import time

import pytest

from telefine_assets.canonical import canonical_json
from telefine_assets.programs.compiling import CANDIDATE, Models, compile_day
from telefine_assets.programs.versions import first_version
from telefine_assets_tests.lm.opened import journaled
from telefine_assets_tests.programs.examples import KEY, cleaned_tickets, compile_settings, tickets_spec
from telefine_assets_tests.programs.strategies.writer import writes

IN_FLIGHT = 4
STRATEGIES = {
    "search": {"strategy": "bootstrap_few_shot_with_random_search", "candidates": 3, "max_rounds": 2},
    "knn": {"strategy": "knn_few_shot", "max_bootstrapped_demos": 20},
    "copro": {"strategy": "copro", "breadth": 2, "depth": 2, "max_scored": 6},
    "mipro": {"strategy": "mipro_v2", "instructions": 3, "trials": 4, "minibatch": 4},
    "simba": {"strategy": "simba", "steps": 3, "tries": 6, "batch": 8, "max_scored": 12, "max_demos": 8},
    "gepa": {"strategy": "gepa", "max_metric_calls": 30},
}
COMPILES = """
import sys
from types import SimpleNamespace
from telefine_assets_tests.programs.test_killed_compile import record
print(record(sys.argv[1], SimpleNamespace(api_base=sys.argv[2]), sys.argv[3]))
"""


def record(url, knn, name):
    """One compile with the journal at ``url``."""
    spec = tickets_spec()
    settings = compile_settings(
        strategies=[STRATEGIES[name]], max_train=40, max_validation=24, racing={"first_items": 8}
    )
    with journaled(url, knn, calls_in_flight=IN_FLIGHT) as lm:
        result = compile_day(spec, cleaned_tickets(160), first_version(spec, lm.identity), settings, KEY, Models(lm))
        return result.outcome, canonical_json(result.to_record(lm.identity))


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_killed_compile_goes_on_where_it_stopped(knn, tmp_path, name):
    knn.instead = writes
    whole = record(f"sqlite:///{tmp_path}/whole.db", knn, name)
    asked, knn.calls = knn.calls, 0
    assert whole[0] == CANDIDATE

    url = f"sqlite:///{tmp_path}/killed.db"
    knn.latency_seconds = 0.01
    command = [sys.executable, "-c", COMPILES, url, knn.api_base, name]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while knn.calls < asked // 2 and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL, "it was killed half way"
    knn.latency_seconds = 0.0
    assert record(url, knn, name) == whole
    assert knn.calls <= asked + IN_FLIGHT, "only what was in flight, and so never answered, is asked again"
