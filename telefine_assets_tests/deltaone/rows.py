"""Rows for the tests of DeltaOne."""

from dataclasses import replace

from telefine_assets.deltaone.records import PPM, Look, PairedItem, Rules

LOOSE = Rules(min_items=1, min_power_ppm=0)
"""The rule alone: no refusal for size."""
LOWER = replace(LOOSE, direction="lower")


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


def measuring(items, baseline=None, candidate=None, /, **both):
    """The rows with these measures on either side; the candidate's are the baseline's where they are not given."""
    old = both if baseline is None else baseline
    new = old if candidate is None else candidate
    return [replace(each, baseline_measures=old, candidate_measures=new) for each in items]


def swapped(items):
    """Baseline and candidate have changed places."""
    return [
        replace(
            r,
            baseline_ppm=r.candidate_ppm,
            candidate_ppm=r.baseline_ppm,
            baseline_error=r.candidate_error,
            candidate_error=r.baseline_error,
        )
        for r in items
    ]
