"""Builds every part that the settings name, without connecting anywhere, and says which setting is at fault.

A worker starts with it and `autoremedy config check` ends with it, so that both refuse the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentic.contracts import Effector, ReasoningModule, Sensor
from agentic.digest import Redactor
from agentic.errors import ConfigError, Fault, PluginError
from agentic.probing import probes_of
from agentic.reasoning.reading import check_examples
from agentic.reasoning.reading import load as load_signatures
from agentic.registry import EFFECTORS, Kind, find, load
from agentic.types import Action
from notifications import Notifier

SettingsPath = tuple[str | int, ...]
_OPTION = re.compile(r"option '(\w+)'")


@dataclass(frozen=True, slots=True)
class Part:
    """One part to build: what it uses, what is handed to it, and where in the settings it stands."""

    use: str
    options: Mapping[str, Any]
    path: SettingsPath


@dataclass(frozen=True, slots=True)
class Order:
    """All that is to be built, and what the parts are given besides their own options."""

    base_dir: Path
    redaction: Mapping[str, str]
    redaction_key: bytes
    notifiers: Mapping[str, Part]
    effectors: Mapping[str, Part]
    """The operator's own; the built-in ones always come with them."""
    reasoning: Mapping[str, Part]
    sensors: Mapping[str, Part]
    knowledge: Sequence[Path]
    calls: Sequence[tuple[SettingsPath, Action]]
    """Everything an effector may be asked to do, for the effector to look at."""
    probes: Sequence[Action]
    """Read-only checks that a model may ask for."""
    given: Mapping[str, Any]
    given_to_reasoning: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Assembled:
    """Every part, built once, by the name it is spoken of."""

    redactor: Redactor
    notifiers: Mapping[str, Notifier]
    effectors: Mapping[str, Effector]
    reasoning: Mapping[str, ReasoningModule]
    sensors: Mapping[str, Sensor]


def assemble(order: Order, environ: Mapping[str, str]) -> Assembled:
    """Build every part; raises ConfigError with a fault for each setting that cannot work.

    `environ` is the worker's own environment.
    """
    return _Assembly(order, environ).run()


def named(parts: Sequence[Part]) -> dict[str, Part]:
    """Give each part the name it is spoken of by: what it uses, numbered where one is used twice."""
    found: dict[str, Part] = {}
    for part in parts:
        name, number = part.use, 2
        while name in found:
            name, number = f"{part.use}-{number}", number + 1
        found[name] = part
    return found


@dataclass(slots=True)
class _Assembly:
    order: Order
    environ: Mapping[str, str]
    faults: list[Fault] = field(default_factory=list)

    def run(self) -> Assembled:
        order = self.order
        redactor = Redactor(order.redaction, order.redaction_key)
        given: dict[str, Any] = {**order.given, "redactor": redactor, "environ": self.environ}
        notifiers = self._built("notifiers", order.notifiers, given)
        given["notifiers"] = notifiers
        effectors: dict[str, Any] = {}
        given["effectors"] = effectors  # filled below: `rerun` runs a job through the others
        for name in EFFECTORS:
            effectors[name] = load("effectors", name, {}, order.base_dir, given)
        effectors |= self._built("effectors", order.effectors, given)
        self._look_at_calls(effectors, all_channels=len(notifiers) == len(order.notifiers))
        probes = () if self.faults else probes_of(order.probes, effectors)
        for_reasoning = {**given, "extra_folders": self._folders(), "probes": probes, **order.given_to_reasoning}
        reasoning = self._built("reasoning", order.reasoning, for_reasoning)
        sensors = self._built("sensors", order.sensors, given)
        if self.faults:
            raise ConfigError("\n".join(f"{_dotted(path)}: {text}" for path, text in self.faults), self.faults)
        return Assembled(redactor, notifiers, effectors, reasoning, sensors)

    def _built(self, kind: Kind, parts: Mapping[str, Part], given: Mapping[str, Any]) -> dict[str, Any]:
        built: dict[str, Any] = {}
        base = self.order.base_dir
        for name, part in parts.items():
            try:
                find(kind, part.use, base)
            except PluginError as error:
                self._fault((*part.path, "use"), error)
                continue
            try:
                built[name] = load(kind, part.use, part.options, base, given)
            except PluginError as error:
                said = str(error).removeprefix(f"{part.use}: ")
                option = _OPTION.search(said)
                self.faults.append(Fault((*part.path, option[1]) if option else part.path, said))
        return built

    def _folders(self) -> tuple[Path, ...]:
        """Return the folders of signatures that can be read; the others are faults of their own."""
        good = []
        for index, folder in enumerate(self.order.knowledge):
            try:
                for signature in load_signatures(folder):
                    check_examples(signature)
            except ConfigError as error:
                self._fault(("knowledge", index), error)
            else:
                good.append(folder)
        return tuple(good)

    def _look_at_calls(self, effectors: Mapping[str, Effector], *, all_channels: bool) -> None:
        """Let each effector look at what it will be asked to do, while a person is still at the keyboard."""
        for path, action in self.order.calls:
            if action.effector is None or (action.effector == "notify" and not all_channels):
                continue  # a channel that could not be built has its own fault already
            if action.effector not in effectors:
                if action.effector not in self.order.effectors:
                    self.faults.append(Fault((*path, "effector"), f"no effector is called {action.effector!r}"))
                continue
            try:
                effectors[action.effector].check(action)
            except ConfigError as error:
                self._fault(path, error)

    def _fault(self, path: SettingsPath, error: Exception) -> None:
        self.faults.append(Fault(path, str(error)))


def _dotted(path: SettingsPath) -> str:
    return ".".join(map(str, path))
