"""Delivering over a real ledger: once where nothing goes wrong, again where it does, and not for ever."""

import time
from contextlib import closing
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.alerts.channels import Answer, WebhookChannel
from telefine_assets.alerts.delivering import Patience, deliver_due, next_step
from telefine_assets.alerts.records import Event
from telefine_assets.ledger.alerts import Alerts
from telefine_assets.ledger.audit import Audit
from telefine_assets.ledger.connection import Ledger, LedgerError
from telefine_assets_tests.alerts.examples import NOW, champion
from telefine_assets_tests.alerts.receiver import SECRET
from telefine_assets_tests.ledger.workers import say, told, workers

PATIENCE = Patience(attempts=4, first_ms=1_000, longest_ms=3_000, attempt_ms=100)
WORK = ("elsewhere", "telefine_assets_tests.alerts.test_delivering", "work")
REFUSED = Answer(False, "answered 500")


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


class Scripted:
    """A channel that answers as it was told, and keeps what it was given."""

    def __init__(self, *answers):
        self.answers, self.got = [*answers], []

    def send(self, raised, at_ms):
        self.got.append(raised.alert.key)
        return self.answers.pop(0) if self.answers else Answer(True)


@pytest.fixture
def book(ledger):
    return Alerts(ledger)


@pytest.fixture
def clock():
    return Clock()


def deliver(book, clock, **channels):
    return deliver_due(book, channels, PATIENCE, clock, clock() + 60_000)


def events(book, key=None):
    return [each.event for each in book.deliveries(key or champion().key)]


def test_an_alert_is_recorded_once_and_delivered_once_to_each_channel(book, clock):
    assert [book.record(champion(), ["ops", "chat"], NOW) for _ in range(10)] == [True, *[False] * 9]
    ops, chat = Scripted(), Scripted()
    assert deliver(book, clock, ops=ops, chat=chat).sent == 2
    clock.now += 10**9
    assert deliver(book, clock, ops=ops, chat=chat).sent == 0
    assert ops.got == chat.got == [champion().key]
    assert book.find(champion().key).alert == champion()
    assert book.waiting() == 0


def test_what_fails_is_tried_again_later_and_at_last_given_up_and_listed(book, clock):
    book.record(champion(), ["ops", "chat"], NOW)
    ops, chat, times = Scripted(*[REFUSED] * 99), Scripted(), []
    for _ in range(200):
        before = len(ops.got)
        deliver(book, clock, ops=ops, chat=chat)
        times += [clock.now - NOW] * (len(ops.got) - before)
        clock.now += 100
    assert times == [0, 1_000, 3_000, 6_000]
    assert chat.got == [champion().key]
    (dead,) = book.dead()
    assert (dead.key, dead.channel, dead.attempt, dead.reason) == (champion().key, "ops", 4, "answered 500")


@pytest.mark.parametrize("hanging", [["a"], ["a", "z"]])
def test_a_channel_that_hangs_keeps_no_other_waiting(book, clock, hanging):
    for number in range(22):
        book.record(champion(number), [*hanging, "good"], NOW)

    class Hanging(Scripted):
        def send(self, raised, at_ms):
            clock.now += 10_000
            return super().send(raised, at_ms)

    good, bad = Scripted(), {name: Hanging(*[REFUSED] * 99) for name in hanging}
    for _ in range(4):
        deliver_due(book, {**bad, "good": good}, PATIENCE, clock, clock() + 5_000)
        clock.now += 30_000
    assert len(good.got) == 22
    assert all(each.got for each in bad.values())


@pytest.mark.parametrize("failed", [True, False])
def test_a_clock_that_was_ahead_keeps_nothing_waiting(book, clock, failed):
    clock.now += 365 * 86_400_000
    book.record(champion(), ["ops"], clock())
    if failed:
        deliver(book, clock, ops=Scripted(REFUSED))
    assert book.ahead(clock()) == []
    clock.now = NOW
    assert [each.channel for each in book.ahead(NOW)] == ["ops"]
    assert deliver(book, clock, ops=Scripted(REFUSED)).sent == 0
    assert book.ahead(NOW) == book.due(NOW, 9) == []
    clock.now += 3_000
    assert deliver(book, clock, ops=Scripted()).sent == 1


def test_the_clock_of_another_host_may_differ_a_little(book):
    book.record(champion(), ["ops"], NOW)
    (due,) = book.due(NOW, 9)
    book.begin(due, NOW + 60_000, 500)
    assert book.due(NOW, 9) == []


def test_what_waits_can_be_replayed_at_once(book, clock):
    for number in range(2):
        book.record(champion(number), ["ops"], NOW)
        assert book.replay(champion(number).key, None, "ann", NOW) == ["ops"]
    deliver(book, clock, ops=Scripted(REFUSED))
    assert deliver(book, clock, ops=Scripted()).sent == 1
    (waits,) = [each for number in range(2) if (each := book.deliveries(champion(number).key)[-1]).due_ms]
    book.replay(waits.key, "ops", "ann", clock())
    assert deliver(book, clock, ops=Scripted()).sent == 1


class Broken:
    """A channel with a defect of its own, whose message holds a secret."""

    def send(self, raised, at_ms):
        raise ImportError("socks5://a-secret")


def test_a_channel_with_a_defect_keeps_no_other_waiting_and_is_given_up(book, clock):
    for number in range(3):
        book.record(champion(number), ["broken", "chat"], NOW)
    chat = Scripted()
    found = deliver(book, clock, broken=Broken(), chat=chat)
    assert (len(chat.got), found.failures) == (3, ("broken: cannot be sent (ImportError)",))
    for _ in range(11):
        clock.now += 10_000
        deliver(book, clock, broken=Broken(), chat=chat)
    assert len(book.dead()) == 3


def test_a_dead_letter_is_replayed_by_hand_with_new_patience_and_audited(book, clock, ledger):
    book.record(champion(), ["ops"], NOW)
    ops = Scripted(*[Answer(False, "answered 410", final=True)] * 2)
    for at in (1, 2):
        assert deliver(book, clock, ops=ops).failures == ("ops: answered 410",)
        assert book.replay(champion().key, None, "ann", clock()) == ["ops"]
        assert book.dead() == []
        assert len(ops.got) == at
    assert deliver(book, clock, ops=ops).sent == 1
    assert events(book).count(Event.REPLAYED) == 2
    assert [(row.actor, row.subject) for row in Audit(ledger).rows()] == [("ann", champion().key)] * 2
    for channel in (None, "ops"):
        with pytest.raises(LedgerError, match="no delivery of it was given up"):
            book.replay(champion().key, channel, "ann", clock())


def test_what_is_for_a_channel_that_is_gone_is_given_up_and_can_be_replayed(book, clock):
    book.record(champion(), ["ops"], NOW)
    assert "no such channel" in deliver(book, clock).failures[0]
    book.replay(champion().key, "ops", "ann", clock())
    assert deliver(book, clock, ops=Scripted()).sent == 1


def test_whoever_dies_while_sending_leaves_it_to_be_sent_again(book, clock):
    book.record(champion(), ["ops"], NOW)
    (due,) = book.due(NOW, 9)
    book.begin(due, NOW, 500)
    assert deliver(book, clock, ops=Scripted()).sent == 0
    clock.now += 500
    assert deliver(book, clock, ops=Scripted()).sent == 1
    assert [each.attempt for each in book.deliveries(champion().key)] == [0, 1, 2, 2]


def test_of_two_that_begin_the_same_delivery_one_does(book):
    book.record(champion(), ["ops"], NOW)
    (due,) = book.due(NOW, 9)
    assert [bool(book.begin(due, NOW, 500)) for _ in range(2)] == [True, False]


@pytest.mark.parametrize(("late", "then"), [(Event.DELIVERED, Event.DELIVERED), (Event.DEAD, Event.BEGUN)])
def test_who_comes_back_too_late_can_only_say_that_it_was_delivered(book, late, then):
    book.record(champion(), ["ops"], NOW)
    (due,) = book.due(NOW, 9)
    slow = book.begin(due, NOW, 10)
    (again,) = book.due(NOW + 10, 9)
    other = book.begin(again, NOW + 10, 10)
    book.end(slow, late, NOW + 11, None, "")
    assert events(book)[-1] is then
    book.end(other, Event.FAILED, NOW + 12, NOW + 13, "answered 500")
    assert [each.key for each in book.due(NOW + 99, 9)] == ([] if late is Event.DELIVERED else [due.key])


def test_no_attempt_begins_after_the_time_is_over(book, clock):
    for number in range(5):
        book.record(champion(number), ["ops"], NOW)

    class Slow(Scripted):
        def send(self, raised, at_ms):
            clock.now += 1_000
            return super().send(raised, at_ms)

    assert deliver_due(book, {"ops": Slow()}, PATIENCE, clock, NOW + 1_500).sent == 2
    assert book.waiting() == 3


def test_nobody_may_change_what_was_told(book, stranger):
    book.record(champion(), ["ops"], NOW)
    for statement in ("UPDATE alerts SET body = ''", "DELETE FROM alert_attempts"):
        with pytest.raises(Exception, match="append-only"):
            stranger.run(statement)


def test_alerts_are_listed_by_kind_and_program_the_newest_first(book):
    for number, program in ((1, "tickets"), (2, "reviews"), (3, "tickets")):
        book.record(champion(number, program), [], NOW + number)
    assert [each.raised_ms - NOW for each in book.latest(9)] == [3, 2, 1]
    assert [each.raised_ms - NOW for each in book.latest(1, champion().kind, "tickets")] == [3]
    found = [champion(4), champion(3), champion(4)]
    assert [each.key for each in book.unknown(found)] == [champion(4).key]


def work(url, address, count):
    """Another process that raises the same alerts, and delivers until everything has been."""
    with closing(Ledger(url)) as ledger:
        say("ready")
        told()
        channels = {"ops": WebhookChannel(address, SECRET, "shop", 5.0)}

        def now():
            return time.time_ns() // 1_000_000

        say(sum(Alerts(ledger).record(champion(number), ["ops"], NOW) for number in range(int(count))))
        # A slow machine must not look like a dead process.
        patience = replace(PATIENCE, attempt_ms=10_000)
        say(deliver_due(Alerts(ledger), channels, patience, now, now() + 20_000).sent)


def test_two_processes_raise_and_deliver_each_alert_once(book, url, receiver):
    with workers(*[(*WORK, url, receiver.url, "12")] * 2) as two:
        assert [each.heard() for each in two] == ["ready", "ready"]
        for each in two:
            each.tell()
        assert [sum(each.heard() for each in two) for _ in ("recorded", "delivered")] == [12, 12]
    assert sorted(receiver.ids()) == sorted(champion(number).message_id("shop") for number in range(12))


def test_a_process_that_is_killed_while_sending_leaves_one_alert_with_one_id(book, url, receiver, clock):
    book.record(champion(), ["ops"], NOW)
    receiver.way = "silent"
    with workers((*WORK, url, receiver.url, "0")) as (one,):
        one.heard()
        one.tell()
        while not receiver.got:
            time.sleep(0.01)
        one.process.kill()
    assert events(book) == [Event.QUEUED, Event.BEGUN]
    receiver.way = "well"
    begun = book.deliveries(champion().key)[-1]
    clock.now = begun.due_ms - 1
    assert book.due(clock(), 9) == []
    clock.now = begun.due_ms
    assert deliver(book, clock, ops=WebhookChannel(receiver.url, SECRET, "shop", 5.0)).sent == 1
    assert receiver.ids() == [champion().message_id("shop")] * 2


@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 10**6))
def test_pauses_grow_up_to_the_longest_and_end(tries, attempts, wait):
    patience = Patience(attempts, 1_000, 60_000, 100)
    event, due = next_step(Answer(False, "x", wait_seconds=wait), tries, patience, NOW)
    if tries >= attempts:
        assert (event, due) == (Event.DEAD, None)
    else:
        assert event is Event.FAILED
        assert max(1_000, wait * 1_000) <= due - NOW <= max(60_000, wait * 1_000)
