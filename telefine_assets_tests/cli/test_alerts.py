"""``telefine alerts`` and what `telefine doctor` says of channels, against a real receiver."""

import json
import time
from contextlib import closing

import pytest
import yaml

from telefine_assets.alerts.webhook import keys_of
from telefine_assets.cli.main import main
from telefine_assets.control.health import Health, examine
from telefine_assets.control.health_alerts import ALERTS
from telefine_assets.ledger.alerts import Alerts
from telefine_assets.ledger.audit import Audit
from telefine_assets.ledger.connection import Ledger
from telefine_assets.settings.loading import load_settings
from telefine_assets_tests.alerts.examples import NOW, champion
from telefine_assets_tests.alerts.receiver import SECRET, receiving
from telefine_assets_tests.small_settings import smallest

URL, KEY = "TELEFINE_ALERTS__CHANNELS__{}__URL", "TELEFINE_ALERTS__CHANNELS__OPS__SECRET"
CHANNELS = {"ops": {"kind": "webhook"}, "chat": {"kind": "apprise"}}


@pytest.fixture
def receiver():
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def write(tmp_path, monkeypatch, own_environment):
    def write(**alerts):
        values = smallest() | {"alerts": {"enabled": True, "channels": CHANNELS, "max_attempts": 1} | alerts}
        (tmp_path / "telefine.yaml").write_text(yaml.safe_dump(values))

    write()
    monkeypatch.setenv("TELEFINE_CONFIG", str(tmp_path / "telefine.yaml"))
    monkeypatch.setenv("COLUMNS", "240")
    return write


@pytest.fixture
def ready(write, receiver, monkeypatch):
    """Settings with both channels leading to the receiver."""
    monkeypatch.setenv(URL.format("OPS"), receiver.url)
    monkeypatch.setenv(URL.format("CHAT"), receiver.url.replace("http://", "json://"))
    monkeypatch.setenv(KEY, SECRET)


@pytest.fixture
def ledger(write):
    with closing(Ledger(load_settings().ledger.url)) as ledger:
        yield ledger


@pytest.fixture
def telefine(capsys):
    """Run ``telefine alerts``; returns exit code, output and errors."""

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main(["alerts", *arguments])
        done = capsys.readouterr()
        return caught.value.code or 0, done.out, done.err

    return run


def doctor():
    return next(examine(load_settings(), [ALERTS]))


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_test_message_comes_to_its_channel_or_the_reason_is_said(ready, telefine, receiver, channel):
    assert telefine("test", channel) == (0, f"{channel}: delivered\n", "")
    assert b"Somebody asked for this message" in receiver.got[0][1]
    receiver.status = 500
    code, _, said = telefine("test", channel)
    assert code == 1
    assert f"telefine: {channel}: " in said
    assert "token" not in said


def test_a_channel_without_its_variables_or_without_a_name_is_said(write, telefine):
    code, _, said = telefine("test", "ops")
    assert (code, f"set {URL.format('OPS')} and {KEY} in the environment" in said) == (1, True)
    assert "there is no 'opps'; there are: chat, ops" in telefine("test", "opps")[2]


def test_what_was_given_up_is_listed_replayed_and_delivered(ready, telefine, receiver, ledger):
    book, key = Alerts(ledger), champion().key
    book.record(champion(), CHANNELS, NOW)
    receiver.status = 500
    code, _, said = telefine("deliver")
    assert (code, "ops: answered 500" in said) == (1, True)
    dead = json.loads(telefine("dead", "--json")[1])
    assert {(each["channel"], each["event"]) for each in dead} == {("chat", "dead"), ("ops", "dead")}
    assert key in telefine("dead")[1]
    assert doctor().health is Health.BROKEN
    assert "telefine alerts replay --all-dead" in doctor().cure
    receiver.status = 200
    assert telefine("replay", key, "--channel", "ops", "--by", "ann")[:2] == (0, f"{key}: to ops\n")
    assert telefine("replay", "--all-dead")[:2] == (0, f"{key}: to chat\n")
    assert telefine("deliver")[:2] == (0, "2 delivered, 0 wait\n")
    assert telefine("replay", "--all-dead")[1] == "nothing was given up\n"
    assert json.loads(telefine("replay", "--all-dead", "--json")[1]) == []
    assert json.loads(telefine("deliver", "--json")[1]) == {"delivered": 0, "waiting": 0, "failures": []}
    assert doctor().health is Health.OK
    assert Audit(ledger).rows()[0].actor == "ann"
    code, _, said = telefine("replay", key)
    assert (code, "no delivery of it was given up" in said) == (1, True)
    for nonsense in ((), (key, "--all-dead")):
        assert telefine("replay", *nonsense)[0] == 1


def test_alerts_are_listed_and_shown_with_what_became_of_them(ready, telefine, ledger):
    Alerts(ledger).record(champion(reason="\x1b[2J"), ["ops"], NOW)
    telefine("deliver")
    assert champion().key in telefine("list")[1]
    (listed,) = json.loads(telefine("list", "--json", "--kind", "champion_changed", "-p", "tickets")[1])
    assert (listed["key"], listed["raised_ms"]) == (champion().key, NOW)
    assert json.loads(telefine("list", "--json", "--kind", "run_failed")[1]) == []
    code, out, _ = telefine("show", champion().key)
    assert code == 0
    assert "What to do: Load it." in out
    assert "delivered" in out
    assert "\x1b" not in out
    told = json.loads(telefine("show", champion().key, "--json")[1])
    assert [each["event"] for each in told["deliveries"]] == ["queued", "begun", "delivered"]
    for command, said in ((("show", "no"), "no such alert"), (("list", "--kind", "no"), "there are: alerts_on")):
        code, _, err = telefine(*command)
        assert (code, said in err) == (1, True)


def test_a_secret_is_made_that_can_be_used(telefine, write):
    first, second = (telefine("secret")[1] for _ in range(2))
    assert first != second
    assert len(keys_of(first)[0]) == 32


def test_the_doctor_names_what_is_wrong_with_a_channel(write, ledger, receiver, monkeypatch):
    assert URL.format("CHAT") in doctor().cure
    monkeypatch.setenv(URL.format("CHAT"), "nosuch://a-token")
    assert doctor().said == "chat: apprise knows no service under its url"
    assert "a-token" not in f"{doctor()}"
    monkeypatch.setenv(URL.format("CHAT"), "json://127.0.0.1/a-token")
    assert f"{URL.format('OPS')} and {KEY}" in doctor().cure
    monkeypatch.setenv(URL.format("OPS"), receiver.url)
    monkeypatch.setenv(KEY, SECRET)
    assert doctor().said == "chat, ops; 0 wait to be delivered"
    now = time.time_ns() // 1_000_000
    Alerts(ledger).record(champion(1), ["ops"], now)
    assert doctor().said == "chat, ops; 1 wait to be delivered"
    Alerts(ledger).record(champion(2), ["ops"], now - 2 * 3_600_000)
    assert "telefine schedule on telefine_alerts" in doctor().cure
    Alerts(ledger).record(champion(3), ["ops"], now + 2 * 3_600_000)
    assert doctor().said.startswith("1 wait that were written at times still to come")
    assert "telefine alerts deliver" in doctor().cure
    write(enabled=False)
    assert doctor().health is Health.SKIPPED
    monkeypatch.delenv(URL.format("OPS"))
    monkeypatch.delenv(KEY)
    monkeypatch.delenv(URL.format("CHAT"))
    write(channels={})
    assert "there is no channel" in doctor().said
