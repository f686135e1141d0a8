"""What came of a day, in one line."""

import pytest

from telefine_assets.control.outcome import outcome_of

UID = "0x" + "97" * 32
CLEANED = {"traces_in": 55, "kept": 37}
COMPILED = {"outcome": "candidate", "reason": "labeled_few_shot won on validation"}
TOO_FEW = {"outcome": "too_few_items", "reason": "16 of 20 validation items so far"}
REACHED = {"reached": True, "code": "reached", "sentence": "It is better.", "public": {"delta_ppm": 653_846}}
NO_CANDIDATE = {
    "reached": False,
    "code": "no_candidate",
    "sentence": "No candidate to compare: 16 of 20 validation items so far.",
    "public": {},
}
NOT_REACHED = {
    "reached": False,
    "code": "not_reached",
    "sentence": "DeltaOne is not reached: 340 resolved pairs at look 1 did not show a gain of 1.00 pp. Choose another.",
    "public": {"n": 340, "delta_ppm": 7_500, "candidate_ppm": 812_345},
}
ATTESTED = {"outcome": "attested", "uid": UID, "reason": "It is better."}
UNATTESTED = {"outcome": "not_reached", "uid": None, "reason": "No candidate."}
PLANNED = {"outcome": "planned", "reason": f"attestation {UID}"}
UNPAID = {"outcome": "nothing_to_pay", "reason": "nothing is paid: rolled back"}


@pytest.mark.parametrize(
    ("rows", "records", "said"),
    [
        (
            *(55, {"cleaned_traces": CLEANED, "compiled_programs": COMPILED, "deltaone_reports": REACHED}),
            "55 traces, 37 kept; DeltaOne +65.38 pp",
        ),
        (
            *(None, {"deltaone_reports": REACHED, "attestations": ATTESTED, "contributor_payouts": PLANNED}),
            f"DeltaOne +65.38 pp; attested {UID}; payout planned",
        ),
        (
            *(None, {"attestations": ATTESTED, "contributor_payouts": UNPAID}),
            f"attested {UID}; nothing is paid: rolled back",
        ),
        (
            None,
            {"attestations": ATTESTED | {"outcome": "awaiting_signatures"}},
            f"attestation {UID}: awaiting signatures",
        ),
        (
            0,
            {
                "cleaned_traces": {"traces_in": 0, "kept": 0},
                "compiled_programs": TOO_FEW,
                "deltaone_reports": NO_CANDIDATE,
                "attestations": UNATTESTED,
                "contributor_payouts": UNPAID,
            },
            "0 traces; no candidate: 16 of 20 validation items so far; nothing attested",
        ),
        (None, {"cleaned_traces": CLEANED}, "55 traces, 37 kept"),
        (1, {}, "1 trace"),
        (None, {"compiled_programs": TOO_FEW}, "no candidate: 16 of 20 validation items so far"),
        (None, {"compiled_programs": COMPILED}, "a candidate: labeled_few_shot won on validation"),
        (None, {}, ""),
    ],
)
def test_a_day_is_told_of_as_far_as_its_stages_say(rows, records, said):
    found = outcome_of("2026-11-22", rows, records)
    assert found.sentence == said
    assert found.to_record()["day"] == "2026-11-22"


def test_a_failed_look_tells_what_the_public_report_does_and_no_score():
    found = outcome_of("2026-11-22", None, {"deltaone_reports": NOT_REACHED})
    assert found.sentence == (
        "not_reached: DeltaOne is not reached: 340 resolved pairs at look 1 did not show a gain of 1.00 pp"
    )
    assert found.delta_ppm is None
    assert not {7_500, 812_345} & {*found.to_record().values()}
