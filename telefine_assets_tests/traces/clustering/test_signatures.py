"""MinHash signatures: what they are, and how well they tell how similar texts are."""

import hashlib
import random

import numpy as np
import pytest
from datasketch import MinHash

from telefine_assets.traces.clustering.shingles import hashed_shingles, multiply_shift
from telefine_assets.traces.clustering.signatures import (
    PERMUTATIONS,
    least_equal,
    least_similarity,
    signatures_of,
)
from telefine_assets_tests.traces.clustering.days import reworded, sentence


def estimates(one, other):
    equal = (signatures_of(one, 0.8).rows[: len(one)] == signatures_of(other, 0.8).rows[: len(other)]).mean(axis=1)
    return (equal - 1 / 256) / (1 - 1 / 256)


def counted(one, other):
    pairs = zip(hashed_shingles(one), hashed_shingles(other), strict=True)
    sets = [(set(a.tolist()), set(b.tolist())) for a, b in pairs]
    return np.array([len(a & b) / len(a | b) for a, b in sets])


def test_a_signature_is_what_it_was_when_the_method_was_numbered():
    """Stored signatures must stay comparable: whoever changes this digest counts ``METHOD`` up."""
    rows = signatures_of(["", "a", "where is my parcel?", "größe " * 2000], 0.8).rows
    digest = hashlib.sha256(rows.tobytes()).hexdigest()
    assert digest == "238a128424eb5d649278edeba50089f9b17148a4e8d14356ceb51106b510e5ba"


def test_a_signature_is_datasketchs_minhash_cut_to_bytes():
    (hashes,) = hashed_shingles(["where is my parcel?"])
    peer = MinHash(num_perm=PERMUTATIONS, seed=1, hashfunc=int, scheme="affine32")
    for value in hashes.tolist():
        peer.update(value)
    wanted = multiply_shift([peer.hashvalues], 8)
    assert signatures_of(["where is my parcel?"], 0.8).rows.tolist() == [wanted.tolist()]


def test_estimates_are_unbiased_and_as_precise_as_minhash_is():
    rng = random.Random(1)
    texts = [sentence(rng, rng.randint(5, 80)) for _ in range(600)]
    others = [reworded(rng, text, rng.randint(0, 5)) for text in texts]
    wanted = counted(texts, others)
    errors = estimates(texts, others) - wanted
    assert abs(errors.mean()) < 0.003
    assert errors.std() < 1.15 * (wanted * (1 - wanted) / PERMUTATIONS).mean() ** 0.5


@pytest.mark.parametrize("apart", [1, 10, 111, 1000])
def test_estimates_hold_of_short_texts_too(apart):
    texts = [f"{number}" for number in range(3000)]
    one, other = texts[:-apart], texts[apart:]
    errors = estimates(one, other) - counted(one, other)
    assert abs(errors.mean()) < 0.01
    assert abs(errors).max() < 5 * (0.25 / PERMUTATIONS) ** 0.5


@pytest.mark.parametrize(("percent", "least"), [(60, 0.569), (85, 0.828), (95, 0.936), (100, 1.0)])
def test_the_limit_is_the_wanted_similarity_less_one_standard_error(percent, least):
    assert least_similarity(percent) == pytest.approx(least, abs=0.001)
    assert least_equal(percent) == pytest.approx(256 * least + (1 - least), abs=1)
    assert least_equal(100) == PERMUTATIONS


def test_further_signatures_of_long_texts_come_after_all_first_ones():
    rng = random.Random(2)
    texts = ["short", sentence(rng, 400), sentence(rng, 300), "short too"]
    texts[1:3] = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=length)) for length in (2040, 3000)]
    found = signatures_of(texts, 0.83)
    assert (found.texts, found.owners.tolist()) == (4, [0, 1, 2, 3, 1])
    assert len(found.rows) == 5


def test_no_text_has_no_signature():
    found = signatures_of([], 0.8)
    assert (found.rows.shape, found.owners.tolist(), found.texts) == ((0, PERMUTATIONS), [], 0)
