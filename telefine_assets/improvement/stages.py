"""Stages whose records a report of improvement rests on."""

CLEANED, COMPARED = "cleaned_traces", "deltaone_reports"
READS = (
    CLEANED,
    "compiled_programs",
    COMPARED,
    "contributor_weights",
    "attestations",
    "champions",
    "contributor_payouts",
)
