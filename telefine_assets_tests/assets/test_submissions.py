"""Submissions that come as tags: logged when their day is cleaned, once; a bad one costs no trace."""

import sqlite3
from contextlib import closing

import dagster as dg
import pytest

from telefine_assets.attribution.submissions import Scope, sign_submission
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.submissions import Submissions
from telefine_assets.store.files import Files
from telefine_assets.store.tables import TableStore
from telefine_assets.traces.records import table_to_cleaned
from telefine_assets_tests.attribution.signing import ADA, NOW_S, SALT
from telefine_assets_tests.traces.deployment import FIRST, Deployment, three_days


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return three_days(tmp_path_factory.mktemp("template"))


def clean(deployment):
    """Load and clean the first day; returns the metadata of the cleaned traces and the traces."""
    with dg.instance_for_test() as instance:
        assert deployment.run(instance, FIRST).success
        event = instance.get_latest_materialization_event(dg.AssetKey(["tickets", "cleaned_traces"]))
    tables = TableStore(Files(deployment.settings.store.uri))
    return event.asset_materialization.metadata, table_to_cleaned(tables.read("tickets", "cleaned_traces", FIRST))


def tag(deployment, trace_id, key, value):
    with closing(sqlite3.connect(deployment.file)) as connection, connection:
        connection.execute("DELETE FROM trace_tags WHERE request_id = ? AND key = ?", [trace_id, key])
        connection.execute("INSERT INTO trace_tags (key, value, request_id) VALUES (?, ?, ?)", [key, value, trace_id])


def logged(deployment):
    with closing(Ledger(deployment.settings.ledger.url)) as ledger:
        return Submissions(ledger).rows()


def test_a_tag_is_logged_when_its_day_is_cleaned_and_a_bad_one_costs_no_trace(template, tmp_path):
    deployment = Deployment(template, tmp_path)
    told, before = clean(deployment)
    assert (told["submissions_logged"].value, logged(deployment)) == (0, [])
    mine, rivals = before[0], before[1]
    scope = Scope("generated", "tickets")
    good = sign_submission(ADA, scope.trace_digest(mine.content), NOW_S - 10**9, SALT).to_tag()
    tag(deployment, mine.trace_id, "telefine.contributor", ADA.address)
    tag(deployment, mine.trace_id, "telefine.submission", good)
    tag(deployment, rivals.trace_id, "telefine.submission", good)
    told, after = clean(deployment)
    assert told["submissions_logged"].value == 1
    assert "wrong_contributor | 1" in told["submissions_refused"].value
    assert [each.trace_id for each in after] == [each.trace_id for each in before]
    rows = logged(deployment)
    assert [(row.position, row.entry.contributor) for row in rows] == [(0, ADA.address)]
    assert rows[0].entry.trace_digest == scope.trace_digest(mine.content)
    assert clean(deployment)[0]["submissions_logged"].value == 1
    assert logged(deployment) == rows
