"""The direction of imports, as drawn in docs/decisions/0001-rooms.md."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "appliance"

ROOMS = {
    "access", "policy", "redaction", "routing", "engine", "audit", "vault", "registry",
}  # fmt: skip
GROUND = {"errors", "generation"}
PLAIN = {"settings", "database", "sqlcipher", "telemetry", "local_socket", "shipped"}
"""Modules that any room may use: they know no room."""

MAY_ALSO_USE = {"audit": {"vault"}, "registry": {"vault"}}

CROSSING = {"gateway", "operations", "screening", "house", "backup"}
"""Where rooms meet."""

EDGE = {"api", "console"}
CALLERS_OF_EVERYTHING = {"assembly", "cli", "doctor", "migrations"}

HTTP_CLIENTS = {"httpx", "requests", "urllib3", "aiohttp", "openai", "urllib.request"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            found |= {f"{module}.{alias.name}" for alias in node.names} | {module}
    return found


def noun(module: str) -> str:
    """`appliance.audit.log` → `audit`."""
    return module.split(".")[1]


def own_noun(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def nouns_used(path: Path) -> set[str]:
    used = {noun(m) for m in imports_of(path) if m.startswith("appliance.")}
    return used - {own_noun(path), "__version__"}


def allowed(own: str) -> set[str] | None:
    if own == "errors" or own == "__init__":
        return set()
    if own == "generation":
        return {"errors"}
    if own in PLAIN:
        return GROUND | PLAIN
    if own in ROOMS:
        return GROUND | PLAIN | MAY_ALSO_USE.get(own, set())
    if own in CROSSING:
        return GROUND | PLAIN | ROOMS | CROSSING
    if own in EDGE:
        return GROUND | PLAIN | (ROOMS - {"engine"}) | CROSSING
    return None


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_module_imports_only_what_lies_below_it(path: Path) -> None:
    own = own_noun(path)
    permitted = allowed(own)
    if permitted is None:
        assert own in CALLERS_OF_EVERYTHING, f"{own} is not on the plan of the house"
    else:
        assert nouns_used(path) <= permitted


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_llama_cpp_is_imported_in_the_worker_alone(path: Path) -> None:
    in_worker = "engine/worker" in path.as_posix()
    imported = imports_of(path)
    assert in_worker or not any(m.split(".")[0] == "llama_cpp" for m in imported)
    if in_worker:
        ours = {m for m in imported if m.startswith("appliance.")}
        below = ("appliance.engine.wire", "appliance.engine.worker", "appliance.generation",
                 "appliance.errors")  # fmt: skip
        assert all(m.startswith(below) or m == "appliance.engine" for m in ours), ours
    else:
        assert not any(m.startswith("appliance.engine.worker") for m in imported)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_nothing_imports_an_http_client(path: Path) -> None:
    assert not imports_of(path) & HTTP_CLIENTS


@pytest.mark.parametrize("edge", sorted(EDGE))
def test_the_edge_touches_no_database(edge: str) -> None:
    for path in (PACKAGE / edge).rglob("*.py"):
        assert not any(m.split(".")[0] == "sqlalchemy" for m in imports_of(path)), path


def test_no_module_is_called_by_a_word_that_says_nothing() -> None:
    empty_words = {"core", "utils", "util", "services", "helpers", "common", "misc"}
    assert not {p.stem for p in modules()} & empty_words
