"""The evidence files of an attestation: their names, and what they prove together.

================== ==========================================================
``candidate.json``   program document of the candidate; its SHA-256 is the version
``baseline.json``    the same of the baseline
``demos.json``       the candidate's demos, each with its trace
``trainset.jsonl``   the train and validation items, and those that a demo was
                     inherited from and that have left the window, one a line
``rows.jsonl``       per-item results of the holdout, one a line
``report.json``      decision, rules and look
``looks.json``       the holdout's looks so far, from the ledger
``attribution.json`` the facts from which the weights follow
================== ==========================================================
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from telefine_assets.attestation.claim import Decision as StatedDecision
from telefine_assets.attestation.failures import FailureCode, VerificationFailed
from telefine_assets.attestation.log import MerkleLog, leaf_hash
from telefine_assets.attestation.statement import decision_record
from telefine_assets.attribution.facts import FACTS_FILE, read_facts
from telefine_assets.attribution.records import RecordError, load_json
from telefine_assets.canonical import canonical_json, digest_of, sha256_hex
from telefine_assets.deltaone.decision import decide, decided
from telefine_assets.deltaone.records import Decision, Look, PairedItem, Rules
from telefine_assets.errors import TelefineError
from telefine_assets.programs.values import demo_digest
from telefine_assets.traces.clusters import cluster_of

CANDIDATE, BASELINE = "candidate.json", "baseline.json"
DEMOS, TRAINSET = "demos.json", "trainset.jsonl"
ROWS, REPORT, LOOKS = "rows.jsonl", "report.json", "looks.json"
NAMES = (FACTS_FILE, BASELINE, CANDIDATE, DEMOS, LOOKS, REPORT, ROWS, TRAINSET)


class EvidenceContradiction(TelefineError):
    """Two evidence files say different things."""


def stated(decision: Decision) -> StatedDecision:
    """The part of a decision that an attestation states.

    Raises:
        EvidenceContradiction: when the decision has no estimate to state.
    """
    if decision.delta_ppm is None or decision.lower_ppm is None:
        raise EvidenceContradiction(f"{REPORT}: the decision ({decision.code}) has no estimate")
    return StatedDecision(
        delta_ppm=decision.delta_ppm,
        lower_ppm=decision.lower_ppm,
        p=decision.p_value,
        alpha=decision.alpha_k,
        look=decision.k,
        n=decision.n,
        wins=decision.wins,
        losses=decision.losses,
        unresolved=decision.unresolved,
        # Reached at the margin, an interval may still touch zero: then there is no grade.
        grade=decision.grade or "reached",
        method=decision.method,
    )


def recheck_look(evidence: Mapping[str, bytes]) -> dict[str, Any]:
    """Decide again from the per-item results, and derive all else that the statement says.

    Nothing in it trusts a number that can be computed from another file. What an
    attestation that was issued again says of the one before: see ``reissued.recheck``.

    Raises:
        EvidenceContradiction: when files contradict each other or the decision is not reached.
        VerificationFailed: ``evidence_malformed``, for a file that is none of its kind.
    """
    with malformed_refused():
        return _recheck(evidence)


@contextmanager
def malformed_refused() -> Iterator[None]:
    """Refuse whatever breaks in the block over a file that is none of its kind.

    Raises:
        VerificationFailed: ``evidence_malformed``.
    """
    try:
        yield
    except (RecordError, KeyError, IndexError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        said = f"{type(error).__name__}: {error}"[:300]
        raise VerificationFailed(FailureCode.EVIDENCE_MALFORMED, f"a file is not of its form ({said})") from None


def _recheck(files: Mapping[str, bytes]) -> dict[str, Any]:
    for name in NAMES:
        if name not in files:
            raise EvidenceContradiction(f"{name}: not among the evidence")
    rows, rules, look = read_comparison(files)
    decision = decide(rows, rules, look)
    require_same(REPORT, "decision", decided(decision.to_record()), decided(json_of(files, REPORT)["decision"]))
    if not decision.reached:
        raise EvidenceContradiction(f"{ROWS}: the results do not reach DeltaOne ({decision.code})")
    candidate = json_of(files, CANDIDATE)
    last = _check_look(files, look, rules)
    _check_rows(files, rows, look)
    check_demos(files, candidate)
    _check_trials(files)
    require_same(REPORT, "asked_with.metric", json_of(files, REPORT)["asked_with"]["metric"], look.metric_digest)
    for name in ("lm", "code"):
        require_same(REPORT, f"asked_with.{name}", json_of(files, REPORT)["asked_with"][name], candidate[name])
    for name in (CANDIDATE, BASELINE):
        require_same(name, "program", last["program"], json_of(files, name)["program"])
    return {
        "program": last["program"],
        "partition": last["day"],
        "candidateVersion": sha256_hex(files[CANDIDATE]),
        "baselineVersion": sha256_hex(files[BASELINE]),
        "metric": {"name": json_of(files, REPORT)["metric_name"], "digest": look.metric_digest},
        "decision": decision_record(stated(decision)),
        "holdout": {"digest": _items_digest(rows), "n": len(rows)},
        "lm": {"name": candidate["lm"]["model"], "digest": digest_of(candidate["lm"])},
        "looksDigest": sha256_hex(files[LOOKS]),
        "tracesetRoot": traceset_root(files[TRAINSET]),
    }


def read_comparison(files: Mapping[str, bytes]) -> tuple[list[PairedItem], Rules, Look]:
    """Rows, rules and look as they were stored."""
    report = json_of(files, REPORT)
    rows = [PairedItem.from_record(row) for row in lines_of(files, ROWS)]
    return rows, Rules.from_record(report["rules"]), Look.from_record(report["look"])


def traceset_root(trainset: bytes) -> str:
    """RFC 6962 root over the lines of ``trainset.jsonl``: any trace's inclusion can be proved."""
    return MerkleLog(leaf_hash(line) for line in trainset.splitlines()).root().hex()


def _check_look(files: Mapping[str, bytes], look: Look, rules: Rules) -> dict[str, Any]:
    """The look is the last of the ledger's extract, and counted right; returns that look."""
    looks = json_of(files, LOOKS)
    require_same(LOOKS, "number of looks", look.number, len(looks))
    require_same(LOOKS, "k", [row["k"] for row in looks], list(range(1, look.number + 1)))
    last = looks[-1]
    require_same(LOOKS, "baseline", last["baseline"], sha256_hex(files[BASELINE]))
    require_same(LOOKS, "candidate", last["candidate"], sha256_hex(files[CANDIDATE]))
    require_same(LOOKS, "metric", last["metric"], look.metric_digest)
    require_same(LOOKS, "item_list", last["item_list"], look.holdout_digest)
    require_same(LOOKS, "alpha", last["alpha"], rules.alpha)
    require_same(REPORT, "look.baseline_version", look.baseline_version, last["baseline"])
    require_same(REPORT, "look.candidate_version", look.candidate_version, last["candidate"])
    return dict(last)


def _check_rows(files: Mapping[str, bytes], rows: Sequence[PairedItem], look: Look) -> None:
    """The rows are all items of the look and no others, and none of them was learnt from."""
    require_same(ROWS, "items", _items_digest(rows), look.holdout_digest)
    learnt = {line["cluster"] for line in lines_of(files, TRAINSET)}
    if learnt & {row.item for row in rows}:
        raise EvidenceContradiction(f"{ROWS}: has an item that is in {TRAINSET}")


def check_demos(files: Mapping[str, bytes], candidate: Mapping[str, Any]) -> None:
    """The demos with a trace are those of the program, and what the weights rest on.

    Raises:
        EvidenceContradiction: naming the file and what is wrong in it.
    """
    demos = json_of(files, DEMOS)
    shown = {
        (predictor, at): demo for predictor, part in candidate["state"].items() for at, demo in enumerate(part["demos"])
    }
    listed = sorted([demo["predictor"], demo["position"], demo["digest"]] for demo in demos)
    require_same(DEMOS, "demos", listed, sorted([*key, demo_digest(demo)] for key, demo in shown.items()))
    facts = read_facts(files[FACTS_FILE])
    weighed = {(demo.trace_id, demo.cluster, demo.quality_ppm) for demo in facts.demos}
    require_same(
        FACTS_FILE, "demos", weighed, {(demo["trace_id"], demo["cluster"], demo["quality_ppm"]) for demo in demos}
    )
    require_same(FACTS_FILE, "program", candidate["program"], facts.scope.program)
    arrived = {arrival.trace_id: (arrival.contributor, arrival.content) for arrival in facts.arrivals}
    lines = lines_of(files, TRAINSET)
    trained = {line["trace_id"]: line for line in lines if line["side"] != "validation"}
    contents = {line["content"] for line in lines}
    for demo in demos:
        trace_id = demo["trace_id"]
        if trace_id not in trained:
            raise EvidenceContradiction(f"{DEMOS}: trace {trace_id} is not in the trainset")
        for name in ("cluster", "content", "trace_digest", "contributor"):
            require_same(TRAINSET, f"{name} of {trace_id}", demo[name], trained[trace_id][name])
        said = (demo["contributor"], demo["content"])
        require_same(FACTS_FILE, f"contributor and content of {trace_id}", said, arrived.get(trace_id))
        _check_source(demo, shown[demo["predictor"], demo["position"]], candidate, contents)


def _check_source(
    demo: Mapping[str, Any], shown: Mapping[str, Any], candidate: Mapping[str, Any], contents: Container[str]
) -> None:
    """A demo that shows the very inputs of one trace is not said to come from another.

    What an inner predictor shows, and inputs of other types than were logged, are
    no trace's own inputs: then only the compile's record says where they are from.
    """
    inputs = [field["name"] for field in candidate["signatures"][demo["predictor"]]["inputs"]]
    content = cluster_of({name: shown.get(name) for name in inputs})
    if content != demo["content"] and content in contents:
        require_same(DEMOS, f"content of {demo['trace_id']}", content, demo["content"])


def _check_trials(files: Mapping[str, bytes]) -> None:
    """What demos are worth was tried on validation items, never on the holdout."""
    trials = read_facts(files[FACTS_FILE]).trials
    if trials is None:
        return
    lines = lines_of(files, TRAINSET)
    validation = {(line["cluster"], line["group"]) for line in lines if line["side"] == "validation"}
    if not validation.issuperset(trials.items):
        raise EvidenceContradiction(f"{FACTS_FILE}: trials have an item that is no validation item of {TRAINSET}")


def _items_digest(rows: Iterable[PairedItem]) -> str:
    return sha256_hex(canonical_json(sorted(row.item for row in rows)))


def json_of(files: Mapping[str, bytes], name: str) -> Any:
    """A file's JSON value, read strictly."""
    return load_json(files[name], name)


def lines_of(files: Mapping[str, bytes], name: str) -> list[Any]:
    """A file's JSON values, one a line."""
    return [load_json(line, name) for line in files[name].splitlines()]


def require_same(name: str, field: str, expected: object, found: object) -> None:
    """Refuse a file in which something is not what the others say.

    Raises:
        EvidenceContradiction: naming the file and the field.
    """
    if expected != found:
        raise EvidenceContradiction(f"{name}: {field} is {found!r}, the other files say {expected!r}")
