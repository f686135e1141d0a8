"""``champions``: which version serves after this day."""

import dagster as dg

from telefine_assets.assets.line import Line
from telefine_assets.assets.observed import observed
from telefine_assets.resources.mlflow_runs import MlflowResource
from telefine_assets.resources.signing import SignerResource
from telefine_assets.resources.storage import LedgerResource, StoreResource

STAGE = "champions"


def build(line: Line) -> dg.AssetsDefinition:
    """The asset for one program."""

    @dg.asset(
        **line.look(STAGE, {"mlflow"}, "1"),
        deps=[line.same_day("attestations")],
        description="The version in force from the end of the day: promoted by an attestation that verifies, "
        "else the one that served before.",
    )
    @observed(line, STAGE)
    def champions(
        context: dg.AssetExecutionContext,
        store: StoreResource,
        ledger: LedgerResource,
        signer: SignerResource,
        tracking: MlflowResource,
    ) -> dg.MaterializeResult:
        from datetime import UTC, datetime

        from telefine_assets.attestation.attesting import reverify
        from telefine_assets.ledger.champions import Champions
        from telefine_assets.programs.champions import promote_day

        day = context.partition_key
        attestation = store.records.read(line.name, "attestations", day)
        with tracking.run(line.name, STAGE, day, context.run_id) as run:
            standing = reverify(attestation, signer.trust(ledger.open()), store.evidence.find)
            champions, now = Champions(ledger.open()), datetime.now(UTC)
            record = promote_day(line.name, day, standing.verified, champions, now, standing.hindrance)
            digest = store.records.write(line.name, STAGE, day, record)
            run.facts({"outcome": record["outcome"], "serves": record["serves"]})
            run.set_champion(line.name, Champions(ledger.open()).current(line.name))
        return dg.MaterializeResult(
            data_version=dg.DataVersion(digest),
            metadata={"outcome": record["outcome"], "serves": record["serves"], "why": record["reason"]},
        )

    return champions
