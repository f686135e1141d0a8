"""Clusters and groups in single cases."""

import random
from collections import Counter

import pyarrow as pa
import pytest

from telefine_assets.errors import TelefineError
from telefine_assets.settings.traces import NearDuplicateSettings
from telefine_assets.traces.clustering.index import METHOD, index_schema
from telefine_assets_tests.traces.clustering.days import (
    Program,
    Trace,
    arrivals_of,
    content_of,
    on_side,
    reworded,
    rows_of,
    sentence,
    side_of,
    similarity,
)

MONDAY, TUESDAY, WEDNESDAY = "2026-01-05", "2026-01-06", "2026-01-07"


@pytest.fixture
def rng():
    return random.Random(7)


def test_a_copy_in_another_case_and_one_with_a_word_changed_join_the_first(rng):
    text = sentence(rng)
    changed = reworded(rng, text)
    marked = text.replace(" ", ", ", 2) + "."
    texts = {"first": text, "loud": text.upper(), "changed": changed, "marked": marked, "other": sentence(rng)}
    rows = Program().clean(MONDAY, [Trace(name, each, None, at) for at, (name, each) in enumerate(texts.items())])
    assert content_of(changed) != content_of(text)
    assert {rows[name].cluster for name in ("first", "loud", "changed", "marked")} == {content_of(text)}
    assert rows["other"].cluster != content_of(text)


def test_near_copies_find_each_other_over_days_whichever_day_is_cleaned_first(rng):
    text = sentence(rng)
    changed = reworded(rng, text)
    for order in ((MONDAY, TUESDAY), (TUESDAY, MONDAY)):
        program = Program()
        first = program.clean(order[0], [Trace("a", text)])
        second = program.clean(order[1], [Trace("b", changed)])
        assert first["a"].cluster == second["b"].cluster == content_of(text)


def test_a_new_text_joins_the_earliest_of_its_near_copies(rng):
    text = sentence(rng)
    early, late = reworded(rng, text, 4), reworded(rng, text, 4)
    assert similarity(early, late) < 0.6 < 0.68 < min(similarity(text, early), similarity(text, late))
    program = Program(NearDuplicateSettings(similarity_percent=65))
    program.side_of = lambda group: "train"
    program.clean(WEDNESDAY, [Trace("late", late, None, 9)])
    program.clean(MONDAY, [Trace("early", early, None, 1)])
    row = program.clean(TUESDAY, [Trace("new", text, None, 5)])["new"]
    assert (row.cluster, row.group, row.straddles) == (content_of(early), content_of(early), False)


def test_a_session_keeps_different_texts_in_one_group_but_not_in_one_cluster(rng):
    texts = [sentence(rng) for _ in range(4)]
    program = Program()
    rows = program.clean(MONDAY, [Trace(f"{at}", text, "talk", at) for at, text in enumerate(texts[:3])])
    rows |= program.clean(TUESDAY, [Trace("3", texts[3], "talk", 50)])
    assert {row.group for row in rows.values()} == {content_of(texts[0])}
    assert [rows[str(at)].cluster for at in range(4)] == [content_of(text) for text in texts]


def test_no_session_and_an_empty_one_bind_nothing(rng):
    texts = [sentence(rng) for _ in range(4)]
    rows = Program().clean(MONDAY, [Trace(f"{at}", text, ("", None)[at % 2], at) for at, text in enumerate(texts)])
    assert len({row.group for row in rows.values()}) == 4


def test_a_trace_whose_session_and_text_stand_on_two_sides_is_reported_and_founds_nothing(rng):
    left, right, new = on_side("train", rng), on_side("holdout", rng), sentence(rng)
    program = Program()
    program.clean(MONDAY, [Trace("left", left, "talk"), Trace("right", right)])
    rows = program.clean(TUESDAY, [Trace("bridge", right, "talk", 1), Trace("next", new, "talk", 2)])
    assert rows["bridge"].straddles
    assert not rows["next"].straddles
    assert side_of(rows["next"].group) == "train"
    assert program.listed(TUESDAY) == {(content_of(new), "talk")}


def bridge(rng):
    """Two texts on two sides that are no near-copies, and between them one that is a near-copy of both."""
    while True:
        middle = sentence(rng)
        one, other = reworded(rng, middle, 2), reworded(rng, middle, 2)
        apart = side_of(content_of(one)) != side_of(content_of(other)) and similarity(one, other) < 0.73
        if apart and min(similarity(middle, one), similarity(middle, other)) > 0.84:
            return one, middle, other


def test_a_near_copy_of_texts_on_two_sides_is_reported_and_founds_nothing(rng):
    program = Program(NearDuplicateSettings(similarity_percent=80))
    one, middle, other = bridge(rng)
    rows = program.clean(MONDAY, [Trace("one", one, None, 1), Trace("other", other, None, 2)])
    assert not any(row.straddles for row in rows.values())
    rows |= program.clean(TUESDAY, [Trace("middle", middle, None, 3), Trace("again", middle, None, 4)])
    assert rows["middle"].straddles
    assert rows["again"].straddles
    assert rows["middle"].cluster == content_of(one)
    assert not program.listed(TUESDAY)


def test_a_text_that_straddled_in_a_session_may_be_kept_without_it(rng):
    left, right = on_side("train", rng), on_side("holdout", rng)
    program = Program()
    program.clean(MONDAY, [Trace("left", left, "talk"), Trace("right", right)])
    rows = program.clean(TUESDAY, [Trace("bridge", right, "talk", 1), Trace("alone", right, None, 2)])
    assert (rows["bridge"].straddles, rows["alone"].straddles) == (True, False)


def test_a_trace_that_is_gone_keeps_its_place_and_still_attracts(rng):
    text = sentence(rng)
    program = Program()
    program.clean(MONDAY, [Trace("gone", text, "talk", 5)])
    row = program.clean(MONDAY, [Trace("new", reworded(rng, text), None, 1)])["new"]
    assert row.cluster == content_of(text)
    assert (content_of(text), "talk") in program.listed(MONDAY)
    other = program.clean(MONDAY, [Trace("said later", sentence(rng), "talk", 9)])["said later"]
    assert other.group == content_of(text)


def test_when_the_shares_of_the_sides_are_changed_what_now_stands_on_two_sides_is_reported(rng):
    one, other = sentence(rng), sentence(rng)
    program = Program()
    program.side_of = lambda group: "train"
    program.clean(MONDAY, [Trace("one", one), Trace("other", other)])
    both = [Trace("both", one, "talk", 1), Trace("both too", other, "talk", 2)]
    assert not any(row.straddles for row in program.clean(TUESDAY, both).values())
    program.side_of = lambda group: "holdout" if group == content_of(one) else "train"
    assert all(row.straddles for row in program.clean(TUESDAY, both).values())


@pytest.mark.parametrize("enabled", [True, False])
def test_a_text_that_two_days_recorded_unseen_of_each_other_is_reported_when_either_is_cleaned_again(rng, enabled):
    text, left, right = sentence(rng), on_side("train", rng), on_side("holdout", rng)
    program, unseen = Program(NearDuplicateSettings(enabled=enabled)), Program(NearDuplicateSettings(enabled=enabled))
    one = [Trace("left", left, "talk", 1), Trace("a", text, "talk", 2)]
    other = [Trace("right", right, "chat", 1), Trace("b", text, "chat", 2)]
    assert not any(row.straddles for row in (program.clean(MONDAY, one) | unseen.clean(TUESDAY, other)).values())
    program.indexes |= unseen.indexes
    assert program.clean(MONDAY, one)["a"].straddles
    assert program.clean(TUESDAY, other)["b"].straddles
    assert not program.clean(MONDAY, one)["left"].straddles


def test_switched_off_only_exact_copies_are_a_cluster_and_sessions_still_bind(rng):
    text = sentence(rng)
    program = Program(NearDuplicateSettings(enabled=False))
    traces = [Trace("a", text), Trace("b", text.upper(), None, 1), Trace("c", reworded(rng, text), None, 2)]
    rows = program.clean(MONDAY, [*traces, Trace("d", sentence(rng), "talk", 3), Trace("e", sentence(rng), "talk", 4)])
    assert rows["a"].cluster == rows["b"].cluster != rows["c"].cluster
    assert rows["d"].group == rows["e"].group
    assert program.indexes[MONDAY]["signature"].null_count == 4


def test_switched_on_later_a_day_that_is_cleaned_again_is_signed_and_moves_nothing(rng):
    text = sentence(rng)
    program = Program(NearDuplicateSettings(enabled=False))
    traces = [Trace("a", text), Trace("same", text, "talk", 1), Trace("c", sentence(rng), None, 2)]
    rows = program.clean(MONDAY, traces)
    program.settings = NearDuplicateSettings()
    assert program.clean(MONDAY, traces) == rows
    assert program.indexes[MONDAY]["signature"].null_count == 1
    assert program.clean(TUESDAY, [Trace("d", reworded(rng, text))])["d"].cluster == content_of(text)
    program.settings = NearDuplicateSettings(enabled=False)
    program.clean(MONDAY, traces)
    assert program.indexes[MONDAY]["signature"].null_count == 1


def test_a_day_without_traces_has_an_empty_index():
    program = Program()
    assert program.clean(MONDAY, []) == {}
    assert program.indexes[MONDAY].num_rows == 0
    assert program.clean(TUESDAY, [Trace("a", "text")])["a"].cluster == content_of("text")


@pytest.mark.parametrize("which", ["own", "other"])
def test_an_index_of_another_method_is_refused_with_what_to_do(which):
    program = Program()
    program.clean(MONDAY, [Trace("a", "text")])
    metadata = {**program.indexes[MONDAY].schema.metadata, b"telefine.clustering.method": b"0"}
    program.indexes[MONDAY] = program.indexes[MONDAY].replace_schema_metadata(metadata)
    with pytest.raises(
        TelefineError, match=rf"index of {MONDAY} was made by method 0.*method {METHOD}.*clean all its days"
    ):
        program.clean(MONDAY if which == "own" else TUESDAY, [Trace("b", "text")])


def test_an_index_that_lost_its_metadata_is_refused():
    program = Program()
    program.indexes[MONDAY] = index_schema(MONDAY).empty_table().replace_schema_metadata(None)
    with pytest.raises(TelefineError, match="index of an unknown day was made by method unknown"):
        program.clean(TUESDAY, [Trace("b", "text")])


def test_other_days_are_read_one_at_a_time():
    program = Program()
    for day in (MONDAY, TUESDAY, WEDNESDAY):
        program.clean(day, [Trace(day, "text")])
    program.indexes = dict(program.indexes)
    order = []

    class Days(dict):
        def items(self):
            for name, table in super().items():
                order.append(name)
                yield name, table.slice(0)

    program.indexes = Days(program.indexes)
    program.clean("2026-01-08", [Trace("b", "text")])
    assert order == [MONDAY, TUESDAY, WEDNESDAY]


def test_thousands_of_identical_texts_are_one_entry_a_session():
    traces = [Trace(str(at), "The same text.", f"s{at % 50}", at) for at in range(5000)]
    program = Program()
    done = program.cluster(MONDAY, arrivals_of(traces))
    assert len({row.group for row in rows_of(done).values()}) == 1
    assert (done.index.num_rows, done.index["signature"].null_count, done.compared) == (50, 49, 0)


@pytest.mark.parametrize("varied", ["end", "start"])
def test_a_crowd_of_near_copies_is_one_cluster_in_few_comparisons(rng, varied):
    text = sentence(rng)
    numbers = rng.sample(range(10**6), 3000)
    texts = [f"{text} {number}" if varied == "end" else f"{number} {text}" for number in numbers]
    program = Program()
    for day, some in ((MONDAY, texts[:1500]), (TUESDAY, texts[1500:])):
        done = program.cluster(day, arrivals_of(Trace(str(at), text, None, at) for at, text in enumerate(some)))
        assert Counter(rows_of(done).values()) == {(content_of(texts[0]), content_of(texts[0]), False): 1500}
        assert done.compared <= 1500 * 32 * 2


def test_texts_with_a_long_template_in_common_are_kept_apart_in_few_comparisons(rng):
    template = sentence(rng, 30)
    texts = [f"{template} {sentence(rng, 15)}" for _ in range(2000)]
    done = Program().cluster(MONDAY, arrivals_of(Trace(str(at), text) for at, text in enumerate(texts)))
    assert 0.5 < similarity(texts[0], texts[1]) < 0.8
    assert len({row.cluster for row in rows_of(done).values()}) > 1990
    assert done.compared <= 2000 * 32 * 7


def test_near_copies_in_a_crowd_are_found(rng):
    template = sentence(rng, 30)
    texts = [f"{template} {sentence(rng, 15)}" for _ in range(2000)]
    copies = [reworded(rng, text) for text in texts[:300]]
    assert min(map(similarity, texts, copies)) > 0.9
    one, other = Program(), Program()
    first = [Trace(f"o{at}", text, None, at) for at, text in enumerate(texts)]
    second = [Trace(f"c{at}", text, None, 5000 + at) for at, text in enumerate(copies)]
    rows = one.clean(MONDAY, first + second)
    apart = other.clean(MONDAY, first) | other.clean(TUESDAY, second)
    for found in (rows, apart):
        assert sum(found[f"c{at}"].cluster == found[f"o{at}"].cluster for at in range(300)) >= 298


def test_bad_digests_are_refused():
    table = arrivals_of([Trace("a", "text")]).set_column(2, "content", pa.array(["not a digest"]))
    with pytest.raises(ValueError, match="hexadecimal"):
        Program().cluster(MONDAY, table)
