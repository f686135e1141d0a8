"""Retrieval and answer: two modules, of which the second never sees what the first one read.

The corpus is ``corpus.json`` beside this file; retrieval counts shared words, so
that the example needs no index. In its place stands whatever search you have.
"""

from __future__ import annotations

import json
from pathlib import Path

import dspy

CORPUS: list[str] = json.loads(Path(__file__).with_name("corpus.json").read_text(encoding="utf-8"))


def search(query: str, count: int = 2) -> list[str]:
    """The passages that share most words with the query; of equals, the first."""
    words = {*query.casefold().split()}
    return sorted(CORPUS, key=lambda passage: -len(words & {*passage.casefold().strip(".").split()}))[:count]


class WriteQuery(dspy.Signature):
    """Write the words to search the handbook for."""

    question: str = dspy.InputField()
    query: str = dspy.OutputField()


class Answer(dspy.Signature):
    """Answer from the passages, as briefly as possible."""

    passages: list[str] = dspy.InputField()
    question: str = dspy.InputField()
    answer: str = dspy.OutputField()


class Handbook(dspy.Module):
    """Answers questions about the staff handbook."""

    def __init__(self) -> None:
        super().__init__()
        self.write_query = dspy.Predict(WriteQuery)
        self.answer = dspy.Predict(Answer)

    def forward(self, question: str) -> dspy.Prediction:
        """The answer, with the passages that it rests on."""
        passages = search(self.write_query(question=question).query)
        return dspy.Prediction(answer=self.answer(passages=passages, question=question).answer, passages=passages)


def build() -> dspy.Module:
    """The first version."""
    return Handbook()
