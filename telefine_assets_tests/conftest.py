"""Fixtures that tests of several folders share."""

from collections.abc import Iterator

import pytest

from telefine_assets_tests.knn_lm import KnnLm, knn_lm


@pytest.fixture
def knn() -> Iterator[KnnLm]:
    """The stand-in language model, without faults until a test asks for some."""
    with knn_lm() as lm:
        yield lm
