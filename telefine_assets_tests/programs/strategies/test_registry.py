"""Running strategies: which there are, what is passed on of what they make and say, and what stops them."""

import logging
import sys
import threading
from importlib.metadata import entry_points

import pytest

from telefine_assets.lm.opening import Unreachable
from telefine_assets.programs.metrics import MetricError
from telefine_assets.programs.strategies import REGISTRY, Estimate, Proposal, StrategyError, estimate, propose
from telefine_assets.settings.compile import BUILT_IN, CompileSettings, StrategySettings, plugins
from telefine_assets_tests.programs.examples import LABELED, tickets_spec
from telefine_assets_tests.programs.strategies.tasks import proposals, task_on

PLUGIN = """
from telefine_assets.programs.strategies import Estimate, Proposal
from telefine_assets.settings.compile import StrategySettings


class Settings(StrategySettings):
    first: int = 3


def propose(settings, task):
    module = task.student.reset_copy()
    module.sort.demos = list(task.trainset[: settings.first])
    yield Proposal("first", module)


def estimate(settings, n_train, n_val, predictors):
    return Estimate(n_train, 1)
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package that brings strategies, installed as pip would."""
    (tmp_path / "first_items.py").write_text(PLUGIN)
    (tmp_path / "no_settings.py").write_text("Settings = dict\n")
    info = tmp_path / "first_items-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: first-items\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[telefine.strategies]\nfirst_items = first_items\nbroken = no_such_module\nformless = no_settings\n"
        "copro = first_items\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in ("first_items", "no_settings"):
        sys.modules.pop(name, None)


def entry(**values):
    return CompileSettings.model_validate({"strategies": [values]}).contenders[0]


def test_every_built_in_strategy_can_be_configured_run_and_estimated():
    assert set(REGISTRY) == set(BUILT_IN)
    for settings in BUILT_IN.values():
        assert estimate(settings(), 100, 50, 1).calls_at_most is not None


def test_an_installed_package_brings_a_strategy(knn, installed):
    settings = entry(strategy="first_items", first=5)
    (proposal,) = proposals(knn, settings)
    assert len(proposal.module.sort.demos) == 5
    assert settings.model_dump() == {"strategy": "first_items", "first": 5}
    assert estimate(settings, 7, 5, 1) == Estimate(7, 1)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"strategy": "first_items", "last": 5}, "last"),
        ({"strategy": "frist_items"}, "simba, gepa; from installed packages: broken, first_items, formless"),
        ({"strategy": "broken"}, "no_such_module"),
        ({"strategy": "formless"}, "subclass of StrategySettings"),
        ({"strategy": "copro", "first": 1}, "copro|first"),
    ],
)
def test_a_wrong_entry_says_what_is_wrong(installed, values, said):
    with pytest.raises(ValueError, match=said):
        entry(**values)


def test_a_package_that_is_gone_is_named(knn):
    assert not entry_points(group="telefine.strategies") and not plugins()
    with pytest.raises(StrategyError, match="first_items"):
        proposals(knn, StrategySettings(strategy="first_items"))
    assert estimate(StrategySettings(strategy="first_items"), 1, 1, 1) == Estimate(None, None)


def strategy(monkeypatch, function):
    monkeypatch.setitem(REGISTRY, "labeled_few_shot", function)


def test_the_student_and_repetitions_are_not_proposed(knn, monkeypatch):
    def repeats(settings, task):
        module = task.student.deepcopy()
        yield Proposal("student", module)
        module.sort.demos = task.trainset[:1]
        yield Proposal("new", module)
        yield Proposal("again", module.deepcopy())

    strategy(monkeypatch, repeats)
    assert [each.name for each in proposals(knn, LABELED)] == ["new"]


def test_what_dspy_swallowed_comes_out_before_the_proposal_does(knn, monkeypatch):
    def swallows(settings, task):
        with pytest.raises(Exception, match=r"."):
            task.student.deepcopy()(ticket="any")
        yield Proposal("made without an answer", task.student.reset_copy())

    strategy(monkeypatch, swallows)
    knn.refuses = lambda prompt: True
    with pytest.raises(Unreachable):
        proposals(knn, LABELED)


def test_so_does_what_the_metric_raised(knn, monkeypatch):
    def swallows(settings, task):
        with pytest.raises(MetricError):
            task.scorer()(task.trainset[0], task.trainset[0])
        raise RuntimeError("what DSPy makes of it")
        yield

    strategy(monkeypatch, swallows)
    with pytest.raises(MetricError, match="out_of_range"):
        proposals(knn, LABELED, metric=tickets_spec(metric=f"{__name__}:out_of_range").metric)


def out_of_range(example, prediction, trace=None):
    return 7


def test_what_is_printed_goes_to_the_log_and_other_threads_still_print(knn, monkeypatch, capsys, caplog):
    import tqdm

    caplog.set_level(logging.DEBUG, "telefine_assets.programs.strategies")
    before = sys.stdout, sys.stderr
    inside, outside = threading.Event(), threading.Event()

    def chats(settings, task):
        print("to the log")
        list(tqdm.tqdm([1, 2], file=sys.stdout))
        print("whole lines", end=" ", file=sys.stderr)
        print("only", file=sys.stderr)
        inside.set()
        assert outside.wait(10)
        yield Proposal("any", task.student.deepcopy())

    def other():
        assert inside.wait(10)
        print("to the terminal")
        outside.set()

    strategy(monkeypatch, chats)
    thread = threading.Thread(target=other)
    thread.start()
    with task_on(knn) as task:
        for _ in propose(LABELED, task):
            print("between")
    thread.join()
    assert capsys.readouterr() == ("to the terminal\n", "")
    messages = [record.getMessage() for record in caplog.records]
    assert {"labeled_few_shot: to the log", "labeled_few_shot: whole lines only"} <= set(messages)
    assert any("2/2" in message for message in messages)
    assert (sys.stdout, sys.stderr) == before
