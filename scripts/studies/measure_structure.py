"""Count modules, imports and lines of the package, look for import circles, and print a table.

    python -m scripts.studies.measure_structure [--check]

With `--check` it ends with 1 when a limit is exceeded. The limits are those of docs/development.md.
"""

from __future__ import annotations

import argparse
import ast
import statistics
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

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
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "cxpath":
            for alias in node.names:
                below = f"{node.module}.{alias.name}"
                yield (below if below in known else str(node.module)), id(node) in for_types


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


def measure(root: Path = ROOT) -> list[Measure]:
    """Return every row of the table for a checkout."""
    modules = module_names(root / "src" / "cxpath")
    paths = [path for path in modules.values() if path.read_text(encoding="utf-8").count("\n") > 1]
    lengths, thousand = lines_in(paths), sum(lines_in(paths)) / 1000
    edges: dict[str, set[str]] = {name: set() for name in modules}
    folders: dict[str, set[str]] = {}
    internal = 0
    for name, path in modules.items():
        statements = {(target, types) for target, types in imports_of(path, modules) if target != name}
        internal += len(statements)
        edges[name] = {target for target, types in statements if not types}
        here = name.split(".")[1:2]
        below = {target.split(".")[1] for target in edges[name] if "." in target}
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
    if check and not all(row.fine for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
