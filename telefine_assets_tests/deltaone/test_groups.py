"""Items of one session or contributor, and of those that they join, are one group."""

from hypothesis import given
from hypothesis import strategies as some

from telefine_assets.deltaone.groups import joined

ITEMS = some.lists(some.tuples(some.sampled_from("abcdefghij"), some.none() | some.sampled_from("xyzuvw")), max_size=25)


def test_a_contributor_joins_sessions_and_a_session_joins_contributors():
    groups = ["s1", "s2", "s2", "s3", "s4"]
    contributors = ["ann", "ann", "bob", "bob", "eve"]
    assert joined(groups, contributors) == ["s1", "s1", "s1", "s1", "s4"]


def test_who_is_unknown_joins_nothing():
    assert joined(["s1", "s2", "s3"], [None, None, "ann"]) == ["s1", "s2", "s3"]


def test_a_contributor_who_is_called_as_a_session_is_not_that_session():
    assert joined(["s1", "s2"], ["s2", None]) == ["s1", "s2"]


@given(ITEMS)
def test_they_are_the_connected_components(items):
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    # An item is joined to another by an equal group or an equal known contributor.
    edges = [
        (i, j)
        for i, (group, who) in enumerate(items)
        for j, (other, by) in enumerate(items)
        if group == other or (who is not None and who == by)
    ]
    found = joined([group for group, _ in items], [who for _, who in items])
    if items:
        ends = tuple(zip(*edges, strict=True))
        _, labels = connected_components(coo_array(([1] * len(edges), ends), shape=(len(items), len(items))))
        assert len(set(found)) == len(set(labels)) == len(set(zip(found, labels, strict=True)))
    for name, component in zip(found, found, strict=True):
        assert name == min(group for (group, _), each in zip(items, found, strict=True) if each == component)


@given(ITEMS, some.randoms())
def test_the_order_of_items_changes_no_name(items, rng):
    before = dict(zip(items, joined(*columns(items)), strict=True))
    rng.shuffle(items)
    assert dict(zip(items, joined(*columns(items)), strict=True)) == before


def columns(items):
    return [group for group, _ in items], [who for _, who in items]
