"""``contributor_payouts``: exact amounts per wallet, and the tree to claim them from."""

import dagster as dg

from telefine_assets.assets import metadata
from telefine_assets.assets.line import Line
from telefine_assets.assets.observed import observed
from telefine_assets.resources.mlflow_runs import MlflowResource
from telefine_assets.resources.signing import SignerResource
from telefine_assets.resources.storage import LedgerResource, StoreResource

STAGE = "contributor_payouts"


def build(line: Line) -> dg.AssetsDefinition:
    """The asset for one program."""

    @dg.asset(
        **line.look(STAGE, {"ethereum"}, "1"),
        deps=[line.same_day("champions"), line.same_day("attestations"), line.same_day("contributor_weights")],
        description="Integer amounts that sum to the pool, once per attestation, in a cumulative Merkle tree; "
        "or the record that says why nothing is paid.",
    )
    @observed(line, STAGE)
    def contributor_payouts(
        context: dg.AssetExecutionContext,
        store: StoreResource,
        ledger: LedgerResource,
        signer: SignerResource,
        tracking: MlflowResource,
    ) -> dg.MaterializeResult:
        from telefine_assets.attestation.attesting import reverify
        from telefine_assets.ledger.payouts import Payouts
        from telefine_assets.payouts.paying import Books, pay_attested
        from telefine_assets.payouts.token import read_token, token_of

        day = context.partition_key
        attestation = store.records.read(line.name, "attestations", day)
        champion = store.records.read(line.name, "champions", day)
        with tracking.run(line.name, STAGE, day, context.run_id) as run:
            standing = reverify(attestation, signer.trust(ledger.open()), store.evidence.find)
            settings = line.settings.payout
            books = Books(Payouts(ledger.open()), store.evidence.put, store.evidence.get)
            record = pay_attested(line.name, day, standing.verified, champion, settings, books, standing.hindrance)
            digest = store.records.write(line.name, STAGE, day, record)
            run.facts({"outcome": record["outcome"], "root": record["root"]})
        plan = record["plan"] or {"payments": [], "escrow": []}
        token = read_token(record["token"]) if record["token"] else token_of(settings)
        unit = f"smallest units of {token}"
        return dg.MaterializeResult(
            data_version=dg.DataVersion(digest),
            metadata={
                "outcome": record["outcome"],
                "why": record["reason"],
                "payments": metadata.table_of(
                    ["wallet", unit], [(each["address"], each["amount"]) for each in plan["payments"]]
                ),
                "escrow": metadata.table_of(
                    ["reason", unit], [(each["reason"], each["amount"]) for each in plan["escrow"]]
                ),
                "merkle_root": record["root"] or "",
                "mlflow_run": metadata.link(run.url, run.run_id),
            },
        )

    return contributor_payouts
