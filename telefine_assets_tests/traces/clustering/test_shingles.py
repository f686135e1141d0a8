"""Texts as sets of hashed shingles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.traces.clustering.shingles import MOST, SEPARATOR, WIDTH, hashed_shingles, multiply_shift, samples

PAD = SEPARATOR * (WIDTH - 1)


def hashed(*texts):
    return [each.tolist() for each in hashed_shingles(texts)]


def hashes_of(shingles):
    words = np.array([[ord(each) for each in shingle] for shingle in shingles], np.uint32)
    return multiply_shift(list(words.T), 32).tolist()


@given(st.lists(st.text(max_size=12), max_size=6))
def test_every_run_of_five_characters_is_hashed_alone(texts):
    framed = [PAD + text.replace(SEPARATOR, PAD) + PAD for text in texts]
    runs = [[text[at : at + WIDTH] for at in range(len(text) - WIDTH + 1)] for text in framed]
    assert hashed(*texts) == [hashes_of(each) for each in runs]


def test_no_shingle_spans_two_fields_and_the_border_between_them_counts():
    one, other, joined = (set(each) for each in hashed("abcdef", "ghijkl", f"abcdef{SEPARATOR}ghijkl"))
    assert joined == one | other
    (together,) = hashed("abcdefghijkl")
    assert len(joined - set(together)) >= 2 * (WIDTH - 1)


def test_short_and_empty_texts_have_shingles_and_different_ones():
    found = [frozenset(each) for each in hashed("", "a", "b", "ab", "ba", "\U0001f600", "\ud800")]
    assert all(found)
    assert len(set(found)) == len(found)


def test_batches_make_no_difference(monkeypatch):
    texts = [f"text number {number}" * (number % 5) for number in range(50)]
    whole = hashed(*texts)
    monkeypatch.setattr("telefine_assets.traces.clustering.shingles._BATCH_CHARACTERS", 40)
    assert hashed(*texts) == whole


def test_hashes_are_spread_evenly_and_never_change():
    values = np.array(hashed("".join(map(chr, range(32, 20_000))))[0])
    counts = np.bincount(values >> 28, minlength=16)
    assert abs(counts - len(values) / 16).max() < 5 * (len(values) / 16) ** 0.5
    assert len(set(values.tolist())) == len(values)
    assert hashed("help")[0][::4] == [3681750705, 674477193]


def numbers(count, seed=0):
    return np.random.default_rng(seed).integers(0, 2**32, count, np.uint32)


def test_a_short_text_is_all_its_shingles():
    values = numbers(1500)
    (only,) = samples(values, 0.8)
    assert only is values


@pytest.mark.parametrize("count", [2100, 5000, 20_000, 1_000_000])
def test_a_long_text_is_a_sample_that_the_content_decides(count):
    values = numbers(count)
    first, *others = samples(np.concatenate([values, values]), 0.8)
    bound = 2**32 / 2 ** np.ceil(np.log2(count / MOST))
    assert first.tolist() == sorted(set(values[values < bound].tolist()))
    assert MOST / 2 * 0.9 < len(first) < MOST * 1.1
    assert all(len(each) < 2.2 * MOST for each in others)


@pytest.mark.parametrize("count", [1700, 2040, 2048, 2060, 2500, 4000, 4100, 16_000, 70_000])
@pytest.mark.parametrize("similarity", [0.6, 0.83, 1.0])
def test_texts_as_similar_as_wanted_have_samples_that_can_be_compared(count, similarity):
    values = numbers(count)
    longer, shorter = values, values[: int(count * similarity) + 1]
    own = [samples(each, similarity)[0].tolist() for each in (longer, shorter)]
    for stored, asking in ((own[0], shorter), (own[1], longer)):
        found = [set(each.tolist()) for each in samples(asking, similarity)]
        best = max(len(each & set(stored)) / len(each | set(stored)) for each in found)
        assert best > similarity - 0.06


def test_a_text_of_a_repeated_character_is_two_handfuls_of_shingles():
    (values,) = hashed_shingles(["x" * 1_000_000])
    assert len(samples(values, 0.8)[0]) == 2 * WIDTH - 1
