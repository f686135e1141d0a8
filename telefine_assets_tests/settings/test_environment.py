"""Variables of the environment that nothing reads are mistakes, and those that something reads are known."""

import re
import sys

import pytest

from telefine_assets.settings.environment import require_known
from telefine_assets.settings.loading import load_signer_settings
from telefine_assets.settings.schema import Settings
from telefine_assets_tests.settings.test_loading import ROOT
from telefine_assets_tests.small_settings import SECRET, mistakes

NAMED = {
    "programs": {"name": {"deltaone": {"guardrails": {"name": {}}}}},
    "lms": {"name": {}},
    "alerts": {"channels": {"name": {}, "ops": {}}},
}


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("TELEFINE_SINGER__PRIVATE_KEY", "TELEFINE_SIGNER__PRIVATE_KEY"),
        ("TELEFINE_LM__APIKEY", "TELEFINE_LM__API_KEY"),
        ("TELEFINE_LM_API_KEY", "TELEFINE_LM__API_KEY"),
        ("telefine_lm__apikey", "TELEFINE_LM__API_KEY"),
        ("TELEFINE_PROFIL", "TELEFINE_PROFILE"),
        ("TELEFINE_LMS__TEACHR__API_KEY", "TELEFINE_LMS__TEACHER__API_KEY"),
        ("TELEFINE_PROGRAMS__TICKET__PAYOUT__POOL", "TELEFINE_PROGRAMS__TICKETS__PAYOUT__POOL"),
        ("TELEFINE_ALERTS__CHANNELS__OSP__URL", "TELEFINE_ALERTS__CHANNELS__OPS__URL"),
    ],
)
def test_a_misspelt_variable_is_refused_with_the_nearest_and_without_its_value(load, monkeypatch, variable, nearest):
    monkeypatch.setenv(variable, SECRET)
    changes = {"lms/teacher/model": "openai/big", "profiles": {"live": {"alerts": {"channels": {"ops": {}}}}}}
    (line,) = mistakes(load, changes)
    assert line == (f"environment: {variable.upper()}: is not a variable that Telefine reads; the nearest is {nearest}")


def test_each_misspelt_variable_gets_its_line_and_the_signer_alone_refuses_them_too(load, monkeypatch, tmp_path):
    monkeypatch.setenv("TELEFINE_HOMES", "1")
    monkeypatch.setenv("TELEFINE_SINGER", '{"private_key": 1}')
    assert [line.split(": ")[1] for line in mistakes(load)] == ["TELEFINE_HOMES", "TELEFINE_SINGER"]
    assert len(mistakes(lambda *_: load_signer_settings(tmp_path / "none.yaml"))) == 2


def test_a_model_that_is_given_whole_may_have_further_keys(load, monkeypatch):
    monkeypatch.setenv("TELEFINE_LMS__JUDGE__API_KEY", SECRET)
    monkeypatch.setenv("TELEFINE_LMS__JUDGE__PRICE", '{"input_per_million": "1", "output_per_million": "1"}')
    assert len(mistakes(load)) == 2
    monkeypatch.setenv("TELEFINE_LMS__JUDGE", '{"model": "openai/judge"}')
    assert load().lms["judge"].api_key.get_secret_value() == SECRET


def test_names_below_a_key_that_holds_anything_by_name_are_ones_own(load, monkeypatch):
    monkeypatch.setenv("TELEFINE_PROGRAMS__TICKETS__TRACES__FILTERS__TAGS__STAGE", "production")
    monkeypatch.setenv("TELEFINE_CHAIN__DISTRIBUTORS__TICKETS", "0x52908400098527886E0F7030069857D2E4169EE7")
    assert load().program("tickets").traces.filters.tags == {"stage": "production"}


def test_what_kubernetes_says_of_its_services_is_not_ours(load, monkeypatch):
    for name in ("API_SERVICE_HOST", "API_SERVICE_PORT_HTTP", "API_PORT", "API_PORT_8400_TCP_ADDR", "PORT"):
        monkeypatch.setenv(f"TELEFINE_{name}", "tcp://10.0.0.7:8400")
    assert len(mistakes(load)) == 5
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    load()
    monkeypatch.setenv("TELEFINE_SINGER__PRIVATE_KEY", SECRET)
    assert len(mistakes(load)) == 1


def test_every_variable_that_documents_deployments_and_code_name_is_known(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "_hooks"))
    reference = __import__("settings_reference").markdown(Settings.model_json_schema())
    sys.modules.pop("settings_reference")
    files = [path for folder in ("deploy", "telefine_assets") for path in (ROOT / folder).rglob("*") if path.is_file()]
    texts = [path.read_text(errors="replace") for path in files if path.suffix not in (".pyc", ".gz", ".png")]
    # Completion's own begins with an underscore; one that ends with one is made in code.
    named = set(re.findall(r"(?<![A-Z_])TELEFINE_[A-Z0-9_]*[A-Z0-9](?![A-Z0-9_{])", "\n".join([reference, *texts])))
    assert len(named) > 200
    require_known(dict.fromkeys([*named, "KUBERNETES_SERVICE_HOST"], "x"), Settings, NAMED)
