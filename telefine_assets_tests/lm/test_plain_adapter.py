"""The plain layout, through ``dspy.Predict``; the model outside is scripted."""

from typing import Literal

import dspy
import pytest
from dspy.lm15 import Message, Request, Response, TextPart, Usage
from dspy.utils.exceptions import AdapterParseError

from telefine_assets.lm.plain_adapter import PlainFewShotAdapter


class Sentiment(dspy.Signature):
    """Say how the sentence judges the film."""

    review: str = dspy.InputField()
    sentiment: Literal["positive", "negative"] = dspy.OutputField()


class Triage(dspy.Signature):
    """Sort the message."""

    message: str = dspy.InputField()
    team_name: str = dspy.OutputField()
    urgency: int = dspy.OutputField()


class ScriptedEngine:
    """The model outside: gives the same text to every request, and keeps the requests."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.asked: list[Request] = []

    def complete(self, request: Request) -> Response:
        self.asked.append(request)
        message = Message(role="assistant", parts=(TextPart(self.text),))
        return Response(id="1", model="scripted", message=message, finish_reason="stop", usage=Usage())


def predict(engine: ScriptedEngine, **kwargs) -> dspy.Prediction:
    with dspy.context(lm=dspy.LM("scripted", engine=engine, cache=False), adapter=PlainFewShotAdapter()):
        return dspy.Predict(Sentiment)(review="dull", **kwargs)


def parse(signature: type[dspy.Signature], text: str) -> dict:
    return PlainFewShotAdapter().parse(signature, text)


def test_the_layout_is_instructions_demos_and_an_open_label() -> None:
    demos = [
        dspy.Example(review="a gem .", sentiment="positive"),
        dspy.Example(review="dull\n\nand  long", sentiment="negative"),
        dspy.Example(review="never labelled"),
    ]
    messages = PlainFewShotAdapter().format(Sentiment, demos, {"review": "so so"})
    assert messages == [
        {
            "role": "user",
            "content": "Say how the sentence judges the film.\n\n"
            "Review: a gem .\nSentiment: positive\n\n"
            "Review: dull and long\nSentiment: negative\n\n"
            "Review: so so\nSentiment:",
        }
    ]


def test_predict_asks_with_a_stop_and_reads_the_first_line() -> None:
    engine = ScriptedEngine(" Negative\nReview: more")
    assert predict(engine).sentiment == "negative"
    assert list(engine.asked[0].config.stop) == ["\n\n"]


def test_a_stop_of_ones_own_is_kept() -> None:
    engine = ScriptedEngine(" positive")
    predict(engine, config={"stop": ["###"]})
    assert list(engine.asked[0].config.stop) == ["###"]


@pytest.mark.parametrize("text", [" neutral", " positive!", " not negative", ""])
def test_what_is_no_label_is_an_unparsable_answer_asked_for_once(text: str) -> None:
    engine = ScriptedEngine(text)
    with pytest.raises(AdapterParseError):
        predict(engine)
    assert len(engine.asked) == 1


def test_several_outputs_stand_on_consecutive_lines() -> None:
    text = " Billing\nUrgency: 3\n\nMessage: next"
    assert parse(Triage, text) == {"team_name": "Billing", "urgency": 3}
    prompt = PlainFewShotAdapter().format(
        Triage, [{"message": "help", "team_name": "Sales", "urgency": 1}], {"message": "hi"}
    )[0]["content"]
    assert prompt.endswith("Message: help\nTeam Name: Sales\nUrgency: 1\n\nMessage: hi\nTeam Name:")


@pytest.mark.parametrize("text", [" Billing", " Billing\n3", " Billing\nUrgency: soon", "\nUrgency: 3"])
def test_a_missing_or_mistyped_output_is_unparsable(text: str) -> None:
    with pytest.raises(AdapterParseError):
        parse(Triage, text)
