"""A Dagster instance that is quick to make and knows ticks, and ticks of a sensor that nobody evaluated."""

import time
from pathlib import Path

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.instance import InstanceType
from dagster._core.launcher.sync_in_memory_run_launcher import SyncInMemoryRunLauncher
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.run_coordinator import DefaultRunCoordinator
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.storage.event_log import InMemoryEventLogStorage
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from dagster._core.storage.root import LocalArtifactStorage
from dagster._core.storage.runs import InMemoryRunStorage
from dagster._core.storage.schedules import SqliteScheduleStorage
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._utils.error import SerializableErrorInfo


def instance_with_ticks(folder: Path) -> dg.DagsterInstance:
    """Runs and events in memory; Dagster keeps ticks in files only."""
    return dg.DagsterInstance(
        instance_type=InstanceType.EPHEMERAL,
        local_artifact_storage=LocalArtifactStorage(str(folder)),
        run_storage=InMemoryRunStorage(),
        event_storage=InMemoryEventLogStorage(),
        compute_log_manager=NoOpComputeLogManager(),
        run_coordinator=DefaultRunCoordinator(),
        run_launcher=SyncInMemoryRunLauncher(),
        schedule_storage=SqliteScheduleStorage.from_local(str(folder)),
    )


def ticked(instance, name, *outcomes):
    """Ticks of a sensor, the oldest first; True for a good one."""
    target = LoadableTargetOrigin(module_name="telefine_assets.definitions")
    place = RemoteRepositoryOrigin(ManagedGrpcPythonEnvCodeLocationOrigin(target, "telefine"), "__repository__")
    origin = RemoteInstigatorOrigin(place, name)
    state = instance.get_instigator_state(origin.get_id(), origin.get_selector().get_id())
    if state is None:
        data = SensorInstigatorData(min_interval=30)
        instance.add_instigator_state(InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.RUNNING, data))
    for good in outcomes:
        instance.create_tick(
            TickData(
                origin.get_id(), name, InstigatorType.SENSOR, TickStatus.SKIPPED if good else TickStatus.FAILURE,
                time.time(), selector_id=origin.get_selector().get_id(),
                error=None if good else SerializableErrorInfo("no such table\n", [], "OperationalError"),
            )
        )  # fmt: skip
