"""What the commands below ``telefine erase`` do: one contributor's words are looked for, and taken out."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from telefine_assets.cli.backup import interruptible, progress
from telefine_assets.cli.shared import note
from telefine_assets.errors import TelefineError

if TYPE_CHECKING:
    import pyarrow as pa

    from telefine_assets.attestation.snapshot import CheckedLog
    from telefine_assets.keeping.erasure_list import CameBack
    from telefine_assets.keeping.erasure_plan import Deployment, ErasurePlan
    from telefine_assets.keeping.places import Places
    from telefine_assets.keeping.proving import Proven
    from telefine_assets.keeping.words import Words
    from telefine_assets.ledger.connection import Ledger
    from telefine_assets.settings.schema import Settings

_AT_ONCE = 100


class Quoting(StrEnum):
    """What becomes of versions whose instructions quote a part of what somebody said."""

    ERASE = "erase"
    KEEP = "keep"


Instructions = Annotated[
    Quoting | None,
    typer.Option(help="Versions whose instructions quote a part of what was said: erase them, or keep them."),
]


@dataclass(frozen=True)
class Here:
    """A deployment, opened."""

    settings: Settings
    ledger: Ledger
    places: Places
    deployment: Deployment


@dataclass(frozen=True)
class Wish:
    """Whose words are to go, why, by whom, and what becomes of versions that quote a part of them."""

    wallet: str
    reason: str
    by: str
    quoting: Quoting | None


@contextmanager
def in_turn(here: Here, as_json: bool) -> Iterator[None]:
    """Nothing else copies or removes what the deployment keeps during the block."""
    from telefine_assets.keeping.backing_up import TURN
    from telefine_assets.ledger.turns import turn

    with interruptible("run it again to go on"), turn(here.ledger, TURN, 1, partial(note, as_json)):
        yield


def erase_again(here: Here, back: CameBack, quoting: Quoting | None, by: str, as_json: bool) -> list[dict[str, Any]]:
    """Erase whatever came back; returns the facts of each contributor's."""
    with in_turn(here, as_json):
        return [
            erase_one(here, Wish(who, reason, by, quoting), as_json, lambda: None) for who, reason in back.whose.items()
        ]


def erase_one(here: Here, wish: Wish, as_json: bool, confirm: Callable[[], None]) -> dict[str, Any]:
    """Erase what one contributor said; whoever calls holds the turn. Returns the facts.

    Raises:
        TelefineError: versions quote a part of it, and nobody has said what becomes of them; nothing was erased.
    """
    planned = find(here, wish)
    if not any(planned.names.values()) and not planned.artifacts and not planned.records:
        _settle(here, wish)
        note(as_json, f"nothing that {wish.wallet} said is kept")
        return planned.to_record() | {"erased": False, "left": [], "lost": []}
    note(as_json, "\n".join(lines_of(planned)))
    _require_decided(planned, wish)
    confirm()
    before = _proved(here)
    _carry_out(here, planned, wish)
    left = _left(here, planned)
    proved = _proved(here)
    lost = _lost(before, proved)
    note(as_json, f"erased; {'NOT every proof stands' if lost else 'every proof stands'}{_by_word(before, proved)}")
    return planned.to_record() | {"erased": True, "left": left, "lost": lost}


def find(here: Here, wish: Wish) -> ErasurePlan:
    """What would go."""
    from telefine_assets.keeping.erasure_plan import plan

    return plan(here.deployment, wish.wallet, progress(), wish.quoting is Quoting.ERASE)


def require_gone(done: Sequence[Mapping[str, Any]]) -> None:
    """Refuse to call erasures done of which words stand still, or after which less is proved.

    Raises:
        TelefineError: naming the places and the cure.
    """
    if lost := [each for facts in done for each in facts["lost"]]:
        raise TelefineError(f"erased, and what was proved is not proved any more: {'; '.join(lost)}")
    serving = [f"{program} serves {each[:12]}" for facts in done for each, program in facts["serving"].items()]
    left = [each for facts in done for each in facts["left"]]
    if serving or left:
        cures = ["let another version serve (telefine programs rollback), then run this again"] if serving else []
        cures += ["remove by hand what is named"] if left else []
        raise TelefineError(f"words stand still: {'; '.join([*serving, *left])}. What helps: {'; '.join(cures)}")


def require_counts(log: CheckedLog, address: str) -> None:
    """Refuse a signer by whose word no file may be missing.

    Raises:
        TelefineError: it is no good key of the log, or none of the attesters who are named.
    """
    from telefine_assets.attestation.log_writing import require_good

    require_good(log.state, address)
    if not log.policy.counts(address, log.state.size):
        raise TelefineError(
            f"signer {address} is none of signer.attesters: no verifier would believe that something was erased. Do it "
            "where one of them signs"
        )


def _require_decided(planned: ErasurePlan, wish: Wish) -> None:
    if planned.quoting and wish.quoting is None:
        named = "; ".join(_quoted(planned))
        raise TelefineError(
            f"nothing was erased: {named}. Read them (telefine programs show), then say --instructions erase to have "
            "these versions erased too, or --instructions keep if it is nobody's words"
        )


def _carry_out(here: Here, planned: ErasurePlan, wish: Wish) -> None:
    """Write down what is to go, where every machine and every later restore sees it; then remove it."""
    from telefine_assets.keeping.erasing import erase
    from telefine_assets.keeping.erasure_list import Last, remember, remembered
    from telefine_assets.ledger.erasures import Asked, Erasures

    now, files = datetime.now(UTC), here.deployment.files
    tell_log = _teller(here, wish.reason) if planned.attested - planned.serving.keys() else _nothing
    asking = Asked(wish.wallet, wish.reason, wish.by)
    Erasures(here.ledger).require_alone()
    remember(files, {wish.wallet: Last(int(now.timestamp() * 1000), wish.reason)})
    Erasures(here.ledger).record(asking, planned.names, now, remembered(files)[wish.wallet].at_ms)
    # The traces, from which the words are known, go last.
    _forget_runs(here, planned.theirs.words)
    erase(here.deployment, planned, tell_log, partial(_forget, here.settings))


def _settle(here: Here, wish: Wish) -> None:
    """Nothing is kept any more: ledger and list agree on that, and no database's file holds what was cut off."""
    from telefine_assets.keeping.erasure_list import Last, remember, remembered
    from telefine_assets.ledger.erasures import Asked, Erasures

    erasures, files = Erasures(here.ledger), here.deployment.files
    if last := remembered(files).get(wish.wallet):
        erasures.record(Asked(wish.wallet, last.reason, wish.by), {}, datetime.now(UTC), last.at_ms)
    if at_ms := erasures.last_ms().get(wish.wallet):
        remember(files, {wish.wallet: Last(at_ms, wish.reason)})
        erasures.remove_rows()
        erasures.compact()
        _compact_mlflow(here.settings)


def _nothing(_: Sequence[str]) -> None:
    """No attestation rests on what goes."""


def _teller(here: Here, reason: str) -> Callable[[Sequence[str]], None]:
    """What says in the log that files were erased, where no word that counts says so after all attestations.

    Raises:
        TelefineError: nobody would believe the signer; to be known before anything goes.
    """
    from telefine_assets.attestation.checks import excuses
    from telefine_assets.attestation.log_receipt import LEAF_KIND
    from telefine_assets.attestation.log_records import Erasure, Said
    from telefine_assets.attestation.log_writing import say
    from telefine_assets.attestation.replay import LogState
    from telefine_assets.cli.attest_shared import signer_of, trust_of

    trust, signer = trust_of(here.settings, here.ledger), signer_of(here.settings.signer)

    def missing(state: LogState, digests: Sequence[str]) -> list[Said]:
        policy = trust.log().policy
        last = max((line.position for line in state.lines if line.kind == LEAF_KIND), default=-1)
        new = [e for e in digests if not any(excuses(word, policy, last) for word in state.erased.get(e, ()))]
        return [Erasure(f"0x{each}", reason) for each in new]

    require_counts(trust.log(), signer.address)

    def tell(digests: Sequence[str]) -> None:
        say(trust.leaves, trust.origin, signer, partial(missing, digests=digests))

    return tell


def _proved(here: Here) -> Proven:
    from telefine_assets.cli.attest_shared import trust_of
    from telefine_assets.keeping.proving import prove

    return prove(here.ledger, trust_of(here.settings, here.ledger), here.deployment.files, progress())


def _lost(before: Proven, after: Proven) -> list[str]:
    """What is not proved any more, and what an erasure must not have taken."""
    from telefine_assets.keeping.proofs import lost_to_erasure

    fewer = [] if _counts(after) == _counts(before) else [_fewer(before, after)]
    return [*after.problems, *lost_to_erasure(before.erased, after.erased), *fewer]


def _by_word(before: Proven, after: Proven) -> str:
    """How many attestations could be decided again before, and stand by the log's word now."""
    number = len(after.erased.keys() - before.erased.keys())
    return f", {number} of the attestations by the log's word on what was erased of them" if number else ""


def _counts(proved: Proven) -> tuple[int, int]:
    return proved.attestations + proved.distrusted, proved.payouts


def _fewer(before: Proven, after: Proven) -> str:
    counts = (*_counts(before), *_counts(after))
    return "there were {} attestations and {} payouts, there are {} and {}".format(*counts)


def _forget(settings: Settings, program: str, ids: Collection[str]) -> None:
    """Remove traces from MLflow, and what its database file still holds of them."""
    from mlflow import MlflowClient

    client = MlflowClient(settings.mlflow.tracking_uri)
    experiment = client.get_experiment_by_name(settings.programs[program].experiment)
    some = list(ids)
    for start in range(0, len(some) if experiment else 0, _AT_ONCE):
        client.delete_traces(experiment.experiment_id, trace_ids=some[start : start + _AT_ONCE])
    _compact_mlflow(settings)


def _forget_runs(here: Here, words: Words) -> None:
    """Remove Dagster's runs whose events or logs quote the words: no proof rests on any."""
    from telefine_assets.control.instance import open_instance
    from telefine_assets.control.old_runs import DagsterRuns
    from telefine_assets.keeping.databases import write_anew
    from telefine_assets.keeping.erasing import quoting

    found = quoting(words, here.places.dagster_files(), cut=True)
    if not found:
        return
    with open_instance(here.settings) as instance:
        runs = DagsterRuns(instance)
        for file in found:
            # A run's events are in a file of its name, its logs in a folder of its name.
            for name in (file.stem, *(each.name for each in file.parents)):
                runs.remove(name)
    for file in found:
        if file.suffix == ".db" and file.exists():
            write_anew(file)
        else:
            file.unlink(missing_ok=True)


def _compact_mlflow(settings: Settings) -> None:
    from telefine_assets.keeping.databases import write_anew

    if settings.mlflow.tracking_uri.startswith("sqlite:///"):
        write_anew(Path(settings.mlflow.tracking_uri.removeprefix("sqlite:///")))


def opened(settings: Settings, proxied: str | None) -> Here:
    """Open what the settings name."""
    import os

    from telefine_assets.cli.attest_shared import ledger_of
    from telefine_assets.control.instance import dagster_home
    from telefine_assets.keeping.erasure_plan import Deployment, Program
    from telefine_assets.keeping.manifest import KeepingError
    from telefine_assets.keeping.places import Places
    from telefine_assets.store.files import Files

    uri = settings.mlflow.tracking_uri
    database = None if uri.startswith(("http://", "https://", "databricks")) else uri
    places = Places(
        settings.deployment, settings.ledger.url, settings.store.uri, database, dagster_home(settings), proxied,
        dict(os.environ),
    )  # fmt: skip
    try:
        places.dagster_files()
    except KeepingError as error:
        typer.echo(
            f"not looked at: {str(error).split(':')[0]}: remove runs that quote the words there yourself", err=True
        )
        places = replace(places, dagster=None)
    programs = {
        name: Program(each.cleaning.contributor_tag, each.cleaning.submission_tag, partial(_read, settings, name))
        for name, each in settings.programs.items()
    }
    folders = tuple(Files(each) for each in places.artifacts().values())
    ledger = ledger_of(settings)
    return Here(settings, ledger, places, Deployment(ledger, places.files, programs, folders))


def _read(settings: Settings, name: str) -> Iterator[pa.RecordBatch]:
    """All traces of a program that MLflow has, with their inner spans; none where files are read instead."""
    from telefine_assets.programs.spec import load_spec
    from telefine_assets.traces.sources.opening import open_source
    from telefine_assets.traces.sources.protocol import TraceQuery

    program = settings.programs[name]
    if program.traces.files is None:
        fields = load_spec(name, program).fields
        query = TraceQuery(
            program.experiment, 0, time.time_ns() // 1_000_000 + 86_400_000, tuple(fields.inputs),
            from_runs="keep", spans="all",
        )  # fmt: skip
        yield from open_source(settings.mlflow.trace_source, settings.mlflow.tracking_uri).read(query)


def _left(here: Here, planned: ErasurePlan) -> list[str]:
    from telefine_assets.keeping.databases import file_of
    from telefine_assets.keeping.erasing import standing_still

    places = here.places
    databases = [file for url in places.databases().values() if (file := file_of(url))]
    logs = [file.with_name(f"{file.name}-wal") for file in databases]
    return standing_still(here.deployment, planned, [*databases, *logs], places.dagster_files())


def wallet_of(address: str) -> str:
    """The wallet that somebody typed, EIP-55.

    Raises:
        TelefineError: it is none.
    """
    from telefine_assets.attribution.addresses import resolve_contributor

    found = resolve_contributor(address)
    if found.address is None:
        raise TelefineError(f"{address!r} is no wallet ({found.reason}): give 0x and 40 hexadecimal digits")
    return found.address


def lines_of(planned: ErasurePlan) -> list[str]:
    """What would go, and what cannot, for people."""
    facts = planned.to_record()
    counted = ", ".join(f"{facts[name]} {name.replace('_', ' ')}" for name in ("traces", "spooled", "answers"))
    return [
        f"{planned.contributor}: {counted}; {len(facts['evidence'])} files of evidence, "
        f"{facts['mlflow_files']} of MLflow, {len(facts['records'])} records",
        f"  days: {', '.join(facts['days']) or 'none'}",
        *(f"  attestations rest on {each[:12]}: the log will say that it was erased" for each in facts["attested"]),
        *(f"  version {each[:12]} served, and could not serve again" for each in facts["served"]),
        *(
            f"  {program} serves {each[:12]}: it stays until another one does"
            for each, program in facts["serving"].items()
        ),
        *(f"  {each}" for each in _quoted(planned)),
    ]


def _quoted(planned: ErasurePlan) -> list[str]:
    return [
        f"the instructions of version {version[:12]} of {each.program}{', which serves,' if each.serves else ''} quote "
        "a part of it"
        for version, each in sorted(planned.quoting.items())
    ]
