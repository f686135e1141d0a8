"""The promises of usage weights, each as a property."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telefine_assets.attribution.addresses import checksum_address, resolve_contributor
from telefine_assets.attribution.facts import read_facts, recompute_weights, write_facts
from telefine_assets.attribution.records import RecordError
from telefine_assets.attribution.submissions import Scope
from telefine_assets.attribution.usage import Arrival, AttributionError, UsedDemo, usage_weights
from telefine_assets.attribution.weights import FULL_PPM, WeightLine, WeightTable

WALLETS = [checksum_address(bytes([17 * (i + 1)]) * 20) for i in range(6)]
BAD_TAGS = [None, "bob.eth", "0x" + "0" * 40, "nobody"]
NEWCOMER = checksum_address(b"\x99" * 20)
SCOPE = Scope("here", "tickets")


@st.composite
def facts(draw):
    """Some traces in some clusters, some of them used."""
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(0, 7),  # cluster
                st.sampled_from([*WALLETS, *BAD_TAGS]),
                st.integers(0, 20),  # arrival
                st.integers(0, FULL_PPM),
                st.booleans(),  # used
            ),
            min_size=1,
            max_size=14,
        )
    )
    arrivals = [Arrival(f"c{c}", f"t{i}", who, None, when) for i, (c, who, when, _, _) in enumerate(rows)]
    demos = [UsedDemo(f"c{c}", f"t{i}", quality) for i, (c, _, _, quality, used) in enumerate(rows) if used]
    return demos, arrivals


def weights_of(table: WeightTable) -> dict[str, int]:
    return {line.address: line.weight_ppm for line in table.lines}


def escrow_of(table: WeightTable) -> dict[str, int]:
    return {line.reason: line.weight_ppm for line in table.escrow}


@given(facts())
def test_efficiency_all_parts_are_given_out_or_none(both):
    table = usage_weights(*both)
    assert table.total_ppm == (0 if table.reason else FULL_PPM)


@given(st.integers(1, 40), st.integers(1, FULL_PPM))
def test_symmetry_clusters_of_one_quality_are_worth_the_same_to_one_part(count, quality):
    wallets = [checksum_address((i + 1).to_bytes(20, "big")) for i in range(count)]
    demos = [UsedDemo(f"c{i}", f"t{i}", quality) for i in range(count)]
    arrivals = [Arrival(f"c{i}", f"t{i}", wallets[i], None, i) for i in range(count)]
    parts = weights_of(usage_weights(demos, arrivals)).values()
    assert len(parts) == count
    assert max(parts) - min(parts) <= 1


@given(facts(), st.integers(0, 100))
def test_an_unused_contributor_gets_nothing_and_changes_nothing(both, when):
    demos, arrivals = both
    table = usage_weights(demos, [*arrivals, Arrival("unused", "t-new", NEWCOMER, None, when)])
    assert table == usage_weights(demos, arrivals)


@given(facts(), st.sampled_from(WALLETS), st.data())
def test_splitting_an_address_gains_nothing(both, wallet, data):
    demos, arrivals = both
    split = [
        replace(row, contributor=data.draw(st.sampled_from([wallet, NEWCOMER]))) if row.contributor == wallet else row
        for row in arrivals
    ]
    before, after = weights_of(usage_weights(demos, arrivals)), weights_of(usage_weights(demos, split))
    assert before.pop(wallet, 0) == after.pop(wallet, 0) + after.pop(NEWCOMER, 0)
    assert before == after


@given(facts(), st.data())
def test_an_exact_copy_gains_nothing_for_a_rival_or_for_its_own_author(both, data):
    demos, arrivals = both
    original = data.draw(st.sampled_from(arrivals))
    copier = data.draw(st.sampled_from([NEWCOMER, original.contributor]))
    later = max(row.arrival_ms for row in arrivals) + 1
    copy = Arrival(original.cluster, "t-copy", copier, None, later)
    worth = [demo for demo in demos if demo.trace_id == original.trace_id]
    used = [*demos, *(replace(demo, trace_id="t-copy") for demo in worth)]
    before, after = usage_weights(demos, arrivals), usage_weights(used, [*arrivals, copy])
    assert weights_of(before) == weights_of(after)
    assert escrow_of(before) == escrow_of(after)


@given(facts(), st.integers(0, FULL_PPM), st.data())
def test_a_later_demo_of_a_used_cluster_changes_no_weight_whatever_its_quality(both, quality, data):
    demos, arrivals = both
    if not demos:
        return
    cluster = data.draw(st.sampled_from(demos)).cluster
    later = Arrival(cluster, "t-later", NEWCOMER, None, 1000)
    table = usage_weights([*demos, UsedDemo(cluster, "t-later", quality)], [*arrivals, later])
    assert weights_of(table) == weights_of(usage_weights(demos, arrivals))


@given(facts(), st.randoms(use_true_random=False))
def test_row_order_and_repeats_do_not_matter(both, random):
    demos, arrivals = both
    more_demos, more_arrivals = demos * 2, arrivals * 2
    random.shuffle(more_demos)
    random.shuffle(more_arrivals)
    assert usage_weights(more_demos, more_arrivals) == usage_weights(demos, arrivals)
    assert write_facts(more_demos, more_arrivals, SCOPE) == write_facts(demos, arrivals, SCOPE)


@given(facts(), st.sampled_from(WALLETS), st.sampled_from(BAD_TAGS))
def test_escrow_leaves_the_shares_of_the_others_unchanged(both, wallet, bad_tag):
    demos, arrivals = both
    lost = [replace(row, contributor=bad_tag) if row.contributor == wallet else row for row in arrivals]
    before, after = usage_weights(demos, arrivals), usage_weights(demos, lost)
    expected = weights_of(before)
    moved = expected.pop(wallet, 0)
    assert weights_of(after) == expected
    assert after.escrow_ppm == before.escrow_ppm + moved


@given(facts())
@settings(max_examples=50)
def test_records_and_evidence_read_back_as_they_were(both):
    table = usage_weights(*both)
    record = json.loads(json.dumps(table.to_record()))
    assert WeightTable.from_record(record) == table
    assert recompute_weights(write_facts(*both, SCOPE)) == table


def test_one_wallet_under_several_spellings_is_one_line():
    wallet = WALLETS[0]
    spellings = [wallet, wallet.lower(), "0x" + wallet[2:].upper()]
    demos = [UsedDemo(f"c{i}", f"t{i}", 500_000) for i in range(3)]
    arrivals = [Arrival(f"c{i}", f"t{i}", spelling, None, i) for i, spelling in enumerate(spellings)]
    table = usage_weights(demos, arrivals)
    assert table.lines == (WeightLine(wallet, FULL_PPM, ("c0", "c1", "c2"), ("t0", "t1", "t2")),)


def test_the_first_submitter_is_paid_even_if_only_a_later_trace_is_used():
    arrivals = [Arrival("c", "late", WALLETS[0], None, 9), Arrival("c", "early", WALLETS[1], None, 3)]
    assert weights_of(usage_weights([UsedDemo("c", "late", 1)], arrivals)) == {WALLETS[1]: FULL_PPM}


def test_of_two_submissions_in_one_millisecond_the_lower_trace_id_is_first():
    arrivals = [Arrival("c", "b", WALLETS[0], None, 3), Arrival("c", "a", WALLETS[1], None, 3)]
    assert weights_of(usage_weights([UsedDemo("c", "b", 1)], arrivals)) == {WALLETS[1]: FULL_PPM}


def test_a_reason_already_known_overrides_the_tag():
    arrivals = [Arrival("c", "t", WALLETS[0], "unsigned_submission", 1)]
    assert escrow_of(usage_weights([UsedDemo("c", "t", 1)], arrivals)) == {"unsigned_submission": FULL_PPM}


def test_a_demo_that_nobody_submitted_is_held_in_escrow():
    assert escrow_of(usage_weights([UsedDemo("c", "t", 1)], [])) == {"no_arrival": FULL_PPM}


def test_the_reasons_for_an_empty_table():
    assert usage_weights([], []).reason == "no_demo_used"
    assert usage_weights([UsedDemo("c", "t", 0)], []).reason == "no_quality"


@pytest.mark.parametrize(
    ("demos", "arrivals", "words"),
    [
        ([UsedDemo("c", "t", 1), UsedDemo("c", "t", 2)], [], "twice, differently"),
        ([UsedDemo("c", "t", 1)], [Arrival("d", "t", None, None, 0)], "cluster c, arrivals in d"),
        ([UsedDemo("c", "t", FULL_PPM + 1)], [], "quality_ppm of trace t"),
        ([UsedDemo("c", "t", 0.5)], [], "quality_ppm of trace t"),
        ([UsedDemo("", "t", 1)], [], "without trace id or cluster"),
        ([], [Arrival("c", "t", None, "Not a code", 0)], "expected a code"),
        ([], [Arrival("c", "t", None, None, 1.5)], "whole milliseconds"),
        ([], [Arrival("c", "t", None, None, 1), Arrival("c", "t", None, None, 2)], "twice, differently"),
    ],
)
def test_contradicting_facts_are_refused(demos, arrivals, words):
    with pytest.raises(AttributionError, match=words):
        usage_weights(demos, arrivals)


@pytest.mark.parametrize(
    "change",
    [
        {"lines": []},
        {"reason": "no_demo_used"},
        {"extra": 1},
        {"escrow": [{"reason": "missing", "weight_ppm": 1, "clusters": [], "trace_ids": []}]},
    ],
)
def test_a_table_that_does_not_add_up_is_refused(change):
    record = usage_weights([UsedDemo("c", "t", 1)], [Arrival("c", "t", WALLETS[0], None, 0)]).to_record()
    with pytest.raises(RecordError):
        WeightTable.from_record(record | change)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"demos":[],"arrivals":[]}'])
def test_a_file_that_is_no_evidence_is_refused(data):
    with pytest.raises(RecordError, match=r"attribution\.json"):
        read_facts(data)


def test_the_evidence_leaves_out_who_has_no_part_in_it():
    rows = [Arrival("c", "t", WALLETS[0], None, 0), Arrival("other", "u", WALLETS[1], None, 0)]
    assert b"other" not in write_facts([UsedDemo("c", "t", 1)], rows, SCOPE)


def test_the_wallets_of_these_tests_resolve():
    assert all(resolve_contributor(wallet).address == wallet for wallet in WALLETS)
