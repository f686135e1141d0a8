"""What other processes do to a ledger: they say what they did, one JSON value a line, and wait to be told to go on."""

import importlib
import json
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime

from telefine_assets.ledger.audit import Audit
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.looks import Looks
from telefine_assets.ledger.records import AuditEntry, LookRequest, SubmissionEntry
from telefine_assets.ledger.submissions import Submissions
from telefine_assets.ledger.turns import turn


def request(key: str, program: str = "tickets", day: str = "2026-11-02") -> LookRequest:
    return LookRequest(program, day, "baseline", f"candidate-{key}", "exact_match", "0.05", key)


def intend(looks: Looks, key: str, program: str = "tickets"):
    """A look that comes as far as its record."""
    return looks.record(request(key, program), looks.epoch(program, key)[0], f"items-{key}")


def take(looks: Looks, key: str, program: str = "tickets"):
    """A look as a run takes it: ask for the epoch, record, and begin to score."""
    intended = intend(looks, key, program)
    return looks.begin(key, intended.epoch)


def told():
    """Wait until the parent says something."""
    sys.stdin.readline()


def say(value):
    print(json.dumps(value), flush=True)


def look(url, *keys):
    say("ready")
    told()
    looks = Looks(Ledger(url))
    say([take(looks, key).k for key in keys])


def only_record(url, key):
    intend(Looks(Ledger(url)), key)
    say("recorded")
    told()


def only_begin(url, key):
    say(take(Looks(Ledger(url)), key).k)
    told()


def never_commit(url, key):
    """Take a number in a transaction that does not end."""
    from sqlalchemy import insert

    from telefine_assets.ledger.schema import look_numbers

    with Ledger(url).writing() as connection:
        connection.execute(insert(look_numbers).values(look_key=key, program="tickets", epoch=1, k=1))
        say("written")
        told()


def append(ledger, actor, count):
    audit = Audit(ledger)
    for number in range(count):
        audit.append(AuditEntry(actor, "promoted", "tickets", {"number": number}), datetime(2026, 11, 20, tzinfo=UTC))


def append_when_told(url, actor, count):
    ledger = Ledger(url)
    say("ready")
    told()
    append(ledger, actor, int(count))


def submission(number, who="0xAda", salt="0x5a"):
    """An entry of the log of arrivals; the ledger takes what it is given."""
    return SubmissionEntry(f"0x{number}{who}{salt}", "tickets", f"0x{number}", who, 2**53 - 1, salt, 27, "0x1", "0x2")


def submit_when_told(url, who, count):
    """Hand submissions for contents 0 to ``count`` in, one by one."""
    book = Submissions(Ledger(url))
    say("ready")
    told()
    say([book.receive([submission(number, who)], number)[0].position for number in range(int(count))])


def hold(url, name, seats):
    """Hold a turn until told to end it."""
    with turn(Ledger(url), name, int(seats), say):
        say("in")
        told()
    say("out")
    time.sleep(60)


def elsewhere(module, what, *arguments):
    """Something that another module of the tests knows how to do."""
    getattr(importlib.import_module(module), what)(*arguments)


class Worker:
    """Another process at work."""

    def __init__(self, what, *arguments):
        command = "import sys; from telefine_assets_tests.ledger import workers; "
        command += "getattr(workers, sys.argv[1])(*sys.argv[2:])"
        self.process = subprocess.Popen(
            [sys.executable, "-c", command, what, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def heard(self):
        line = self.process.stdout.readline()
        assert line, f"ended with {self.process.wait()}"
        return json.loads(line)

    def tell(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def ended(self):
        self.process.communicate()
        return self.process.returncode


@contextmanager
def workers(*orders):
    """Processes, one for each order; whatever becomes of the test, none is left."""
    started = [Worker(*order) for order in orders]
    try:
        yield started
    finally:
        for each in started:
            each.process.kill()
            each.process.communicate()
