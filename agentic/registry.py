"""Finds and builds the pluggable parts that the configuration names.

What ships with AutoRemedy comes through the same door as a part of yours: a name leads to "module:Class", the
class is imported on first use, checked against its contract and built from its options.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import difflib
import importlib
import inspect
import sys
import threading
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Literal, get_type_hints, overload

from pydantic import PydanticSchemaGenerationError, PydanticUndefinedAnnotation, TypeAdapter, ValidationError

from agentic.contracts import Effector, ReasoningModule, Sensor
from agentic.errors import PluginError
from notifications import CHANNELS, Notifier

Kind = Literal["sensors", "reasoning", "effectors", "notifiers"]

SENSORS = {"log_file": "agentic.sensors.log_file:LogFile"}
REASONING = {
    "precedent": "agentic.reasoning.precedent:PrecedentModule",
    "rules": "agentic.reasoning.rules:Rules",
    "llm": "agentic.reasoning.llm:LocalModel",
}
EFFECTORS = {
    "command": "agentic.effectors.command:Command",
    "http": "agentic.effectors.http:Http",
    "rerun": "agentic.effectors.rerun:Rerun",
    "notify": "agentic.effectors.notify:Notify",
}
BUILT_IN: Mapping[Kind, Mapping[str, str]] = {
    "sensors": SENSORS,
    "reasoning": REASONING,
    "effectors": EFFECTORS,
    "notifiers": CHANNELS,
}
CONTRACTS: Mapping[Kind, type] = {
    "sensors": Sensor,
    "reasoning": ReasoningModule,
    "effectors": Effector,
    "notifiers": Notifier,
}


@overload
def load(
    kind: Literal["sensors"],
    use: str,
    options: Mapping[str, Any] | None = None,
    base_dir: str | Path | None = None,
    given: Mapping[str, Any] | None = None,
) -> Sensor: ...
@overload
def load(
    kind: Literal["reasoning"],
    use: str,
    options: Mapping[str, Any] | None = None,
    base_dir: str | Path | None = None,
    given: Mapping[str, Any] | None = None,
) -> ReasoningModule: ...
@overload
def load(
    kind: Literal["effectors"],
    use: str,
    options: Mapping[str, Any] | None = None,
    base_dir: str | Path | None = None,
    given: Mapping[str, Any] | None = None,
) -> Effector: ...
@overload
def load(
    kind: Literal["notifiers"],
    use: str,
    options: Mapping[str, Any] | None = None,
    base_dir: str | Path | None = None,
    given: Mapping[str, Any] | None = None,
) -> Notifier: ...
def load(
    kind: Kind,
    use: str,
    options: Mapping[str, Any] | None = None,
    base_dir: str | Path | None = None,
    given: Mapping[str, Any] | None = None,
) -> Any:
    """Build the part that `use` names: a built-in name, "package.module:Class" or an installed entry point.

    `options` are the operator's; `given` are things of the program (a redactor, the memory …), passed when the
    constructor has a parameter of that name and the operator wrote no option of it. `base_dir` (the
    configuration's folder) is where modules of the operator's own are looked up.
    Raises PluginError saying what to change.
    """
    found = find(kind, use, base_dir)
    return _build(found, use, dict(options or {}), {"base_dir": Path(base_dir or "."), **(given or {})})


def find(kind: Kind, use: str, base_dir: str | Path | None = None) -> type:
    """Return the class that `use` names, checked against its contract, without building it."""
    built_in = BUILT_IN[kind].get(use)
    if built_in is not None:
        found = _import(built_in, use, None)
    elif ":" in use:
        found = _import(use, use, base_dir)
    else:
        found = _entry_point(kind, use)
    _check_contract(found, CONTRACTS[kind], use)
    return found  # type: ignore[no-any-return] # the contract has just been checked


def _import(target: str, use: str, base_dir: str | Path | None) -> Any:
    module_name, _, class_name = target.partition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), *class_name.split("."))):
        raise PluginError(f'{use}: write it as "package.module:Class"')
    folder = str(Path(base_dir).resolve()) if base_dir is not None else None
    if folder is not None and folder not in sys.path:
        sys.path.append(folder)  # at the end: a file there must not take the place of a module of ours
        importlib.invalidate_caches()
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            where = f" in {folder} or" if folder else ""
            raise PluginError(
                f"{use}: there is no module {error.name!r}{where} among the installed packages"
            ) from error
        raise PluginError(f"{use}: {module_name} needs the module {error.name!r}; install it") from error
    except Exception as error:
        raise PluginError(f"{use}: importing {module_name} failed: {type(error).__name__}: {error}") from error
    found: Any = module
    for part in class_name.split("."):
        found = getattr(found, part, None)
    if found is None:
        classes = [name for name, value in vars(module).items() if inspect.isclass(value)]
        where = getattr(module, "__file__", None) or module_name
        raise PluginError(f"{use}: there is no class {class_name!r} in {where}{_did_you_mean(class_name, classes)}")
    return found


def _entry_point(kind: Kind, use: str) -> Any:
    group = f"autoremedy.{kind}"
    installed: dict[str, EntryPoint] = {point.name: point for point in entry_points(group=group)}
    if use not in installed:
        names = sorted({*BUILT_IN[kind], *installed})
        raise PluginError(
            f"{use}: nothing of this name is built in or installed (entry points {group})"
            f'{_did_you_mean(use, names)}; known: {", ".join(names)}; or write "package.module:Class"'
        )
    return _import(installed[use].value.split("[")[0].strip(), use, None)


def _did_you_mean(word: str, choices: list[str]) -> str:
    near = difflib.get_close_matches(word, choices, n=1, cutoff=0.5)
    return f'; did you mean "{near[0]}"?' if near else ""


def _check_contract(found: Any, contract: type, use: str) -> None:
    door = f"{contract.__module__.split('.')[0] if contract is Notifier else contract.__module__}"
    if not inspect.isclass(found):
        raise PluginError(f"{use}: is not a class; write a subclass of {contract.__name__}")
    if not issubclass(found, contract):
        raise PluginError(
            f"{use}: {found.__name__} must be a subclass of {contract.__name__}: "
            f"`from {door} import {contract.__name__}`, `class {found.__name__}({contract.__name__}):`"
        )
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    if missing:
        raise PluginError(f"{use}: {found.__name__} has no method {missing[0]}(); every {contract.__name__} needs it")


def _build(found: type, use: str, options: dict[str, Any], given: Mapping[str, Any]) -> Any:
    parameters, takes_anything = _parameters(found)
    unknown = [] if takes_anything else [name for name in options if name not in parameters]
    if unknown:
        accepted = [name for name in parameters if name not in given]
        raise PluginError(
            f"{use}: unknown option {unknown[0]!r}{_did_you_mean(unknown[0], accepted)}; "
            + (f"it takes {', '.join(accepted)}" if accepted else "it takes no options")
        )
    arguments = {name: given[name] for name in parameters if name in given}
    arguments |= _converted(found, use, options)
    for name, parameter in parameters.items():
        if name not in arguments and parameter.default is inspect.Parameter.empty:
            raise PluginError(f"{use}: needs the option {name!r}; write `{name}: …` beside `use: {use}`")
    try:
        return found(**arguments)
    except Exception as error:
        raise PluginError(f"{use}: {error or type(error).__name__}") from error


def _parameters(found: type) -> tuple[dict[str, inspect.Parameter], bool]:
    """Return the constructor's parameters that can be named, and whether it takes any other name too."""
    if found.__init__ is object.__init__:  # type: ignore[misc] # only compared
        return {}, False
    every = list(inspect.signature(found.__init__).parameters.values())[1:]  # type: ignore[misc] # only looked at
    named = {p.name: p for p in every if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    return named, any(p.kind is p.VAR_KEYWORD for p in every)


def _converted(found: type, use: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options as the constructor's annotations want them (a Path, a list of numbers …)."""
    try:
        hints = get_type_hints(found.__init__)  # type: ignore[misc] # only looked at
    except (NameError, TypeError):
        return options  # annotations that cannot be resolved here are no reason to refuse a part
    converted = dict(options)
    for name, value in options.items():
        try:
            adapter = TypeAdapter(hints.get(name, Any))
            converted[name] = adapter.validate_python(value)
        except ValidationError as error:
            raise PluginError(f"{use}: option {name!r}: {error.errors()[0]['msg']} (got {value!r})") from error
        except (PydanticSchemaGenerationError, PydanticUndefinedAnnotation):
            continue
    return converted


async def call(method: Callable[..., Any], *args: Any) -> Any:
    """Call a part's method: a coroutine is awaited, a plain function runs in a thread of its own.

    Cancelling stops waiting for a plain function; the thread itself cannot be stopped. A part that wants to end
    the program (`sys.exit`) is a part that failed: RuntimeError.
    """
    try:
        result = method(*args) if inspect.iscoroutinefunction(method) else await _in_thread(method, *args)
        return await result if inspect.isawaitable(result) else result
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise _as_failure(error) from error  # nobody cancelled us: the part raised it
    except (SystemExit, KeyboardInterrupt) as error:
        raise _as_failure(error) from error


def _as_failure(error: BaseException) -> Exception:
    """Return what a part raised as something that ends nothing but the call."""
    return error if isinstance(error, Exception) else RuntimeError(f"{type(error).__name__}: {error}")


async def _in_thread(function: Callable[..., Any], *args: Any) -> Any:
    """Run a function in a daemon thread.

    Not in the loop's pool: a few sensors that wait for hours would fill it, and hold up the end of the program.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def work() -> None:
        result: Any = None
        error: BaseException | None = None
        try:
            result = context.run(function, *args)
        except StopIteration as stop:  # a future cannot carry this one
            error = RuntimeError(f"StopIteration: {stop}")
        except BaseException as raised:  # noqa: BLE001 - handed on to whoever awaits
            error = _as_failure(raised)
        with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile; nobody waits any more
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=work, name=f"part-{getattr(function, '__qualname__', 'call')}", daemon=True).start()
    return await future
