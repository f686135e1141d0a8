"""What is missing is said before anything is made or spent."""

import dagster as dg
import pytest

from telefine_assets.definitions import build_defs
from telefine_assets.settings.loading import load_settings
from telefine_assets_tests.traces.deployment import FIRST, LAST, SETTINGS


@pytest.fixture
def fails(tmp_path, own_environment):
    """What a stage of a new deployment fails with, whose settings have ``more``."""

    def fails(stage, more):
        (tmp_path / "telefine.yaml").write_text(SETTINGS.format(first=FIRST, last=LAST) + more)
        defs = build_defs(load_settings(tmp_path / "telefine.yaml"))
        with dg.instance_for_test() as instance:
            result = dg.materialize(
                [*defs.assets],
                selection=dg.AssetSelection.assets(f"tickets/{stage}"),
                instance=instance,
                resources=defs.resources,
                partition_key=LAST,
                raise_on_error=False,
            )
        (event,) = [each for each in result.all_events if each.is_step_failure]
        return str(event.event_specific_data)

    return fails


@pytest.mark.parametrize("how", ["auto", "direct", "api"])
def test_a_database_at_a_wrong_place_is_named_and_none_is_made_there(tmp_path, fails, how):
    said = fails("traces", f"mlflow: {{tracking_uri: 'sqlite:///wrong.db', trace_source: {how}}}\n")
    assert f"there is no MLflow database at {tmp_path}/wrong.db" in said
    assert "mlflow.tracking_uri" in said
    assert not [*tmp_path.rglob("*.db")]


def test_no_look_is_begun_without_a_key_to_sign_with(tmp_path, fails):
    """Nothing is there yet that a look could read: that the key is missing comes first all the same."""
    said = fails("deltaone_reports", "signer: {kind: environment}\n")
    assert "set TELEFINE_SIGNER__PRIVATE_KEY" in said
    assert "openssl rand -hex 32" in said
