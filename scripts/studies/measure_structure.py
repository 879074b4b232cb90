"""Count modules, imports and lines of the package, look for import circles, and print a table.

    python -m scripts.studies.measure_structure [--check]

With `--check` it ends with 1 when a limit is exceeded. The limits are those of docs/development.md.

A package's face (`__init__.py`) loads its names when they are used, so import-linter sees an import of a
face and nothing behind it. Here a name is followed through the face's stub to its module: circles, and the
contracts of `pyproject.toml` that forbid imports, are judged on what is imported in truth.
"""

from __future__ import annotations

import argparse
import ast
import statistics
import sys
import tomllib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "cxpath"


@dataclass(frozen=True)
class Measure:
    """One row of the table; `limit` is the most allowed, or the least where `at_least` says so."""

    label: str
    value: float
    limit: float | None = None
    at_least: bool = False

    @property
    def fine(self) -> bool:
        """Whether the limit is kept."""
        if self.limit is None:
            return True
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def module_names(package: Path) -> dict[str, Path]:
    """Return the modules of a package by dotted name."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imports_of(path: Path, known: Mapping[str, Path]) -> Iterator[tuple[str, bool]]:
    """Yield internal modules that a file imports, and whether only for type checking."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = _for_types(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "cxpath":
            for alias in node.names:
                below = f"{node.module}.{alias.name}"
                yield (below if below in known else str(node.module)), id(node) in for_types


# What a module imports in truth: names of a face followed to their modules, and other packages.


def faces(package: Path) -> dict[str, str]:
    """Return the module of each name that a stub offers: of "cxpath.data.Kind", "cxpath.data.cells"."""
    found: dict[str, str] = {}
    for stub in package.rglob("__init__.pyi"):
        face = ".".join(stub.parent.relative_to(package.parent).parts)
        for node in ast.parse(stub.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom):
                found |= {f"{face}.{alias.name}": f"{face}.{node.module}" for alias in node.names}
    return found


def true_imports(path: Path, known: Mapping[str, Path], offered: Mapping[str, str]) -> Iterator[str]:
    """Yield the modules and other packages that a file imports when it runs."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = _for_types(tree)
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                below = f"{node.module}.{alias.name}"
                yield below if below in known else offered.get(below, str(node.module))


def _for_types(tree: ast.Module) -> set[int]:
    """Return the nodes that only a type checker reads."""
    return {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }


def true_edges(package: Path) -> dict[str, set[str]]:
    """Return for each module what it imports when it runs, without itself."""
    known, offered = module_names(package), faces(package)
    return {name: set(true_imports(path, known, offered)) - {name} for name, path in known.items()}


def broken_contracts(edges: Mapping[str, set[str]], contracts: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a line for each forbidden import, with the chain that leads to it.

    Parameters
    ----------
    edges : mapping
        As `true_edges` gives them.
    contracts : iterable of mapping
        Of import-linter, as `pyproject.toml` states them; those of other types are passed over.
    """
    found = []
    for contract in contracts:
        if contract["type"] != "forbidden":
            continue
        for source in contract["source_modules"]:
            for chain in _chains(edges, source, contract["forbidden_modules"], contract):
                found.append(f"{contract['name']}: {' -> '.join(chain)}")
    return found


def _chains(
    edges: Mapping[str, set[str]], source: str, forbidden: Iterable[str], contract: Mapping[str, Any]
) -> Iterator[list[str]]:
    """Yield a shortest chain from a package to each forbidden one."""
    before: dict[str, str | None] = {name: None for name in edges if _within(name, source)}
    waiting = deque(sorted(before))
    while waiting and not (contract.get("allow_indirect_imports") and not _within(waiting[0], source)):
        here = waiting.popleft()
        for there in sorted(edges.get(here, ())):
            if there not in before:
                before[there] = here
                waiting.append(there)
    for one in forbidden:
        hit = next((name for name in before if _within(name, one)), None)
        if hit is not None:
            yield _back(before, hit)


def _within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def _back(before: Mapping[str, str | None], name: str) -> list[str]:
    earlier = before[name]
    return [name] if earlier is None else [*_back(before, earlier), name]


def circles(edges: Mapping[str, set[str]]) -> list[set[str]]:
    """Return the strongly connected groups of more than one node (Tarjan)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in edges.get(node, ()):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = set(stack[stack.index(node) :])
            del stack[stack.index(node) :]
            if len(group) > 1:
                found.append(group)

    for node in edges:
        if node not in index:
            visit(node)
    return found


def function_lengths(paths: list[Path]) -> list[int]:
    """Return the number of lines of every function."""
    return [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for path in paths
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def lines_in(paths: list[Path]) -> list[int]:
    """Return the number of lines of each file."""
    return [len(path.read_text(encoding="utf-8").splitlines()) for path in paths]


def contracts_of(root: Path) -> list[dict[str, Any]]:
    """Return import-linter's contracts of a checkout; none where it states none."""
    path = root / "pyproject.toml"
    stated = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    contracts: list[dict[str, Any]] = stated.get("tool", {}).get("importlinter", {}).get("contracts", [])
    return contracts


def measure(root: Path = ROOT) -> list[Measure]:
    """Return every row of the table for a checkout."""
    modules = module_names(root / "src" / "cxpath")
    paths = [path for path in modules.values() if path.read_text(encoding="utf-8").count("\n") > 1]
    lengths, thousand = lines_in(paths), sum(lines_in(paths)) / 1000
    edges = true_edges(root / "src" / "cxpath")
    folders: dict[str, set[str]] = {}
    internal = 0
    for name, path in modules.items():
        statements = {(target, types) for target, types in imports_of(path, modules) if target != name}
        internal += len(statements)
        here = name.split(".")[1:2]
        below = {target.split(".")[1] for target in edges[name] if target.startswith("cxpath.")}
        if here:
            folders.setdefault(here[0], set()).update(below - set(here))
    functions = function_lengths(paths)
    tests = sum(lines_in(sorted((root / "tests").rglob("*.py"))))
    return [
        Measure("modules", len(paths), 220),
        Measure("modules per 1,000 lines", round(len(paths) / thousand, 2), 4.5),
        Measure("internal imports per 1,000 lines", round(internal / thousand, 1), 15),
        Measure("lines of source", sum(lengths)),
        Measure("median lines of a module", statistics.median(lengths)),
        Measure("longest module, lines", max(lengths), 600),
        Measure("median lines of a function", statistics.median(functions), 10),
        Measure("longest function, lines", max(functions)),
        Measure("test lines per source line", round(tests / sum(lengths), 2), 0.7, at_least=True),
        Measure("circles of modules", len(circles(edges)), 0),
        Measure("circles of packages", len(circles(folders)), 0),
        Measure("forbidden imports through faces", len(broken_contracts(edges, contracts_of(root))), 0),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--check", action="store_true", help="end with 1 when a limit is exceeded")
    check = parser.parse_args().check
    rows = measure()
    for row in rows:
        sign = "≥" if row.at_least else "≤"
        limit = "" if row.limit is None else f"{sign} {row.limit:g}{'' if row.fine else '  EXCEEDED'}"
        print(f"{row.label:36} {row.value:>10,g}  {limit}")
    for line in broken_contracts(true_edges(PACKAGE), contracts_of(ROOT)):
        print(line)
    if check and not all(row.fine for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
