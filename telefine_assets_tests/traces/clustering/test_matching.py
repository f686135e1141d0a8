"""Banding finds what comparing all with all finds."""

import random

import numpy as np
import pytest

from telefine_assets.traces.clustering.matching import Matcher, rows_per_band
from telefine_assets.traces.clustering.signatures import Signatures, least_equal, least_similarity, signatures_of
from telefine_assets_tests.traces.clustering.days import reworded, sentence, similarity


@pytest.mark.parametrize(("percent", "rows"), [(60, 4), (77, 4), (78, 8), (85, 8), (91, 8), (92, 16), (100, 16)])
def test_bands_are_as_long_as_the_similarity_allows(percent, rows):
    assert rows_per_band(percent) == rows


def planted(count, seed=3, most=3):
    rng = random.Random(seed)
    texts = [sentence(rng) for _ in range(count)]
    return texts, [reworded(rng, text, rng.randint(0, most)) for text in texts]


def matcher(texts, percent):
    return Matcher(signatures_of(texts, least_similarity(percent)), percent)


def brute(one, other, percent):
    equal = (one[:, None, :] == other[None, :, :]).sum(axis=2)
    return {(a, b) for a, b in np.argwhere(equal >= least_equal(percent)).tolist()}


@pytest.mark.parametrize("percent", [60, 70, 80, 85, 90, 95, 100])
def test_the_pairs_are_those_of_all_with_all(percent):
    texts, copies = planted(150)
    both = matcher(texts + copies, percent)
    graph = both.among_themselves()
    found = {(one, other) for one in range(300) for other in graph.of(one)}
    wanted = {(a, b) for a, b in brute(both.day.rows, both.day.rows, percent) if a != b}
    assert found <= wanted
    assert len(found) >= 0.98 * len(wanted)
    assert all((other, one) in found for one, other in found)


@pytest.mark.parametrize("percent", [60, 70, 80, 85, 90, 95, 100])
def test_the_pairs_with_stored_signatures_are_those_of_all_with_all(percent):
    texts, copies = planted(150)
    day, stored = matcher(copies, percent), signatures_of(texts, 0.8).rows
    pairs = day.among(stored, np.arange(150))
    found = set(zip(pairs.asking.tolist(), pairs.asked.tolist(), strict=True))
    wanted = brute(day.day.rows, stored, percent)
    assert found <= wanted
    assert len(found) >= 0.98 * len(wanted)


def test_of_each_stored_cluster_the_earliest_near_copy_is_named():
    text = sentence(random.Random(4))
    day, stored = matcher(["something else altogether", text], 85), signatures_of([text] * 40, 0.8).rows
    pairs = day.among(stored, np.arange(40) % 2)
    assert (pairs.asking.tolist(), pairs.asked.tolist()) == ([1, 1], [0, 1])


def test_every_planted_pair_with_a_similarity_of_nine_tenths_is_found_and_no_unrelated_one():
    texts, copies = planted(400, seed=5, most=1)
    alike = [at for at in range(400) if similarity(texts[at], copies[at]) >= 0.9]
    assert len(alike) > 300
    graph = matcher(texts + copies, 85).among_themselves()
    assert all(at + 400 in graph.of(at) for at in alike)
    assert all({other % 400 for other in graph.of(at)} <= {at % 400} for at in range(800))


def test_in_a_small_bucket_all_are_compared_with_all():
    rng = random.Random(6)
    text = sentence(rng, 80)
    seven = matcher([reworded(rng, text) for _ in range(7)], 85)
    assert [seven.among_themselves().of(at) for at in range(7)] == [
        [other for other in range(7) if other != at] for at in range(7)
    ]


@pytest.mark.parametrize("turned", [False, True])
def test_in_a_crowd_who_follows_the_first_is_still_compared_with_who_does_not(turned):
    """All share the bands from 4 to 27; the last but one is alike to the first and to the last, these two are not."""
    rng = np.random.default_rng(0)
    rows = np.repeat(rng.integers(0, 256, (1, 256), np.uint8), 22, axis=0)
    rows[1:, :32] = rng.integers(0, 256, (21, 32), np.uint8)
    rows[21, :32] = np.where(np.arange(32) % 8, rows[20, :32], rows[20, :32] + 1)
    rows[21, 224:] += 1
    order = [*range(20), 21, 20] if turned else list(range(22))
    graph = Matcher(Signatures(rows[order], np.arange(22), 22), 85).among_themselves()
    assert 21 in graph.of(20)
    assert len(graph.of(0)) == 20


def test_near_copies_are_found_in_the_crowd_of_a_template_in_few_comparisons():
    rng = random.Random(7)
    template = sentence(rng, 40)
    texts = [f"{template} {sentence(rng, 5)}" for _ in range(2000)]
    copies = [reworded(rng, text) for text in texts[:300]]
    together = matcher(texts + copies, 85)
    graph = together.among_themselves()
    assert sum(at + 2000 in graph.of(at) for at in range(300)) >= 298
    assert together.compared < 2300 * 32 * 7
    day = matcher(copies, 85)
    pairs = day.among(signatures_of(texts, 0.8).rows, np.arange(2000))
    assert sum(pairs.asking == pairs.asked) >= 298
    assert day.compared < 300 * 32 * 7


@pytest.mark.parametrize("length", [2040, 2060, 4000, 30_000, 300_000])
def test_long_texts_are_found_too_whatever_the_length_of_their_sample(length):
    rng = random.Random(length)
    text = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz    ", k=length))
    longer = text + "".join(rng.choices("abcdefghijklmnopqrstuvwxyz    ", k=length // 12))
    for first, second in ((text, longer), (longer, text)):
        assert matcher([first, second], 85).among_themselves().of(0) == [1]
        stored = signatures_of([first], 0.8)
        assert matcher([second], 85).among(stored.rows[:1], np.zeros(1, np.int64)).asked.tolist() == [0]


def test_nothing_is_found_among_nothing():
    nobody = matcher([], 85)
    assert nobody.among_themselves().others.tolist() == []
    assert nobody.among(signatures_of(["a"], 0.8).rows, np.zeros(1, np.int64)).asked.tolist() == []
    assert matcher(["a"], 85).among(nobody.day.rows, np.zeros(0, np.int64)).asked.tolist() == []
