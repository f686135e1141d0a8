"""Traces that are handed in: checked, taken into the spool for good, and written to MLflow soon after.

What is answered is on disk. The answer is 202, since MLflow has the traces only
when the spool is drained (``telefine spool``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import orjson
from fastapi import APIRouter, Header, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from telefine_assets.api.answers import parsed, raw_body
from telefine_assets.api.deployment import Deployment
from telefine_assets.api.parameters import Here, Program
from telefine_assets.api.problems import Problem, documented
from telefine_assets.api.security import Caller, requires
from telefine_assets.attribution.submissions import Refusal, Scope, SubmissionRefused
from telefine_assets.canonical import sha256_hex
from telefine_assets.ledger.spool import KeyReused, Spool
from telefine_assets.ledger.spool_records import Delivery, Offer, Outcome, Verdict
from telefine_assets.traces.spooling import trace_id_of
from telefine_assets.traces.submitted import (
    MAX_AHEAD_MS,
    MAX_BEHIND_MS,
    MAX_CHARACTERS,
    SubmittedTrace,
    identity_of,
)

if TYPE_CHECKING:
    from telefine_assets.ledger.records import SubmissionEntry

MAX_TRACES = 10_000
MAX_SIGNED = 100
"""Signed traces in one batch: to check a signature takes some milliseconds."""

router = APIRouter(prefix="/v1/programs/{program}", tags=["traces"])
Submitter = Annotated[Caller, requires("submit")]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern="^[!-~]{1,255}$",
        description="The same key with the same batch gets the same answer, however often. Without a key, "
        "what was taken in before is answered `duplicate`.",
        examples=["2026-11-02-tickets-0017"],
    ),
]


class TraceBatch(BaseModel):
    """Traces of one program, in the order in which they are to be taken in."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    traces: Annotated[list[SubmittedTrace], Field(min_length=1, max_length=MAX_TRACES)]


class TraceResult(BaseModel):
    """What became of one trace."""

    trace_id: str = Field(description="The trace's id in MLflow, once it is there.", examples=["tr-" + "5e" * 16])
    outcome: Outcome = Field(description="Whether it was taken in; a `duplicate` was before.")
    reason: str | None = Field(description="Why it was not.")
    place: int | None = Field(description="The place of its signed submission in the log of arrivals.")


class Accepted(BaseModel):
    """What became of a batch; on disk when it is answered."""

    accepted: int = Field(description="How many were taken in with this batch.")
    results: list[TraceResult] = Field(description="One for each trace, in the batch's order.")


@dataclass(frozen=True)
class Target:
    """What traces are handed in for.

    Attributes:
        scope: deployment and program, as contributors sign for them.
        inputs: the program's input fields.
        may_be_null: expectations that may say null.
        tags: tags that have fields of their own in a submission.
    """

    scope: Scope
    inputs: tuple[str, ...]
    may_be_null: frozenset[str]
    tags: frozenset[str]


def accept_traces(
    spool: Spool, target: Target, traces: Sequence[SubmittedTrace], submitter: str, key: str | None, received_ms: int
) -> list[Verdict]:
    """Take traces into the spool.

    Args:
        spool: the ledger's spool.
        target: what they are for.
        traces: the batch.
        submitter: who hands them in: the API key's id.
        key: the idempotency key; without one, only the traces themselves are known again.
        received_ms: now, milliseconds since 1970 UTC.

    Returns:
        What became of each trace, in the batch's order. When it returns, all of it is on disk.

    Raises:
        KeyReused: the idempotency key was used for another batch.
    """
    digests = [trace.digest() for trace in traces]
    whole = sha256_hex("\n".join([target.scope.program, *digests]).encode())
    before = None if key is None else spool.answered(submitter, key, whole)
    if before is not None:
        return before
    offers = [
        _offer(trace, digest, target, submitter, received_ms) for trace, digest in zip(traces, digests, strict=True)
    ]
    return spool.accept(Delivery(target.scope.program, submitter, key, whole, offers), received_ms)


def _offer(trace: SubmittedTrace, digest: str, target: Target, submitter: str, received_ms: int) -> Offer:
    """A trace as the spool takes it, or with the reason for which it does not."""
    offer = Offer(identity_of(trace, digest, target.scope.program, submitter), digest, trace.body())
    problem = _problem(trace, offer, target, received_ms)
    if problem is not None:
        return replace(offer, refused=problem)
    try:
        return replace(offer, submission=_signed(trace, target, received_ms))
    except SubmissionRefused as refusal:
        return replace(offer, refused=str(refusal))


def _problem(trace: SubmittedTrace, offer: Offer, target: Target, received_ms: int) -> str | None:
    if len(offer.body) > MAX_CHARACTERS:
        return f"too_large: {len(offer.body)} characters as JSON; {MAX_CHARACTERS} are taken. Log it to MLflow itself."
    missing = [name for name in target.inputs if name not in trace.inputs]
    if missing:
        return f"missing_inputs: {', '.join(missing)}. The program has the inputs {', '.join(target.inputs)}."
    null = [name for name, value in trace.expectations.items() if value is None and name not in target.may_be_null]
    if null:
        return (
            f"null_expectation: {', '.join(null)}. Leave out what nobody expects; null is taken where "
            "cleaning.expectations has the name for an output that may be none and takes no text, such as date | None."
        )
    reserved = target.tags & trace.tags.keys()
    if reserved:
        return f"reserved_tag: {', '.join(sorted(reserved))}. Use the fields contributor and submission."
    began = received_ms if trace.time_ms is None else trace.time_ms
    if not received_ms - MAX_BEHIND_MS <= began <= received_ms + MAX_AHEAD_MS:
        return (
            f"wrong_time: time_ms {began}, received {received_ms}. Hand it in within 7 days, by a clock that is right."
        )
    return None


def _signed(trace: SubmittedTrace, target: Target, received_ms: int) -> SubmissionEntry | None:
    """The trace's signed submission, checked; None without one.

    Raises:
        SubmissionRefused: it does not hold.
    """
    from telefine_assets.attribution.receiving import checked, entry_of

    if trace.submission is None:
        return None
    signed = checked(target.scope, {name: trace.inputs[name] for name in target.inputs}, trace.submission, received_ms)
    if signed.submission.contributor != trace.contributor:
        raise SubmissionRefused(
            Refusal.WRONG_CONTRIBUTOR,
            f"{signed.submission.contributor} signed, the trace names {trace.contributor or 'no wallet'}",
        )
    return entry_of(signed, target.scope)


def _inlined(schema: Any, known: dict[str, Any]) -> Any:
    """A JSON schema without references, so that it can stand anywhere in the document."""
    if isinstance(schema, list):
        return [_inlined(each, known) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(known[schema["$ref"].rpartition("/")[2]], known)
    return {name: _inlined(each, known) for name, each in schema.items() if name != "$defs"}


_EXAMPLE = {
    "traces": [
        {
            "id": "call-4711",
            "inputs": {"ticket": "My parcel is two days late."},
            "outputs": {"team": "shipping"},
            "expectations": {"right_team": "shipping"},
            "feedback": [{"name": "resolved", "value": True, "by": "ann"}],
            "contributor": "0x52908400098527886E0F7030069857D2E4169EE7",
            "session": "chat-17",
            "tags": {"channel": "mail"},
        }
    ]
}


def _documented_body() -> dict[str, Any]:
    schema = TraceBatch.model_json_schema()
    content = {"schema": _inlined(schema, schema.get("$defs", {})), "example": _EXAMPLE}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


@router.post(
    "/traces",
    status_code=202,
    response_model=Accepted,
    responses=documented(400, 409, 413, 415, 422, 503),
    openapi_extra=_documented_body(),
)
async def submit_traces(
    request: Request, caller: Submitter, here: Here, program: Program, idempotency_key: Key = None
) -> Response:
    """Hand traces in, one or up to 10,000.

    They are on disk when this is answered, and in MLflow soon after. None is
    doubled: not by the same batch sent again, and not by the same trace in another one.
    """
    body = await raw_body(request)
    return await run_in_threadpool(_submitted, here, caller, program, body, idempotency_key)


def _submitted(here: Deployment, caller: Caller, program: str, body: bytes, key: str | None) -> Response:
    traces = parsed(body, TraceBatch).traces
    if sum(trace.submission is not None for trace in traces) > MAX_SIGNED:
        raise Problem(422, "too_many_signed", f"a batch may have {MAX_SIGNED} signed traces; divide it")
    received_ms = int(here.clock().timestamp() * 1000)
    submitter = caller.key.key_id if caller.key else ""
    try:
        verdicts = accept_traces(Spool(here.ledger), _target(here, program), traces, submitter, key, received_ms)
    except KeyReused as error:
        raise Problem(409, "key_reused", str(error)) from None
    return Response(orjson.dumps(_answer(verdicts)), 202, media_type="application/json")


def _answer(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    results = [
        {"trace_id": trace_id_of(each.identity), "outcome": each.outcome, "reason": each.reason, "place": each.place}
        for each in verdicts
    ]
    return {"accepted": sum(each.outcome is Outcome.ACCEPTED for each in verdicts), "results": results}


def _target(here: Deployment, program: str) -> Target:
    own = here.settings.program(program)
    tags = frozenset((own.cleaning.contributor_tag, own.cleaning.submission_tag))
    return Target(
        Scope(here.settings.deployment, program),
        *here.kept.get(("inputs", program), "code", lambda: _read_off(here, program)),
        tags,
    )


def _read_off(here: Deployment, program: str) -> tuple[tuple[str, ...], frozenset[str]]:
    """The program's input fields, and the expectations that may say null."""
    from telefine_assets.programs.spec import load_spec
    from telefine_assets.traces.cleaning.labels import takes_null

    own = here.settings.program(program)
    spec = load_spec(program, own)
    return spec.fields.inputs, takes_null(own.cleaning, spec.types)
