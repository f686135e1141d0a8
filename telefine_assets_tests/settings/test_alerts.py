"""Settings of alerts: addresses and secrets come from the environment, and are never shown."""

import json

import pytest

from telefine_assets.alerts.records import Kind
from telefine_assets.settings.loading import printable
from telefine_assets_tests.alerts.receiver import SECRET as KEY
from telefine_assets_tests.small_settings import SECRET, mistakes

OPS, CHAT = "alerts/channels/ops", "alerts/channels/chat"
URL, VARIABLE = "TELEFINE_ALERTS__CHANNELS__OPS__URL", "TELEFINE_ALERTS__CHANNELS__OPS__SECRET"
WEBHOOK = {OPS: {"kind": "webhook"}}

pytestmark = pytest.mark.usefixtures("own_environment")


def test_addresses_and_secrets_come_from_the_environment_and_are_never_shown(load, monkeypatch):
    monkeypatch.setenv(URL, f"https://hooks.test/{SECRET}")
    monkeypatch.setenv(VARIABLE, f"{KEY} {KEY}")
    monkeypatch.setenv("TELEFINE_ALERTS__CHANNELS__CHAT__URL", f"slack://{SECRET}")
    settings = load({**WEBHOOK, CHAT: {"kind": "apprise"}})
    assert settings.alerts.channels["ops"].url.get_secret_value() == f"https://hooks.test/{SECRET}"
    for shown in (repr(settings), str(settings), json.dumps(printable(settings))):
        assert SECRET not in shown
        assert KEY not in shown


@pytest.mark.parametrize("name", ["url", "secret"])
@pytest.mark.parametrize("place", ["", "profiles/production/"])
def test_in_the_file_they_are_refused_and_not_repeated(load, name, place):
    (line,) = mistakes(load, {f"{place}{OPS}": {"kind": "webhook", name: SECRET}})
    assert f"TELEFINE_ALERTS__CHANNELS__OPS__{name.upper()}" in line
    assert SECRET not in line


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [(URL, f"http://hooks.test/{SECRET}", "https://"), (VARIABLE, SECRET, "telefine alerts secret")],
)
def test_a_mistake_in_them_is_said_and_not_shown(load, monkeypatch, variable, value, said):
    monkeypatch.setenv(variable, value)
    (line,) = mistakes(load, WEBHOOK)
    assert said in line
    assert SECRET not in line


def test_a_channel_for_a_program_that_is_not_there_is_a_mistake(load):
    (line,) = mistakes(load, {OPS: {"kind": "webhook", "programs": ["refunds"]}})
    assert "alerts.channels.ops.programs: there is no program 'refunds'" in line


def test_nothing_is_told_until_it_is_turned_on(load):
    assert load().alerts.enabled is False


@pytest.mark.parametrize(
    ("kinds", "programs", "wanted"),
    [
        ([], [], {"run_failed tickets", "run_failed None", "alerts_on None", "anomaly tickets"}),
        (["run_failed"], [], {"run_failed tickets", "run_failed None", "alerts_on None"}),
        (["anomaly"], ["tickets"], {"anomaly tickets", "alerts_on None"}),
    ],
)
def test_a_channel_wants_its_kinds_and_programs_and_to_hear_that_it_works(load, kinds, programs, wanted):
    channel = load({OPS: {"kind": "webhook", "kinds": kinds, "programs": programs}}).alerts.channels["ops"]
    offered = [(Kind.RUN_FAILED, "tickets"), (Kind.RUN_FAILED, None), (Kind.ALERTS_ON, None), (Kind.ANOMALY, "tickets")]
    assert {f"{kind} {program}" for kind, program in offered if channel.wants(kind, program)} == wanted
    assert not channel.wants(Kind.ANOMALY, "refunds") or not programs
