"""Rules of the house that a reviewer should not have to remember."""

from __future__ import annotations

import ast
import functools
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from settings.calls import EffectorCall
from settings.models import Settings

ROOT = Path(__file__).resolve().parent.parent

MAY_IMPORT: dict[str, set[str]] = {
    "llm": set(),
    "notifications": set(),
    "jobsim": set(),
    "agentic": {"llm", "notifications"},
    "settings": {"agentic"},
    "config": {"agentic", "settings"},
    "store": {"agentic"},
    "api": {"store", "agentic", "settings", "config"},
    "agentic_worker": {"store", "agentic", "llm", "notifications", "settings", "config"},
    "cli": {"store", "agentic", "llm", "notifications", "settings", "config", "jobsim"},
    "main": {"api", "agentic_worker", "store", "agentic", "settings", "config", "jobsim", "llm", "notifications"},
}
"""api, agentic_worker, cli -> store -> agentic -> llm, notifications; `main` puts everything into one process."""

MUST_NOT_REACH = {
    "api": ("agentic.effectors", "agentic.reasoning", "agentic.pipeline", "agentic.guard", "llm", "notifications")
}
"""The API can act on nothing, not even by mistake."""

READ_THE_SETTINGS = {"main.py", "api/main.py", "agentic_worker/main.py"}
"""Entry points; everyone else, `cli` aside, is handed values."""

LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}
"""Path (and `path:function`) -> why it may be longer than the others."""
MAX_FILE_LINES = 450
MAX_FUNCTION_LINES = 60


def product_files() -> list[Path]:
    found = [path for name in MAY_IMPORT for path in sorted((ROOT / name).rglob("*.py"))]
    return found + [ROOT / f"{name}.py" for name in MAY_IMPORT if (ROOT / f"{name}.py").is_file()]


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def imports_of(path: Path, *, types_too: bool = True) -> Iterator[str]:
    """Yield every module a file imports, at its top or inside a function, with its full name."""
    waiting: list[ast.AST] = [parsed(path)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = relative(path.parent).split("/") if path.parent != ROOT else []
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)
        waiting += node.orelse if for_types_only(node) and not types_too else ast.iter_child_nodes(node)  # type: ignore[attr-defined]


def file_of(module: str) -> Path | None:
    """Return the file of one of our modules, or None when it is not ours (or not a module)."""
    if module.split(".")[0] not in MAY_IMPORT:
        return None
    path = ROOT.joinpath(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def closure(entry: Path) -> set[Path]:
    """Return every file of ours that running `entry` may import."""
    found: set[Path] = set()
    waiting = [entry]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        for module in imports_of(path, types_too=False):
            parts = module.split(".")
            names = [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
            waiting += [file for name in names if (file := file_of(name)) is not None]
    return found


# -- who may import whom ----------------------------------------------------------------------------


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_inward(package: str) -> None:
    allowed = MAY_IMPORT[package] | {package}
    wrong = {
        f"{relative(path)} imports {module}"
        for path in product_files()
        if relative(path).removesuffix(".py").split("/")[0] == package
        for module in imports_of(path)
        if module.split(".")[0] in MAY_IMPORT and module.split(".")[0] not in allowed
    }

    assert not wrong


@pytest.mark.parametrize(("package", "forbidden"), MUST_NOT_REACH.items())
def test_the_api_cannot_reach_what_acts(package: str, forbidden: tuple[str, ...]) -> None:
    reached = {relative(path) for file in (ROOT / package).rglob("*.py") for path in closure(file)}
    places = tuple(f"{name.replace('.', '/')}{end}" for name in forbidden for end in ("/", ".py"))

    assert not {path for path in reached if path.startswith(places)}


def test_only_entry_points_read_the_settings() -> None:
    readers = {
        relative(path)
        for path in product_files()
        if any(module == "config" or module.startswith("config.") for module in imports_of(path))
    }

    assert {path for path in readers if not path.startswith("cli/")} <= READ_THE_SETTINGS


@pytest.mark.parametrize("service", ["api", "agentic_worker"])
def test_an_image_holds_every_file_that_its_service_imports(service: str) -> None:
    entry = ROOT / service / "main.py"
    if not entry.is_file():
        pytest.skip(f"{relative(entry)} is not written yet")
    dockerfile = (ROOT / service / "Dockerfile").read_text()
    copied = {
        source.removesuffix("/")
        for line in re.findall(r"(?m)^COPY (?!--from)(.+)$", dockerfile)
        for source in line.split()[:-1]
    }

    def is_copied(path: str) -> bool:
        return any(Path(path).match(source) or path.startswith(f"{source}/") for source in copied)

    assert not {relative(path) for path in closure(entry) if not is_copied(relative(path))}


def test_the_rules_above_notice_an_import(tmp_path: Path) -> None:
    """A rule that finds nothing anywhere may have stopped looking."""
    assert "agentic.types" in set(imports_of(ROOT / "settings" / "models.py"))
    assert ROOT / "agentic" / "types.py" in closure(ROOT / "config.py")
    assert len(product_files()) > 40


# -- what no file may do ----------------------------------------------------------------------------


def calls(path: Path) -> Iterator[tuple[ast.Call, str]]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call):
            yield node, ast.unparse(node.func)


def test_only_files_called_config_read_the_environment() -> None:
    names = {"os.environ", "os.getenv", "os.putenv", "os.environb"}
    wrong = {
        f"{relative(path)}:{node.lineno}"
        for path in product_files()
        if path.name != "config.py"
        for node in ast.walk(parsed(path))
        if (isinstance(node, ast.Attribute) and ast.unparse(node) in names)
        or (
            isinstance(node, ast.ImportFrom)
            and node.module == "os"
            and {a.name for a in node.names} & {"environ", "getenv"}
        )
    }

    assert not wrong


def test_no_shell_is_ever_used() -> None:
    shells = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
    wrong = {
        f"{relative(path)}:{node.lineno}"
        for path in product_files()
        for node, name in calls(path)
        if name in shells
        or name.endswith("create_subprocess_shell")
        or any(
            word.arg == "shell" and not (isinstance(word.value, ast.Constant) and word.value.value is False)
            for word in node.keywords
        )
    }

    assert not wrong


def test_only_the_command_line_prints() -> None:
    wrong = {
        f"{relative(path)}:{node.lineno}"
        for path in product_files()
        if not relative(path).startswith("cli/")
        for node, name in calls(path)
        if name == "print"
    }

    assert not wrong


def test_files_and_functions_stay_short() -> None:
    long: set[str] = set()
    for path in product_files():
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MAX_FILE_LINES and relative(path) not in LONG_FILES:
            long.add(f"{relative(path)}: {lines} lines")
        for node in ast.walk(parsed(path)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                name = f"{relative(path)}:{node.name}"
                if length > MAX_FUNCTION_LINES and name not in LONG_FUNCTIONS:
                    long.add(f"{name}: {length} lines")

    assert not long


def test_tests_are_not_packages() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py"))


# -- what no tracked file may contain ---------------------------------------------------------------


@functools.cache
def tracked_texts() -> dict[str, str]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    names = [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    return {name: (ROOT / name).read_text(encoding="utf-8", errors="replace") for name in names}


def test_no_tracked_file_names_a_path_of_the_machine_it_was_written_on() -> None:
    machine = [str(ROOT), *([str(Path.home())] if len(Path.home().parts) > 2 else [])]
    wrong = {name for name, text in tracked_texts().items() if any(f"{place}/" in text for place in machine)}

    assert not wrong


def test_no_tracked_file_names_the_package_registry_that_was_used() -> None:
    shown = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True)
    hosts = set(re.findall(r"https?://(?:[^/'\s@]*@)?([^/'\s:]+)", shown.stdout)) - {"pypi.org"}
    wrong = {name for name, text in tracked_texts().items() for host in hosts if host in text}
    wrong |= {
        name
        for name, text in tracked_texts().items()
        if Path(name).suffix in (".toml", ".txt", ".lock", ".yml", ".yaml", ".cfg", "") and not name.startswith("docs/")
        if re.search(r"--(extra-)?index-url[ =]|--find-links[ =]|trusted-host", text)
    }

    assert not wrong


# -- what must be written down ----------------------------------------------------------------------

CONFIGURATION = ROOT / "docs" / "configuration.md"
DOCUMENTED_ONCE = dict.fromkeys(("RerunSettings", "CheckSettings", "ActionSettings", "ProbeSettings"), EffectorCall)
"""These sections take every key of the base as well; the document lists those once."""


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from models_in(inner)


def sections(model: type[BaseModel] = Settings) -> Iterator[type[BaseModel]]:
    if model.__name__ in DOCUMENTED_ONCE:
        yield DOCUMENTED_ONCE[model.__name__]
    yield model
    for field in model.model_fields.values():
        for inner in models_in(field.annotation):
            yield from sections(inner)


def default_in_words(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel) or value in (None, "", [], {}):
        return ""
    if isinstance(value, list) and isinstance(value[0], BaseModel):
        return ", ".join(f"`{part.use}`" for part in value)
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`".replace("'", "")


def documented() -> dict[str, dict[str, str]]:
    """Return section -> key -> default, as the tables of the document have them."""
    found: dict[str, dict[str, str]] = {}
    section = ""
    for line in CONFIGURATION.read_text().splitlines():
        if heading := re.match(r"#+ .*?<!-- (\w+) -->", line):
            section = heading[1]
        elif row := re.match(r"\| `([\w]+)` \| ([^|]*) \| (.+) \|$", line):
            assert len(row[3].strip()) > 10, f"{section}.{row[1]} is not described"
            found.setdefault(section, {})[row[1]] = row[2].strip()
    return found


def test_every_setting_is_described_with_its_default() -> None:
    expected: dict[str, dict[str, str]] = {}
    for model in sections():
        base = DOCUMENTED_ONCE.get(model.__name__)
        fields = {
            (field.alias or name): default_in_words(field)
            for name, field in model.model_fields.items()
            if base is None or name not in base.model_fields
        }
        expected[model.__name__] = fields

    assert documented() == expected


def test_the_shipped_settings_are_valid_and_say_where_to_read_on() -> None:
    from config import load_settings

    text = (ROOT / "config.yaml").read_text()
    load_settings(ROOT / "config.yaml", environ={})
    assert "docs/configuration.md" in text


def test_every_route_is_described() -> None:
    document = ROOT / "docs" / "api.md"
    if not (document.is_file() and (ROOT / "api" / "main.py").is_file()):
        pytest.skip("docs/api.md or api/main.py is not written yet")
    from api.main import create_app

    app = create_app(Settings(), None)  # type: ignore[arg-type]
    text = document.read_text()
    routes = {
        f"{method.upper()} {path}"
        for path, methods in app.openapi()["paths"].items()
        for method in methods
        if method in ("get", "post", "put", "patch", "delete")
    }

    assert len(routes) > 10
    assert not {route for route in routes if route not in text}


def test_the_licence_is_there() -> None:
    assert "MIT License" in (ROOT / "LICENSE").read_text()
