"""Schemathesis over the OpenAPI of the whole application finds nothing, whatever key a caller has.

A deep run: TELEFINE_TEST_EXAMPLES=1000 pytest telefine_assets_tests/api/test_schemathesis.py
"""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import positive_data_acceptance

from telefine_assets_tests.api.served import Served, small_home

EXAMPLES = int(os.environ.get("TELEFINE_TEST_EXAMPLES", "3"))
# What is too long is refused for that, whatever else is wrong with it: 413, 414, 431.
REJECTED = [400, 401, 403, 404, 405, 406, 409, 413, 414, 415, 422, 428, 429, 431, "5xx"]
CONFIG = {"checks": {"negative_data_rejection": {"expected-statuses": REJECTED}}}
UNTOLD = {
    "bad_cursor": "which cursors were given out",
    "no_wallet": "which letters the checksum of an address wants to be capital",
    "cannot_run": "which programs, stages and days this deployment has",
    "no_such_days": "how many days lie between two days, and which there are in the calendar",
}
"""Codes of problems, and what a JSON schema cannot say: a request may have these, valid as it looks."""


class Application:
    """Stands for the application that a test has made: what it describes is known before there are any fixtures."""

    def __init__(self):
        self.served = None

    async def __call__(self, scope, receive, send):
        await self.served.app(scope, receive, send)


app = Application()
with TemporaryDirectory() as folder:
    app.served = Served(small_home(Path(folder)))
    schema = schemathesis.openapi.from_asgi("/v1/openapi.json", app, config=SchemathesisConfig.from_dict(CONFIG))
    app.served.here.ledger.close()


@pytest.fixture(scope="module")
def served(full, paid):
    """A deployment with everything in it."""
    app.served = Served(paid.settings, requests_burst=1_000_000, anonymous_burst=1_000_000)
    app.served.control.begin()
    # All that readiness asks of MLflow's database is that it is there.
    (paid.settings.home / "mlflow.db").touch()
    yield app.served
    (paid.settings.home / "mlflow.db").unlink()


@pytest.fixture(scope="module", params=["read", "submit", "operate", None])
def headers(request, served, full):
    """Who asks."""
    return served.headers(full.key(request.param) if request.param else None)


@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, derandomize=EXAMPLES <= 100, suppress_health_check=list(HealthCheck))
def test_nothing_is_found(case, headers):
    answer = case.call(headers=headers)
    problem = answer.json() if answer.status_code in (400, 422) else {}
    untold = [positive_data_acceptance] if problem.get("code") in UNTOLD else []
    case.validate_response(answer, headers=headers, excluded_checks=untold)
