"""Records and rows as ``report_day`` would make them, with everything that a report can show."""

from dataclasses import replace

from telefine_assets.deltaone.decision import decide, public_view
from telefine_assets.deltaone.records import PPM, Guardrail, Rules
from telefine_assets.deltaone.report import ReportContext, about
from telefine_assets.settings.deltaone import DeltaOneSettings

from .rows import look, row

QUEUES = ("billing", "delivery", "returns", "account", "other")
REQUESTS = (
    "My card was charged twice for order 4471 and the second charge is still pending. Who do I talk to?",
    "The parcel says delivered, but nothing arrived and the neighbours have nothing either.",
    "I would like to send the blue jacket back, the sleeves are too short. Is it free?",
    "I cannot log in since I changed my phone; the code never comes.",
    "Do you have a shop in Lyon that I could visit on Saturday?",
)
WALLETS = (*(f"0x{index:02x}908400098527886E0F7030069857D2E4169E{index:02x}" for index in range(24)), None)
RULES = Rules(
    guardrails=(
        Guardrail("readable", "valid", at_least=990_000),
        Guardrail("fast enough", "latency_ms", statistic="p95", direction="lower", at_most=3_000),
        Guardrail("cost", "cost_micros", direction="lower", max_worse=50),
    ),
    max_regressions=60,
)
HISTORY = [
    {"k": 1, "day": "2026-11-02", "candidate": "e" * 64, "reached": False},
    {"k": 2, "day": "2026-11-09", "candidate": "f" * 64, "reached": False},
    {"k": 3, "day": "2026-11-16", "candidate": "c" * 64, "reached": None},
]
ASKED_WITH = {
    "lm": {"model": "openai/gpt-small", "adapter": "chat", "temperature": "0.0", "max_tokens": "512", "dspy": "3.1.0"},
    "judges": {},
    "dataset": "1" * 64,
    "metric": "d" * 64,
    "guardrails": {},
    "code": "2" * 64,
}
LOST = {
    "item": "9" * 64,
    "inputs": {"text": "Where is my invoice for October?"},
    "label": {"queue": "billing"},
    "baseline_output": {"queue": "billing"},
    "candidate_output": {"queue": "account"},
}


def tickets(wins=61, losses=23, ties=380, unresolved=3, scores=None):
    """Rows of a support desk: queues, wallets, sessions of one, confidences, measures."""
    kinds = [(0, PPM)] * wins + [(PPM, 0)] * losses + [(PPM, PPM)] * (ties * 3 // 4) + [(0, 0)] * (ties - ties * 3 // 4)
    made = [_ticket(index, *pair) for index, pair in enumerate(scores or kinds)]
    lost = {"candidate_ppm": None, "candidate_error": "timeout", "candidate_output": None}
    return made + [replace(_ticket(len(made) + index, PPM, None), **lost) for index in range(unresolved)]


def _ticket(index, old, new):
    at = (index * 7) % 23 % len(QUEUES)
    right, wrong = QUEUES[at], QUEUES[(at + 1) % len(QUEUES)]
    said = {
        side: {"queue": right if score == PPM else wrong, "sure": round(0.55 + (index * shift % 45) / 100, 2)}
        for side, score, shift in (("old", old, 13), ("new", new, 17))
    }
    spent = {"valid": PPM, "latency_ms": 600 + index * 37 % 900, "tokens": 180 + index % 40, "cost_micros": 95}
    return row(
        index,
        old,
        new,
        inputs={"text": f"{REQUESTS[at]} (ticket {index})"},
        label={"queue": right},
        label_source="expectation:HUMAN" if index % 9 else "expectation:CODE",
        baseline_output=said["old"],
        candidate_output=said["new"],
        contributor=WALLETS[index % len(WALLETS)],
        baseline_measures={**spent, "confidence": round(said["old"]["sure"] * PPM)},
        candidate_measures={
            **spent,
            "confidence": round(said["new"]["sure"] * PPM),
            "latency_ms": spent["latency_ms"] * 6 // 5,
            "cost_micros": 110,
        },
    )


ABOUT = {"about": about("exact match", DeltaOneSettings(confidence="sure"), RULES)}


def record_of(decision, **changes):
    """The record of a look, as the asset stores it."""
    public = public_view(decision)
    return {
        "reached": decision.reached,
        "code": public["code"],
        "sentence": public["sentence"],
        "baseline": "b" * 64,
        "candidate": "c" * 64,
        "public": public,
        "evidence": {"rows.jsonl": "5" * 64, "report.json": "6" * 64},
        "history": [*HISTORY[:-1], {**HISTORY[-1], "reached": decision.reached}],
        "labels": {"expectation:HUMAN": 412, "expectation:CODE": 52},
        "asked_with": ASKED_WITH,
        "regressions": {"asked": 120, "regressed": [LOST], "count": 1, "p_value": "1", "wins": 0, "losses": 1},
        **ABOUT,
        **changes,
    }


def story(items=None, rules=RULES, **changes):
    """``(record, decision, context)`` of a look at ``items``, ready for ``rendered``."""
    items, taken = tickets() if items is None else items, look(3)
    decision = decide(items, rules, taken)
    context = ReportContext("support.triage", "exact match", taken, items, None, "sure", rules)
    return record_of(decision, **changes), decision, context


def no_look(
    code="no_candidate", sentence="No candidate to compare: nothing beat the baseline on validation.", **changes
):
    """The record of a day without a look."""
    empty = {"baseline": "b" * 64, "candidate": None, "public": {}, "evidence": {}}
    return {
        "reached": False,
        "code": code,
        "sentence": sentence,
        **empty,
        "history": [],
        "labels": {},
        **ABOUT,
        **changes,
    }
