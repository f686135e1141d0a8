"""Channels against a receiver that misbehaves in every way that receivers do."""

import json
import logging
import subprocess
import sys
import threading
import time

import pytest

from telefine_assets.alerts.channels import AppriseChannel, WebhookChannel, webhook_body
from telefine_assets.alerts.records import Alert, Raised
from telefine_assets_tests.alerts.examples import NOW, champion, raised
from telefine_assets_tests.alerts.receiver import SECRET

SHORT, LONG = 0.5, 20.0


def now():
    return time.time_ns() // 1_000_000


def webhook(receiver, url=None, seconds=LONG):
    return WebhookChannel(url or receiver.url, SECRET, "shop", seconds)


def by_apprise(receiver, seconds=LONG):
    return AppriseChannel(receiver.url.replace("http://", "json://"), seconds)


def test_a_webhook_tells_everything_and_can_be_verified(receiver):
    assert webhook(receiver).send(raised(), now()).delivered
    (sent,) = receiver.got
    assert receiver.ids() == [champion().message_id("shop")]
    assert sent[0]["content-type"] == "application/json"
    told = json.loads(sent[1])
    assert (told["type"], told["timestamp"]) == ("telefine.champion_changed", "2026-11-23T16:06:40Z")
    assert told["data"].pop("deployment") == "shop"
    assert Alert.from_record(told["data"]) == champion()


def test_every_attempt_says_the_same_and_another_deployment_has_other_ids(receiver):
    for _ in range(2):
        webhook(receiver).send(raised(), now())
    assert receiver.got[0][1] == receiver.got[1][1] == webhook_body(raised(), "shop")
    assert len({*receiver.ids()}) == 1
    assert champion().message_id("shop") != champion().message_id("another shop")
    assert champion(1).message_id("shop") != champion(2).message_id("shop")


@pytest.mark.parametrize(
    ("status", "headers", "said", "final", "wait"),
    [
        (429, {"retry-after": "120"}, "answered 429", False, 120),
        (503, {"retry-after": "9" * 9}, "answered 503", False, 86_400),
        (503, {"retry-after": "9" * 5_000}, "answered 503", False, 0),
        (503, {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, "answered 503", False, 0),
        (500, {}, "answered 500", False, 0),
        (404, {}, "answered 404", False, 0),
        (410, {}, "answered 410", True, 0),
        (307, {"location": "/elsewhere"}, "answered 307: redirects are not followed", False, 0),
    ],
)
def test_what_is_not_a_success_is_a_failure_with_its_reason(receiver, status, headers, said, final, wait):
    receiver.status, receiver.headers_sent = status, headers
    answer = webhook(receiver).send(raised(), now())
    assert answer.reason.startswith(said)
    assert (answer.delivered, answer.final, answer.wait_seconds) == (False, final, wait)
    assert len(receiver.got) == 1


@pytest.mark.parametrize("way", ["silent", "dripping"])
@pytest.mark.parametrize("kind", [webhook, by_apprise])
def test_whoever_does_not_answer_is_not_waited_for(receiver, kind, way):
    receiver.way = way
    answer = kind(receiver, seconds=SHORT).send(raised(), now())
    assert not answer.delivered
    assert "within 0.5 seconds" in answer.reason


def test_an_endless_answer_is_not_read(receiver):
    receiver.way = "huge"
    assert webhook(receiver).send(raised(), now()).delivered


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/a-token", "http://nowhere.invalid/a-token"])
def test_whoever_cannot_be_reached_is_not_named(receiver, url):
    answer = webhook(receiver, url).send(raised(), now())
    assert answer.reason.startswith("cannot be reached")
    assert "token" not in answer.reason
    assert "nowhere" not in answer.reason


def test_apprise_brings_the_text_to_its_service(receiver):
    assert by_apprise(receiver).send(raised(), NOW).delivered
    ((_, body, path),) = receiver.got
    told = json.loads(body)
    assert path == "/hooks/a-token-in-the-path"
    assert told["title"] == champion().subject
    assert all(
        each in told["message"] for each in ("Where to look: `telefine programs history`", "What to do: Load it.")
    )
    receiver.status = 500
    assert "did not take it" in by_apprise(receiver).send(raised(), NOW).reason


def test_nobody_is_called_upon_by_what_a_stranger_wrote(receiver):
    quoted = Raised(champion(reason="a trace says @everyone, look here"), NOW)
    assert by_apprise(receiver).send(quoted, NOW).delivered
    told = json.loads(receiver.got[0][1])["message"]
    assert "@everyone" not in told
    assert "everyone, look here" in told


def test_an_address_that_apprise_does_not_know_is_not_tried_again():
    answer = AppriseChannel("nosuch://a-token", LONG).send(raised(), NOW)
    assert (answer.delivered, answer.final) == (False, True)
    assert "token" not in answer.reason


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("kind", [webhook, by_apprise])
def test_no_address_and_no_secret_gets_into_a_log_or_a_reason(receiver, caplog, kind, status):
    caplog.set_level(logging.DEBUG)
    receiver.status = status
    channel = kind(receiver)
    answer = channel.send(raised(), now())
    for shown in (caplog.text, repr(answer), repr(channel), f"{channel}"):
        assert "a-token-in-the-path" not in shown
        assert SECRET not in shown
    logging.getLogger("httpx").debug("of somebody else")
    assert "of somebody else" in caplog.text


def attempts():
    return [each for each in threading.enumerate() if each.name.startswith("telefine-apprise")]


def test_an_attempt_that_nobody_waits_for_any_more_still_names_no_address(receiver, caplog):
    caplog.set_level(logging.DEBUG)
    receiver.way = "dripping"
    assert not by_apprise(receiver, seconds=SHORT).send(raised(), now()).delivered
    assert attempts()
    receiver.over.set()
    for each in attempts():
        each.join(LONG)
    assert "a-token-in-the-path" not in caplog.text


def test_attempts_that_hang_do_not_become_more_and_more(receiver):
    receiver.way = "dripping"
    answers = [by_apprise(receiver, seconds=0.1).send(raised(), now()) for _ in range(10)]
    assert ["still hang" in each.reason for each in answers] == [False] * 8 + [True] * 2
    assert len(attempts()) == 8
    receiver.way = "well"
    assert AppriseChannel(receiver.url.replace("http://", "json://") + "/other", LONG).send(raised(), NOW).delivered


ENDS = """
import socket, sys, time
from telefine_assets.alerts.channels import AppriseChannel, WebhookChannel
from telefine_assets_tests.alerts.examples import NOW, raised
from telefine_assets_tests.alerts.receiver import SECRET
url, kind = sys.argv[1:]
if kind == "webhook":
    socket.getaddrinfo = lambda *_, **__: time.sleep(600)
    channel = WebhookChannel("https://slow.example/a-token", SECRET, "shop", 0.5)
else:
    channel = AppriseChannel(url.replace("http://", "json://"), 0.5)
print(channel.send(raised(), NOW).reason)
"""


@pytest.mark.parametrize("kind", ["webhook", "apprise"])
def test_neither_an_attempt_nor_the_end_of_the_process_waits_for_a_resolver_or_a_service_that_hangs(receiver, kind):
    receiver.way = "dripping"
    done = subprocess.run(
        [sys.executable, "-c", ENDS, receiver.url, kind], capture_output=True, text=True, timeout=60, check=True
    )
    assert "within 0.5 seconds" in done.stdout
    assert done.stderr == ""
