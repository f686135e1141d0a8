"""Batches for the spool, and what other processes do with them."""

import hashlib

from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.spool import Spool
from telefine_assets.ledger.spool_records import Delivery, Offer
from telefine_assets_tests.ledger.workers import say, told


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def offer(name, says="", **more):
    """A trace of that identity; ``says`` is what else it says."""
    return Offer(sha(name), sha(f"{name} {says}"), f'{{"name": "{name}", "says": "{says}"}}', **more)


def batch(*offers, key=None, program="tickets", by="ada"):
    said = sha(" ".join([program, *(each.digest for each in offers)]))
    return Delivery(program, by, key, said, offers)


def names(rows):
    return [row.identity for row in rows]


def accept_and_wait(url, first, count, key):
    """Take a batch in, say what was answered, and live on."""
    offers = [offer(f"trace {number}") for number in range(int(first), int(first) + int(count))]
    verdicts = Spool(Ledger(url)).accept(batch(*offers, key=key), 1)
    say([[each.identity, each.outcome] for each in verdicts])
    told()


def accept_when_told(url, by, rounds):
    """Take the same hundred traces in, ten at a time, ever again."""
    spool = Spool(Ledger(url))
    say("ready")
    told()
    outcomes = []
    for number in range(int(rounds)):
        offers = [offer(f"shared {(number * 10 + each) % 100}") for each in range(10)]
        outcomes += [each.outcome for each in spool.accept(batch(*offers, key=f"{number}", by=by), number)]
    say(outcomes)


def never_commit(url):
    """Take a batch in, in a transaction that does not end."""
    from telefine_assets.ledger.spool import _take_in

    with Ledger(url).writing() as connection:
        _take_in(connection, batch(offer("lost")), 1)
        say("written")
        told()
