"""A run that a command began on another machine is neither taken for lost from here, nor stopped from here."""

import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest

from telefine_assets.control.driver import DagsterControl, open_control
from telefine_assets.control.errors import ControlError
from telefine_assets.control.reading import HERE, HOST
from telefine_assets.control.records import RunStatus
from telefine_assets.settings.schema import Settings


@dg.job
def anything() -> None:
    """A job without work."""


@pytest.fixture
def control(load: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DagsterControl]:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    with closing(open_control(load({"dagster/url": "http://127.0.0.1:9"}))) as opened:
        yield opened


def begun_on(control: DagsterControl, host: str) -> str:
    """A run that says that it goes on in the process of a command."""
    tags = {HERE: "an-errand", HOST: host}
    return control.instance.create_run_for_job(anything, status=dg.DagsterRunStatus.STARTED, tags=tags).run_id


def test_a_run_of_another_machine_is_no_orphan_and_is_stopped_there(control: DagsterControl) -> None:
    there, here = begun_on(control, "elsewhere"), begun_on(control, socket.gethostname())
    assert control.orphans() == [here]
    with pytest.raises(ControlError, match="was begun on elsewhere by a command: stop it there"):
        control.stop(there, "a test")
    assert control.run(there).status is RunStatus.STARTED
    control.stop(here, "a test")
    assert control.run(here).status is RunStatus.CANCELED
