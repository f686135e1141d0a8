"""``attestations``: the signed statement, or the record that says why there is none."""

import dagster as dg

from telefine_assets.assets import metadata
from telefine_assets.assets.line import Line
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
    def attestations(
        context: dg.AssetExecutionContext,
        store: StoreResource,
        ledger: LedgerResource,
        signer: SignerResource,
        tracking: MlflowResource,
    ) -> dg.MaterializeResult:
        from telefine_assets.attestation.attesting import Attester, attest_records
        from telefine_assets.attribution.arrivals import Register
        from telefine_assets.attribution.submissions import Scope
        from telefine_assets.attribution.weighing import check_facts
        from telefine_assets.ledger.looks import Looks
        from telefine_assets.ledger.submissions import Submissions

        day = context.partition_key
        records = {
            stage: store.records.read(line.name, stage, day)
            for stage in ("compiled_programs", "deltaone_reports", "contributor_weights")
        }
        with tracking.run(line.name, STAGE, day, context.run_id) as run:
            evidence = store.evidence
            trust, looks = signer.trust(ledger.open()), Looks(ledger.open())
            attribution = line.settings.attribution
            scope, submitted = Scope(line.deployment, line.name), Submissions(ledger.open()).of_traces
            register = Register(scope, submitted, attribution.unsigned)
            attester = Attester(
                trust,
                signer.signer,
                looks.extract,
                lambda facts: check_facts(facts, register, attribution),
                evidence.put,
                evidence.find,
            )
            before = store.records.find(line.name, STAGE, day)
            record = attest_records(attester, line.name, day, records, before)
            digest = store.records.write(line.name, STAGE, day, record)
            run.facts({"outcome": record["outcome"], "uid": record["uid"]})
            if record["uid"]:
                run.log_attestation(line.name, record, evidence.get(record["bundle"]))
        return dg.MaterializeResult(
            data_version=dg.DataVersion(digest),
            metadata={
                "outcome": record["outcome"],
                "why": record["reason"],
                "attestation": metadata.table_of(["what", "value"], record.items()),
                "verify": dg.MetadataValue.md(f"`telefine attest export {day} DIR`, then `telefine attest verify DIR`"),
                "mlflow_run": metadata.link(run.url, run.run_id),
            },
        )

    return attestations
