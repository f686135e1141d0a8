"""The deployment of generated traces, with its automation as a test wants it, and runs as the queue would do them."""

from pathlib import Path

import dagster as dg
import yaml

from telefine_assets.definitions import build_defs
from telefine_assets.settings.loading import load_settings
from telefine_assets_tests.traces.deployment import Deployment

COMPILES = dg.AssetKey(["tickets", "compiled_programs"])


class Automated(Deployment):
    """Three days with a hundred traces each, none of them loaded."""

    def __init__(self, template: Path, folder: Path, automation: dict | None = None, **program) -> None:
        super().__init__(template, folder)
        file = folder / "telefine.yaml"
        values = yaml.safe_load(file.read_text())
        values["automation"] = automation or {}
        values["programs"]["tickets"] |= program
        file.write_text(yaml.safe_dump(values))
        self.settings = load_settings(file)
        self.defs = build_defs(self.settings)

    @property
    def resources(self) -> dict:
        """What a sensor is given."""
        return {name: self.defs.resources[name] for name in ("store", "tracking")}

    def tick(self, sensor: str, instance, cursor=None):
        """One tick of a sensor, as the daemon evaluates it."""
        context = dg.build_sensor_context(
            instance=instance, cursor=cursor, definitions=self.defs, resources=self.resources
        )
        return self.defs.resolve_sensor_def(sensor).evaluate_tick(context)

    def do(self, instance, request: dg.RunRequest, raise_on_error=True):
        """Do what a request asks for, with its tags."""
        job = self.defs.resolve_job_def(request.job_name)
        return job.execute_in_process(
            instance=instance,
            asset_selection=request.asset_selection,
            partition_key=request.partition_key,
            tags=request.tags,
            raise_on_error=raise_on_error,
        )

    def kept(self) -> dict[str, int]:
        """Usable traces of each day that was cleaned."""
        records = self.resources["store"].records
        days = records.days("tickets", "cleaned_traces")
        return {day: records.read("tickets", "cleaned_traces", day)["kept"] for day in days}

    def compiled(self, instance, day: str, usable: dict[str, int]) -> None:
        """Dagster's record of a compile that saw so many usable traces."""
        metadata = {"usable_traces": dg.MetadataValue.json(usable)}
        instance.report_runless_asset_event(dg.AssetMaterialization(COMPILES, partition=day, metadata=metadata))
