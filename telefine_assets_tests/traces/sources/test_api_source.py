"""MLflow's API: a real server on loopback and MLflow's client give what the database holds."""

import json
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telefine_assets.traces.records import batch_to_traces
from telefine_assets.traces.sources import api, direct
from telefine_assets.traces.sources.api import ApiSource
from telefine_assets.traces.sources.api_client import ClientTracking
from telefine_assets.traces.sources.api_plan import Found, Plan, Window
from telefine_assets.traces.sources.api_rest import RestTracking
from telefine_assets.traces.sources.api_rows import Info, page_of
from telefine_assets.traces.sources.protocol import Filters, OutcomeRange
from telefine_assets_tests.traces.mlflow_store import WALLETS, fill
from telefine_assets_tests.traces.sources import rich_store
from telefine_assets_tests.traces.sources.reading import COUNT, QUERY, direct_source, prints_of, rows_of
from telefine_assets_tests.traces.sources.rich_store import END, LONG, ODD, START

# What MLflow says of a trace arrives, and is the same as in its database


@pytest.mark.parametrize("spans", ["none", "all"])
def test_the_api_gives_what_the_database_holds(rich, source, spans):
    query = replace(QUERY, spans=spans)
    here, there = rows_of(direct_source(rich.uri), query), rows_of(source, query)
    assert here.num_rows == rich_store.PLAIN + len(rich.ids) - 2
    assert here.equals(there)
    assert prints_of(source, query) == [
        {key: row[key] for key in ("trace_id", "request_time_ms", "fingerprint")} for row in here.to_pylist()
    ]


FILTERS = [
    Filters(statuses=("ERROR",)),
    Filters(statuses=("OK", "IN_PROGRESS")),
    Filters(statuses=("X' OR '1'='1",)),
    Filters(tags={"channel": "mail", "telefine.contributor": WALLETS[0]}),
    Filters(tags={ODD[:40]: ODD}),
    Filters(tags={"name": "x"}),
    Filters(tags={"empty": ""}),
    Filters(tags={"tag 9999": "value 9999"}),
    Filters(tags={"channel": "' OR '1'='1"}),
    Filters(versions=("v1", "v2")),
    Filters(outcome=OutcomeRange("resolved", at_least=1)),
    Filters(("OK",), {"channel": "mail"}, outcome=OutcomeRange("resolved", at_most=0.5)),
]


@pytest.mark.parametrize("filters", FILTERS, ids=lambda filters: repr(filters)[:60])
def test_filters_mean_the_same(rich, source, filters):
    query = replace(QUERY, filters=filters, version_key="release", from_runs="keep")
    here = rows_of(direct_source(rich.uri), query)
    assert rows_of(source, query).equals(here)
    assert here.num_rows > 0 or "OR '1'" in repr(filters)


def test_traces_made_inside_a_run_are_kept_where_asked_for(rich, source):
    kept = rows_of(source, replace(QUERY, from_runs="keep"))["trace_id"].to_pylist()
    assert rich.ids["of a run"] in kept
    assert rich.ids["of a compilation"] not in kept


def test_a_trace_belongs_to_the_day_on_which_it_began(rich, source):
    today = rows_of(source, replace(QUERY, start_ms=START, end_ms=END))["trace_id"].to_pylist()
    tomorrow = rows_of(source, replace(QUERY, start_ms=END))["trace_id"].to_pylist()
    assert rich.ids["last moment"] in today
    assert tomorrow == [rich.ids["midnight"]]


def test_odd_traces_say_what_was_logged(rich, source):
    found = {each.trace_id: each for each in batch_to_traces(rows_of(source))}
    said = {name: found[trace_id] for name, trace_id in rich.ids.items() if trace_id in found}
    assert json.loads(said["a million characters"].inputs) == {"ticket": LONG}
    assert json.loads(said["odd text"].inputs) == {"ticket": ODD}
    assert json.loads(said["odd text"].outputs) == {"team": ODD}
    assert json.loads(said["wrapped"].inputs) == {"ticket": "inside", "more": 1}
    assert json.loads(said["large numbers"].inputs)["more"][:2] == [2**70, -(2**63)]
    assert [json.loads(said[name].inputs) for name in ("a list", "a number", "a string")] == [["ticket"], 5, "ticket"]
    assert (said["nothing"].inputs, said["nothing"].outputs) == (None, None)
    assert len(json.loads(said["many tags"].tags)) == rich_store.MANY_TAGS
    assert (said["of a version"].session, said["of a version"].version) == (ODD, "m-1")
    assert said["of a version"].tokens == 12
    assert (said["of negative length"].duration_ms, said["of no length"].duration_ms) == (-5, None)
    assert {each.create_time_ms for each in said["assessed"].assessed()} >= {5, rich_store.FAR}
    assert len([each for each in said["assessed"].assessed() if each.name == "the same name"]) == 2
    assert [(each.value, each.valid) for each in said["overridden"].assessed()] == [("false", False), ("true", True)]
    assert said["failed"].error == "ValueError: the model is down"
    assert said["declared right"].error is None
    assert json.loads(said["artifact"].inputs) == {"ticket": "y" * 1_500}
    assert "cannot be read" in said["lost artifact"].error
    assert (said["under way"].status, said["under way"].inputs) == ("IN_PROGRESS", None)


def test_previews_stand_for_spans_only_where_they_are_known_to_be_all(rich, monkeypatch):
    asked = []
    real = RestTracking.spans
    monkeypatch.setattr(RestTracking, "spans", lambda self, ids: asked.extend(ids) or real(self, ids))
    found = {each.trace_id: each for each in batch_to_traces(rows_of(ApiSource(rich.http)))}
    names = {trace_id: name for name, trace_id in rich.ids.items()}
    assert {names[trace_id] for trace_id in asked} >= {"custom preview", "custom answer", "a chat", "a long input"}
    assert not {names[trace_id] for trace_id in asked} & {"by place", "no answer", "odd tags", "assessed"}
    assert len(asked) == len(set(asked))
    assert not set(asked) & (found.keys() - names.keys())
    assert json.loads(found[rich.ids["custom preview"]].inputs) == {"ticket": "true"}
    assert json.loads(found[rich.ids["custom answer"]].outputs) == {"team": "login"}


@pytest.mark.parametrize("key", ["plain", "a.b-c_d/e:f@g h", "name", "prompt", "run_id", "text", "timestamp", "Status"])
def test_a_tag_of_any_name_is_found(store, key):
    chosen = fill(store.uri, 3, START, seed=9)[0]
    with sqlite3.connect(store.file) as connection:
        connection.execute("INSERT INTO trace_tags VALUES (?, 'v: a@b/c-d_e.f', ?)", [key, chosen])
    found = rows_of(ApiSource(store.uri), replace(QUERY, filters=Filters(tags={key: "v: a@b/c-d_e.f"})))
    assert found["trace_id"].to_pylist() == [chosen]


def test_only_plain_text_gets_into_a_filter_string():
    odd = [
        *("it's", "x' OR '1'='1", 'say "no"', "a%b", "back\\slash", "é", "a`b", "", "a\nb", "x" * 251, "a;b", "(a)"),
        *("a,b", "a=b", "--", "/*"),
    ]
    for text in [*odd, "\ud800"]:
        pushed = api._pushed_down(Filters(tags={"key": text, text: "value"}))
        assert pushed in ([], ["tags.`key` = '--'", "tags.`--` = 'value'"]), text
    assert api._pushed_down(Filters(("OK",), {"k": "v"})) == ["trace.status = 'OK'", "tags.`k` = 'v'"]
    assert api._pushed_down(Filters(("OK", "ERROR"), {"mlflow.user": "v", "Name": "v"})) == []
    assert api._pushed_down(Filters(("O'K",))) == []


# Exactly once, in order, while others write


WRITER = """
import itertools, select, sqlite3, sys
from telefine_assets_tests.traces.mlflow_store import generated
file, start = sys.argv[1], int(sys.argv[2])
for number in itertools.count():
    with sqlite3.connect(file, timeout=30) as connection:
        for tables in generated(4, start + number % 90 * 900_000, seed=100 + number):
            for name, table in tables.items():
                names, places = ", ".join(table.column_names), ", ".join("?" * table.num_columns)
                rows = zip(*(column.to_pylist() for column in table.columns))
                connection.executemany(f"INSERT INTO {name} ({names}) VALUES ({places})", rows)
        connection.execute("UPDATE assessments SET valid = 1 - valid WHERE rowid % 7 = ?", [number % 7])
    print(number, flush=True)
    if select.select([sys.stdin], [], [], 0.01)[0]:
        break
"""


@contextmanager
def writing(uri):
    """Another process logs traces and feedback all the while; yields how often it has done so."""
    command = [sys.executable, "-c", WRITER, uri.removeprefix("sqlite:///"), str(START)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout.readline() == "0\n"
        rounds = Counter()
        yield rounds
        writer.stdin.write("enough")
        writer.stdin.close()
        rounds["written"] = len(writer.stdout.read().split())


@pytest.mark.parametrize("kind", ["client", "direct"])
def test_what_was_there_comes_exactly_once_while_others_write(store, kind, monkeypatch):
    monkeypatch.setattr(ClientTracking, "page", 7)
    monkeypatch.setattr(direct, "_PAGE", 7)
    monkeypatch.setattr(api, "_TRACES_TOGETHER", 10)
    source = ApiSource(store.uri) if kind == "client" else direct_source(store.uri)
    before = set(rows_of(direct_source(store.uri))["trace_id"].to_pylist())
    with writing(store.uri) as rounds:
        found = rows_of(source, replace(QUERY, start_ms=START, end_ms=END))
    seen = found["trace_id"].to_pylist()
    assert len(seen) == len(set(seen))
    assert before <= set(seen)
    assert rounds["written"] > 1
    places = list(zip(found["request_time_ms"].to_pylist(), seen, strict=True))
    assert places == sorted(places)


def test_over_http_too_what_was_there_comes_exactly_once(fresh, monkeypatch):
    monkeypatch.setattr(RestTracking, "page", 7)
    before = set(rows_of(ApiSource(fresh.uri))["trace_id"].to_pylist())
    with writing(fresh.uri) as rounds:
        seen = rows_of(ApiSource(fresh.http), replace(QUERY, start_ms=START, end_ms=END))["trace_id"].to_pylist()
    assert rounds["written"] > 1
    assert len(seen) == len(set(seen))
    assert before <= set(seen)


def test_one_millisecond_may_hold_more_than_a_page(store, monkeypatch):
    monkeypatch.setattr(ClientTracking, "page", 10)
    with sqlite3.connect(store.file) as connection:
        at = "UPDATE trace_info SET timestamp_ms = ? WHERE rowid % 3 = 0"
        assert connection.execute(at, [START + 7_777]).rowcount > 70
        connection.execute("UPDATE trace_info SET timestamp_ms = ? WHERE rowid % 3 = 1 AND rowid < 40", [START + 9_999])
    here, there = rows_of(direct_source(store.uri)), rows_of(ApiSource(store.uri))
    assert here.num_rows == COUNT
    assert here.equals(there)


def test_in_one_millisecond_a_trace_that_moved_up_between_two_pages_is_found_by_the_next_pass():
    """Something was deleted after the first page: what was at the top of the second is now at the end of the first."""
    ids, passes = [f"tr-{number:02}" for number in range(20)], []

    def infos(experiment, condition, token, count):
        passes.append(token)
        gone = ids[3:] if len(passes) > 1 else ids
        start = int(token or 0)
        page = [_info(trace_id, 5) for trace_id in gone[start : start + count]]
        return page, str(start + count) if len(page) == count else None

    reading = api._Reading("sqlite:///nowhere", QUERY, 1)
    reading._tracking = SimpleNamespace(infos=infos, page=10, stop=lambda: None)
    found = [info.trace_id for info in reading._millisecond(5)]
    assert sorted(found) == ids


def _info(trace_id, at_ms):
    return Info(trace_id, at_ms, 1, "OK", None, None, {}, {}, [])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 300) | st.integers(0, 10**6) | st.integers(999_000, 999_500), max_size=120),
    st.integers(4, 20),
    st.integers(1, 3),
    st.integers(1, 4),
)
def test_the_plan_hands_out_everything_once_and_in_order(times, page, threads, every):
    """Over any distribution of starts, whatever part of the traces needs spans."""
    infos = [_info(f"tr-{place:03}", at) for place, at in enumerate(times)]
    under_way, most = Counter(), Counter()

    def search(window):
        under_way["now"] += 1
        most["at once"] = max(most["at once"], under_way["now"])
        held = sorted((info for info in infos if window.start_ms <= info.request_time_ms < window.end_ms), key=place_of)
        cut, rest = held, None
        if len(held) > page:
            last = held[page - 1].request_time_ms
            first = held[0].request_time_ms == last
            cut = [info for info in held if info.request_time_ms < last + first]
            rest = Window(last + first, window.end_ms)
        under_way["now"] -= 1
        return Found(window, cut, frozenset(info.trace_id for info in cut[::every]), rest)

    plan = Plan(search, lambda found: page_of(found.infos, [], QUERY), lambda: None, threads, page)
    pages = list(plan.pages(Window(0, 1_000_001)))
    seen = [place for each in pages for place in zip(*(each.info[name].to_pylist() for name in _PLACE), strict=True)]
    assert seen == sorted(map(place_of, infos))
    assert most["at once"] <= threads


_PLACE = ("request_time_ms", "trace_id")


def place_of(info):
    return info.request_time_ms, info.trace_id


def test_no_more_is_read_ahead_than_a_few_pages():
    taken, most = Counter(), Counter()

    def search(window):
        most["ahead"] = max(most["ahead"], window.start_ms - taken["until"])
        times = range(window.start_ms, min(window.end_ms, window.start_ms + 10))
        rest = Window(times[-1] + 1, window.end_ms) if times[-1] + 1 < window.end_ms else None
        return Found(window, [_info(f"tr-{at}", at) for at in times], frozenset(), rest)

    plan = Plan(search, lambda found: page_of(found.infos, [], QUERY), lambda: None, 2, 10)
    for page in plan.pages(Window(0, 2_000)):
        taken["until"] = page.last[0]
        time.sleep(0.001)
    assert taken["until"] == 1_999
    assert most["ahead"] <= 10 * 12
