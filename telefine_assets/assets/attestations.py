"""``attestations``: the signed statement, or the record that says why there is none."""

import dagster as dg

from telefine_assets.assets import metadata
from telefine_assets.assets.line import Line
from telefine_assets.assets.observed import observed
from telefine_assets.resources.mlflow_runs import MlflowResource
from telefine_assets.resources.signing import SignerResource
from telefine_assets.resources.storage import LedgerResource, StoreResource

STAGE = "attestations"


def build(line: Line) -> dg.AssetsDefinition:
    """The asset for one program."""

    @dg.asset(
        **line.look(STAGE, {"ethereum"}, "1"),
        deps=[line.same_day("deltaone_reports"), line.same_day("contributor_weights")],
        description="An EAS off-chain attestation over the stored evidence, decided again from it before signing, "
        "logged in a transparency log, and verified as a stranger would.",
    )
    @observed(line, STAGE)
    def attestations(
        context: dg.AssetExecutionContext,
        store: StoreResource,
        ledger: LedgerResource,
        signer: SignerResource,
        tracking: MlflowResource,
    ) -> dg.MaterializeResult:
        from datetime import UTC, datetime

        from telefine_assets.attestation import reissuing
        from telefine_assets.attestation.attesting import Attester, attest_records
        from telefine_assets.attestation.standing import LogNow, standing_of_day
        from telefine_assets.attestation.standing_shown import told_of
        from telefine_assets.attribution.arrivals import Register
        from telefine_assets.attribution.submissions import Scope
        from telefine_assets.attribution.weighing import check_facts
        from telefine_assets.ledger.attested import AttestedDays, turn_of
        from telefine_assets.ledger.looks import Looks
        from telefine_assets.ledger.submissions import Submissions
        from telefine_assets.ledger.turns import turn

        day, books = context.partition_key, ledger.open()
        records = {
            stage: store.records.read(line.name, stage, day)
            for stage in ("compiled_programs", "deltaone_reports", "contributor_weights")
        }
        # Nobody prepares anything else of the day between what is read here and the record of what was signed.
        in_turn = turn(books, turn_of(line.name), 1, context.log.info)
        with tracking.run(line.name, STAGE, day, context.run_id) as run, in_turn:
            evidence, attribution = store.evidence, line.settings.attribution
            scope, submitted = Scope(line.deployment, line.name), Submissions(books).of_traces
            register = Register(scope, submitted, attribution.unsigned)
            before = store.records.find(line.name, STAGE, day)
            reissue = store.records.find(line.name, reissuing.STAGE, day)
            attester = Attester(
                signer.trust(books),
                AttestedDays(books, lambda: datetime.now(UTC)),
                signer.signer,
                Looks(books).extract,
                lambda facts: check_facts(facts, register, attribution, again=reissue is not None),
                evidence.put,
                evidence.find,
            )
            record = attest_records(attester, line.name, day, records, before, reissue)
            digest = store.records.write(line.name, STAGE, day, record)
            standing = standing_of_day(
                store.records, line.name, day, LogNow.of(signer.trust(books), books), evidence.get
            )
            run.facts({"outcome": record["outcome"], "uid": record["uid"]})
            if record["uid"]:
                run.log_attestation(line.name, record, evidence.get(record["bundle"]))
        return dg.MaterializeResult(
            data_version=dg.DataVersion(digest),
            metadata={
                "outcome": record["outcome"],
                "why": record["reason"],
                "standing": dg.MetadataValue.json(told_of(standing)),
                "attestation": metadata.table_of(["what", "value"], record.items()),
                "verify": dg.MetadataValue.md(f"`telefine attest export {day} DIR`, then `telefine attest verify DIR`"),
                "mlflow_run": metadata.link(run.url, run.run_id),
            },
        )

    return attestations
