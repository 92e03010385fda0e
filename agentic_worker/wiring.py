"""From settings to a running core: every part is found by name and given what it needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentic.acting import ActingLimits, Actor
from agentic.contracts import Effector, ReasoningModule, Sensor
from agentic.digest.redaction import Redactor
from agentic.errors import ConfigError
from agentic.intake import Limits as IntakeLimits
from agentic.pipeline import Core, Pipeline
from agentic.planning import BUILT_IN, Planner
from agentic.registry import BUILT_IN as BUILT_IN_PARTS
from agentic.registry import load
from agentic.types import Action
from notifications import Notifier
from settings.models import Settings
from store import Store
