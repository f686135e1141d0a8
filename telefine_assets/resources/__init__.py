"""What the assets are given: MLflow, language model, store, ledger, signer.

No secret is a field that Dagster shows: keys come from the environment.
"""

from typing import Any

import dagster as dg

from telefine_assets.resources.dagster_mlflow_run import SharedRunMlflowResource
from telefine_assets.resources.mlflow_runs import MlflowResource
from telefine_assets.resources.models import LmResource
from telefine_assets.resources.signing import SignerResource
from telefine_assets.resources.storage import LedgerResource, StoreResource
from telefine_assets.settings.addresses import has_password
from telefine_assets.settings.schema import Settings


def resources_for(settings: Settings) -> dict[str, Any]:
    """The resources of a deployment, by the names that assets ask for."""
    return {
        "store": StoreResource(uri=_address("store", "uri", settings.store.uri)),
        "ledger": LedgerResource(url=_address("ledger", "url", settings.ledger.url)),
        "lm": LmResource.of(settings),
        "signer": SignerResource.of(settings.signer, settings.deployment),
        "tracking": _tracking(settings),
    }


def _address(group: str, name: str, address: str) -> Any:
    """An address that Dagster may show: one with a password came from the environment, and is read there again."""
    return dg.EnvVar(f"TELEFINE_{group}__{name}".upper()) if has_password(address) else address


def _tracking(settings: Settings) -> MlflowResource:
    """MLflow, with a run for each asset partition or one for a whole Dagster run."""
    known: dict[str, Any] = {
        "tracking_uri": _address("mlflow", "tracking_uri", settings.mlflow.tracking_uri),
        "ui_url": settings.mlflow.ui_url,
        "artifacts": _address("mlflow", "artifacts", settings.mlflow.artifacts),
        "deployment": settings.deployment,
        "own_server": bool(settings.lm.api_base),
        "trace_source": settings.mlflow.trace_source,
    }
    if settings.mlflow.run_per == "dagster_run":
        return SharedRunMlflowResource(**known, experiment=f"telefine/{settings.deployment}")
    return MlflowResource(**known)
