"""Dagster's webserver, through which runs get into the queue: its official GraphQL client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml

from telefine_assets.control.errors import ControlError, asking

if TYPE_CHECKING:
    import dagster as dg

CURE = "look at Dagster's webserver, or start it again with `make ui`"
_SECONDS = 5
_FOLDER = "local_artifact_storage"
_STORAGE = (_FOLDER, "storage", "run_storage", "event_log_storage", "schedule_storage")


@dataclass(frozen=True)
class Webserver:
    """A webserver that answers, and works on the same instance as we do."""

    url: str

    def submit(self, job: str, assets: Sequence[tuple[str, str]], tags: Mapping[str, str]) -> str:
        """Have a run of these assets queued; returns its id.

        Raises:
            ControlError: Dagster refuses.
        """
        with asking(f"Dagster at {self.url} did not take the run", CURE):
            return str(self._client().submit_job_execution(job, tags=dict(tags), asset_selection=assets))

    def terminate(self, run_id: str) -> None:
        """Ask a run to end.

        Raises:
            ControlError: Dagster refuses.
        """
        with asking(f"Dagster at {self.url} did not stop run {run_id}", CURE):
            self._client().terminate_run(run_id)

    def _client(self) -> Any:
        from dagster_graphql import DagsterGraphQLClient

        parts = urlsplit(self.url)
        https, prefix = parts.scheme == "https", parts.path.rstrip("/")
        port = parts.port or (443 if https else 80)
        return DagsterGraphQLClient(str(parts.hostname), port_number=port, use_https=https, path_prefix=prefix)


def webserver_at(url: str, instance: dg.DagsterInstance) -> Webserver | None:
    """The webserver at ``url``; None when nothing answers there.

    Raises:
        ControlError: when what answers is not Dagster, or works on another instance:
            a run that is asked for there would be somebody else's.
    """
    import httpx

    try:
        answer = httpx.post(
            f"{url.rstrip('/')}/graphql", json={"query": "{ instance { info } }"}, timeout=_SECONDS, trust_env=False
        )
    except httpx.ConnectError:
        return None
    except httpx.HTTPError as error:
        raise ControlError(f"dagster.url = {url}: does not answer ({type(error).__name__}); {CURE}") from None
    try:
        info = answer.json()["data"]["instance"]["info"]
    except (ValueError, KeyError, TypeError):
        raise ControlError(
            f"dagster.url = {url}: what answers there is not Dagster; set TELEFINE_DAGSTER__URL"
        ) from None
    if _storage_in(info) != storage_of(instance):
        raise ControlError(
            f"dagster.url = {url}: the Dagster there works on another instance than ours ({instance.root_directory}); "
            "set DAGSTER_HOME to its instance, or TELEFINE_DAGSTER__URL to our webserver"
        )
    return Webserver(url)


def storage_of(instance: dg.DagsterInstance) -> dict[str, Any]:
    """What decides which instance ours is, in the words of Dagster's ``info_str``.

    That would make the launcher too, which Kubernetes' API pods cannot.
    """
    ref = instance.get_ref()
    parts = {
        "run_storage": instance.run_storage,
        "event_log_storage": instance.event_log_storage,
        "schedule_storage": instance.schedule_storage,
    }
    named = {
        name: made.info_dict() if (made := getattr(part, "inst_data", None)) else type(part).__name__
        for name, part in parts.items()
    }
    info = {_FOLDER: ref.local_artifact_storage_data.info_dict(), **ref.settings, **named}
    return _storage_in(yaml.safe_dump(info))


def _storage_in(info: str) -> dict[str, Any]:
    """What decides which instance it is; the rest differs with what a process has used of it."""
    groups = yaml.safe_load(info)
    found = {name: groups.get(name) for name in _STORAGE}
    # A database is the same one from everywhere, and then each machine has a folder of its own.
    return {name: each for name, each in found.items() if name != _FOLDER or "sqlite" in str(groups.get("storage"))}
