"""The Dagster code location: settings in, definitions out.

``build_defs`` is the one place where everything is put together. What belongs
elsewhere: what an asset does (``assets``), what must hold of it
(``asset_checks``), when it runs (``automation``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from telefine_assets.asset_checks import checks_for
from telefine_assets.assets import assets_for
from telefine_assets.assets.line import Line
from telefine_assets.automation.jobs import jobs_for
from telefine_assets.automation.schedules import schedules_for
from telefine_assets.automation.sensors import sensors_for
from telefine_assets.observing.observer import Observer
from telefine_assets.partitions import daily
from telefine_assets.resources import resources_for
from telefine_assets.settings.loading import load_settings
from telefine_assets.settings.schema import Settings


def build_defs(
    settings: Settings,
    *,
    resource_overrides: Mapping[str, Any] | None = None,
    executor: dg.ExecutorDefinition = dg.in_process_executor,
    loggers: Mapping[str, dg.LoggerDefinition] | None = None,
) -> dg.Definitions:
    """Definitions of a whole deployment: one line of assets for each program.

    Args:
        settings: the deployment.
        resource_overrides: resources to use instead of the settings' own, by name.
        executor: runs the steps of a run; the unit of parallelism is the run,
            so steps share a process by default.
        loggers: loggers to use instead of Dagster's console, by name.
    """
    partitions = daily(settings.partitions)
    first, last = settings.partitions.start, settings.partitions.end
    observer = Observer.of(settings)
    lines = [
        Line(name, program, first, last, partitions, settings.deployment, observer, teacher)
        for name, program in settings.programs.items()
        for teacher in [settings.programs.get(program.compile.teacher_program or "")]
    ]
    jobs = [job for line in lines for job in jobs_for(line, settings.automation)]
    return dg.Definitions(
        assets=[asset for line in lines for asset in assets_for(line)],
        asset_checks=[check for line in lines for check in checks_for(line)],
        jobs=jobs,
        schedules=[schedule for line in lines for schedule in schedules_for(line)],
        sensors=sensors_for(lines, settings, jobs),
        resources={**resources_for(settings), **(resource_overrides or {})},
        executor=executor,
        loggers=loggers,
    )


defs = build_defs(load_settings())
