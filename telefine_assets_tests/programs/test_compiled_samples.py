"""Programs of every shape go through a whole compile: a better one comes out, with every demo traced."""

import json
from dataclasses import replace

import dspy
import pytest

from telefine_assets.lm.opening import open_lm
from telefine_assets.programs.compiling import CANDIDATE, Models, compile_day
from telefine_assets.programs.versions import Version, first_version
from telefine_assets.settings.lm import LmSettings
from telefine_assets_tests.programs.examples import KEY, cleaned_trace, compile_settings, program_settings
from telefine_assets_tests.programs.samples import SAMPLES
from telefine_assets_tests.programs.tickets import tickets
from telefine_assets_tests.scripted_lm import ScriptedLm

SPLIT = program_settings().split


class Untaught(ScriptedLm):
    """Answers by the rule where it sees demos; without any, it sends every other ticket to the wrong team."""

    def complete(self, request):
        if len(request.messages) > 2:
            return super().complete(request)
        return ScriptedLm.complete(self.astray, request)

    @property
    def astray(self):
        def rule(inputs, outputs):
            answer = dict(self.rule(inputs, outputs))
            if sum(map(ord, "".join(inputs.values()))) % 2:
                answer["team"] = "billing" if answer["team"] != "billing" else "login"
            return answer

        other = ScriptedLm(rule)
        other.prompts, other._lock = self.prompts, self._lock
        return other


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_it_is_compiled_with_every_demo_traced(sample):
    spec = sample.spec
    rows = [sample.row(text, team, number) for number, (text, team) in enumerate(tickets(120))]
    cleaned = [cleaned_trace(f"tr-{number}", *row, 1_000 + number, SPLIT) for number, row in enumerate(rows)]
    settings = compile_settings(
        strategies=[{"strategy": "bootstrap_few_shot", "max_bootstrapped_demos": 2, "max_labeled_demos": 4}],
        min_train=10,
        min_validation=10,
    )
    with open_lm(LmSettings(model="openai/scripted", api_base="http://127.0.0.1:9")) as opened:
        engine = Untaught(sample.rule)
        scripted = dspy.LM("scripted", engine=engine, cache=False, num_retries=0)
        lm = replace(opened, lm=scripted, adapter=dspy.ChatAdapter())
        result = compile_day(spec, cleaned, first_version(spec, lm.identity), settings, KEY, Models(lm))
        assert result.outcome == CANDIDATE, result.reason
        train = {each.trace_id for each in cleaned if each.split == "train"}
        assert {demo.trace_id for demo in result.demos} <= train
        assert len(result.demos) == sum(len(part["demos"]) for part in result.candidate.state.values())
        assert {demo.predictor for demo in result.demos if demo.augmented} == set(spec.signatures)
        stored = Version(json.loads(json.dumps(result.candidate.document.decode())).encode())
        item = result.validation[0]
        with lm.context():
            assert stored.module(spec)(**item.example().inputs()).team == item.label["team"]
