"""Language models by name, what they cost, and what may be spent on them."""

from pathlib import Path

import dagster as dg
import pytest
import yaml
from pydantic import ValidationError

from telefine_assets.errors import TelefineError
from telefine_assets.resources import LmResource, resources_for
from telefine_assets.settings.lm import BudgetSettings, LmSettings
from telefine_assets.settings.loading import load_settings
from telefine_assets.settings.schema import Settings

SECRET = "sk-7f3a-not-to-be-shown"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def settings(tmp_path, monkeypatch, own_environment) -> Settings:
    """This repository's own, with a teacher whose key stands in the environment."""
    values = yaml.safe_load((ROOT / "telefine.yaml").read_text())
    price = {"input_per_million": "2.5", "output_per_million": "10"}
    values["lms"] = {"teacher": {"model": "openai/gpt-4o", "price": price, "calls_per_minute": 60}}
    values["lms"]["small"] = {"embedded": {"state_dir": "models"}}
    (tmp_path / "telefine.yaml").write_text(yaml.safe_dump(values))
    monkeypatch.setenv("TELEFINE_LMS__TEACHER__API_KEY", SECRET)
    return load_settings(tmp_path / "telefine.yaml")


def test_a_models_paths_are_anchored_and_its_key_is_found_in_the_environment(settings, tmp_path):
    assert settings.lms["teacher"].api_key.get_secret_value() == SECRET
    assert settings.lms["small"].embedded.state_dir == tmp_path / "models"
    assert SECRET not in repr(settings)


def test_the_resource_gives_the_settings_back_and_shows_no_key(settings):
    found = {}

    @dg.asset
    def reads(lm: LmResource) -> None:
        found.update({name: lm.settings(name) for name in (None, "teacher", "small")})
        with pytest.raises(TelefineError, match="judge"):
            lm.settings("judge")

    resource = resources_for(settings)["lm"]
    assert SECRET not in f"{resource!r} {resource}"
    assert dg.materialize([reads], resources={"lm": resource}).success
    assert found == {name: settings.lms[name] if name else settings.lm for name in found}


@pytest.mark.parametrize("cost", ["-1", "1.0000001", "1e3", "", "12,50", 12.5])
def test_money_is_a_decimal_string(cost):
    with pytest.raises(ValidationError):
        BudgetSettings(max_cost=cost)
    with pytest.raises(ValidationError):
        LmSettings.model_validate({"price": {"input_per_million": cost, "output_per_million": "1"}})
    assert BudgetSettings(max_cost="12.50").max_cost == "12.50"
