"""The claim: evaluation, statistics, decision, report."""
