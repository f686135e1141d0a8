"""The strategies that may compete: each makes programs from a trainset.

``propose`` is the one way in. It lets a strategy speak in its own time and yields
what it made; which program is best is decided elsewhere, by scoring them all alike.
"""

from __future__ import annotations

from telefine_assets.programs.strategies.estimating import Estimate as Estimate
from telefine_assets.programs.strategies.estimating import estimate as estimate
from telefine_assets.programs.strategies.protocol import Proposal as Proposal
from telefine_assets.programs.strategies.protocol import StrategyError as StrategyError
from telefine_assets.programs.strategies.protocol import Task as Task
from telefine_assets.programs.strategies.registry import REGISTRY as REGISTRY
from telefine_assets.programs.strategies.registry import propose as propose
