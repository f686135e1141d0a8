"""A deployment with a story: gains of several days, one of them revoked, looks that failed, payouts, runs."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from itertools import count
from threading import Thread

import pytest
import uvicorn

from telefine_assets.attestation.log_records import Revocation
from telefine_assets.attestation.log_writing import say
from telefine_assets_tests.api.served import Served, paid_home
from telefine_assets_tests.cli import attested_home
from telefine_assets_tests.cli.attested_home import ALICE, BOB, MONDAY, SIGNER, TUESDAY
from telefine_assets_tests.deltaone.rows import rows
from telefine_assets_tests.deltaone.told import no_look

LATER = {"2026-11-06": (44, 9), "2026-11-10": (95, 30), "2026-11-16": (58, 12)}
"""Days that are attested later, with the items on which the candidate did better and worse."""
LAST, REVOKED = "2026-11-16", "2026-11-06"
DESCRIPTION = "Reads what customers write, and says who should answer."
HOSTILE = "<script>alert(1)</script> \"'{{ 7*7 }} \u202eevil"
_NUMBERS = count(10_000)


def told_home(folder):
    """``paid_home`` with more to tell; returns it with the uids of its days."""
    home = paid_home(folder)
    for day, (wins, losses) in LATER.items():
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(attested_home, "rows", lambda *_, w=wins, n=losses: rows(w, n, 400 - w - n))
            home.attest(day, [ALICE, BOB, "carol.eth"])
        home.pay(day)
    for day, k in (("2026-11-04", 1), ("2026-11-12", 1), ("2026-11-13", 2)):
        home.records.write("triage", "deltaone_reports", day, no_look(candidate="c" * 64) | failed(k))
    uids = {day: home.records.read("triage", "attestations", day)["uid"] for day in (MONDAY, TUESDAY, *LATER)}
    trust = home.trust()
    revoked = Revocation(uids[REVOKED], "The holdout had leaked <b>into</b> the prompt.")
    say(trust.leaves, trust.origin, SIGNER, lambda _: [revoked])
    return home, uids


def failed(k):
    """What the record of a look says that did not reach DeltaOne."""
    return {"code": "not_reached", "sentence": "DeltaOne is not reached.", "public": {"k": k}}


def described(settings, text):
    """The settings with a program's description changed."""
    own = settings.programs["triage"].model_copy(update={"description": text})
    return settings.model_copy(update={"programs": {"triage": own}})


class Told(Served):
    """The API of such a home; ``uids`` are its attestations, by day."""

    def __init__(self, home, uids, description=DESCRIPTION, **api) -> None:
        super().__init__(described(home.settings, description), **api)
        # Several servers share a ledger: no two of them may make the same key.
        self.uids, self._numbers = uids, _NUMBERS

    def look(self, path, cookie=None, **headers):
        """What a browser gets at an address."""
        cookies = {"Cookie": f"telefine_session={cookie}"} if cookie else {}
        return self.client.get(path, headers={"Accept": "text/html,*/*"} | cookies | headers, follow_redirects=False)

    def send(self, path, body="", **headers):
        """What a browser gets when it sends a form from the page that the form is on."""
        own = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
        own |= {"Accept": "text/html"}
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(path, content=body, headers=own | given, follow_redirects=False)

    def signed_in(self, *scopes):
        """The cookie of somebody who signed in."""
        answer = self.send("/sign-in", f"key={self.key(*scopes or ('read',))}")
        assert answer.status_code == 303, answer.text
        self.client.cookies.clear()
        return answer.headers["set-cookie"].partition(";")[0].partition("=")[2]


@contextmanager
def listening(app):
    """The app behind a real server; yields its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, http="h11", lifespan="off"))
        thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = server.force_exit = True
            thread.join(10)
