"""What holds of clusters and groups whatever the traces, their order and the days' order."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from telefine_assets_tests.traces.clustering.days import (
    Program,
    Trace,
    arrivals_of,
    content_of,
    reworded,
    rows_of,
    sentence,
    torn_apart,
)

DAYS = ("2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04")


def family(seed):
    """A text and texts that differ from it in case, punctuation or a word."""
    rng = random.Random(seed)
    text = sentence(rng)
    words = text.split()
    halves = f"{' '.join(words[:20])}, {' '.join(words[20:])}!"
    return [text, text.upper(), halves, reworded(rng, text), reworded(rng, halves), reworded(rng, reworded(rng, text))]


POOL = [text for seed in range(5) for text in family(seed)] + ["", "a", "yes", "no", "Ja!", "größe 5"]
traces = st.builds(
    lambda text, session, at: (text, session, at),
    st.sampled_from(POOL),
    st.sampled_from([None, None, "s1", "s2", "s3", "s4"]),
    st.integers(0, 5),
)
days = st.lists(st.lists(traces, max_size=12), min_size=1, max_size=len(DAYS)).map(
    lambda drawn: {
        day: [Trace(f"{day}/{number}", *values[:2], values[2]) for number, values in enumerate(each)]
        for day, each in zip(DAYS, drawn, strict=False)
    }
)
steps = settings(max_examples=60, deadline=None)


def cleaned(program, named):
    """Clean days in this order; returns the rows of all."""
    return {name: row for day, each in named for name, row in program.clean(day, each).items()}


def everything(drawn):
    return [trace for each in drawn.values() for trace in each]


@steps
@given(days, st.randoms(use_true_random=False))
def test_copies_near_copies_and_sessions_that_are_kept_stand_on_one_side(drawn, rng):
    order = rng.sample(list(drawn.items()), len(drawn))
    rows = cleaned(Program(), order)
    assert set(rows) == {trace.trace_id for trace in everything(drawn)}
    assert not torn_apart(everything(drawn), rows)


@steps
@given(days)
def test_copies_are_one_cluster_and_a_cluster_and_a_session_have_one_side(drawn):
    rows = cleaned(Program(), drawn.items())
    kept = [(trace, rows[trace.trace_id]) for trace in everything(drawn) if not rows[trace.trace_id].straddles]
    assert len({(content_of(trace.text), row.cluster) for trace, row in kept}) == len(
        {content_of(trace.text) for trace, _ in kept}
    )
    assert len({(row.cluster, row.group) for _, row in kept}) == len({row.cluster for _, row in kept})


@steps
@given(days)
def test_a_cluster_is_named_after_its_founder_and_a_group_after_the_cluster_that_founded_it(drawn):
    rows = cleaned(Program(), drawn.items())
    kept = [trace for trace in everything(drawn) if not rows[trace.trace_id].straddles]
    contents = {content_of(trace.text) for trace in kept}
    clusters = {rows[trace.trace_id].cluster for trace in kept}
    assert clusters <= contents
    assert {rows[trace.trace_id].group for trace in kept} <= clusters
    assert all(rows[trace.trace_id].cluster in clusters for trace in kept if content_of(trace.text) in clusters)


@steps
@given(days, st.randoms(use_true_random=False))
def test_the_order_of_rows_is_irrelevant(drawn, rng):
    one, other = Program(), Program()
    for day, each in drawn.items():
        first = one.cluster(day, arrivals_of(each))
        second = other.cluster(day, arrivals_of(rng.sample(each, len(each))))
        assert first.rows.equals(second.rows)
        assert first.index.equals(second.index, check_metadata=True)


@steps
@given(days, st.randoms(use_true_random=False))
def test_the_order_of_the_index_is_irrelevant(drawn, rng):
    program = Program()
    cleaned(program, drawn.items())
    last = list(drawn)[-1]
    again = Program()
    again.indexes = dict(rng.sample(list(program.indexes.items()), len(drawn)))
    table = arrivals_of([*drawn[last], Trace("new", POOL[3], "s1"), Trace("newer", POOL[9], "s2")])
    assert rows_of(again.cluster(last, table)) == rows_of(program.cluster(last, table))


@steps
@given(days, st.randoms(use_true_random=False))
def test_further_days_move_nothing_and_cleaning_again_moves_nothing(drawn, rng):
    program = Program()
    rows = cleaned(program, drawn.items())
    order = [day for day in drawn for _ in range(2)]
    for day in rng.sample(order, len(order)):
        before = program.indexes[day]
        again = program.clean(day, drawn[day])
        assert program.indexes[day].equals(before, check_metadata=True)
        for name, row in again.items():
            assert row.straddles == rows[name].straddles
            assert row == rows[name] or row.straddles


@steps
@given(days, days, st.randoms(use_true_random=False))
def test_traces_that_go_and_traces_that_come_late_move_no_other(drawn, late, rng):
    program = Program()
    rows = cleaned(program, drawn.items())
    later = {day: [trace._replace(trace_id=f"late {trace.trace_id}") for trace in each] for day, each in late.items()}
    for day, added in rng.sample(list(later.items()), len(later)):
        staying = [trace for trace in drawn.get(day, []) if rng.random() < 0.6]
        listed = program.listed(day) if day in program.indexes else set()
        for name, row in program.clean(day, [*staying, *added]).items():
            assert name not in rows or row == rows[name] or (row.straddles and rows[name].straddles)
            rows[name] = row
        assert listed <= program.listed(day)
    assert not torn_apart(everything(drawn) + everything(later), rows)


@steps
@given(days)
def test_the_index_has_what_is_kept_and_nothing_else(drawn):
    program = Program()
    for day, each in drawn.items():
        rows = program.clean(day, each)
        kept = [trace for trace in each if not rows[trace.trace_id].straddles]
        assert program.listed(day) == {(content_of(trace.text), trace.session) for trace in kept}
        arrivals = program.indexes[day]["arrival_ms"].to_pylist()
        assert arrivals == sorted(arrivals)
        signed = [row["content"] for row in program.indexes[day].to_pylist() if row["signature"] is not None]
        assert sorted(signed) == sorted({bytes.fromhex(content_of(trace.text)) for trace in kept})
