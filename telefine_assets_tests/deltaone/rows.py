"""Rows for the tests of DeltaOne."""

from telefine_assets.deltaone.records import PPM, Look, PairedItem, Rules

LOOSE = Rules(min_items=1, min_power_ppm=0)
"""The rule alone: no refusal for size."""


def look(number=1, **changes):
    return Look(
        **{
            "number": number,
            "holdout_digest": "a" * 64,
            "baseline_version": "b" * 64,
            "candidate_version": "c" * 64,
            "metric_digest": "d" * 64,
            **changes,
        }
    )


def row(index, baseline, candidate, **changes):
    item = f"{index:064x}"
    return PairedItem(
        **{
            "item": item,
            "trace_id": f"tr-{index}",
            "group": item,
            "inputs": {"text": f"question {index}"},
            "label": {"answer": "yes"},
            "label_source": "expectation:e1",
            "baseline_output": {"answer": "old"},
            "candidate_output": {"answer": "new"},
            "baseline_ppm": baseline,
            "candidate_ppm": candidate,
            **changes,
        }
    )


def rows(wins, losses, ties, **changes):
    scores = [(0, PPM)] * wins + [(PPM, 0)] * losses + [(PPM, PPM)] * ties
    return [row(index, old, new, **changes) for index, (old, new) in enumerate(scores)]
