"""The table of `make check`: counted on a package made for it, circles found, limits named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scripts.studies import measure_structure
from scripts.studies.measure_structure import PACKAGE, broken_contracts, circles, measure, true_edges


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    package = tmp_path / "src" / "cxpath"
    (package / "a").mkdir(parents=True)
    (tmp_path / "tests").mkdir()
    (package / "__init__.py").write_text("")
    (package / "a" / "one.py").write_text(
        "from cxpath.b import two\n\n\ndef f() -> int:\n    return two.g()\n"
    )
    (package / "b").mkdir()
    (package / "b" / "two.py").write_text("import os\n\n\ndef g() -> int:\n    return len(os.sep)\n")
    (tmp_path / "tests" / "test_one.py").write_text("def test_f() -> None:\n    assert True\n")
    return tmp_path


def by_label(root: Path) -> dict[str, float]:
    return {row.label: row.value for row in measure(root)}


def test_modules_imports_and_lines_are_counted(checkout: Path) -> None:
    found = by_label(checkout)
    assert found["modules"] == 2
    assert found["lines of source"] == 10
    assert found["internal imports per 1,000 lines"] == 100.0
    assert found["median lines of a function"] == 2
    assert found["test lines per source line"] == 0.2
    assert found["circles of modules"] == found["circles of packages"] == 0


def test_a_circle_is_found_but_not_one_for_types_alone(checkout: Path) -> None:
    two = checkout / "src" / "cxpath" / "b" / "two.py"
    text = two.read_text()
    two.write_text(
        f"from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from cxpath.a import one\n{text}"
    )
    assert by_label(checkout)["circles of modules"] == 0
    two.write_text(f"from cxpath.a import one\n{text}")
    found = by_label(checkout)
    assert found["circles of modules"] == found["circles of packages"] == 1


PURE = """
[[tool.importlinter.contracts]]
name = "a is pure"
type = "forbidden"
source_modules = ["cxpath.a"]
forbidden_modules = ["os", "cxpath.c"]
"""


def with_faces(checkout: Path) -> Path:
    """Make `a` import a name of the face of `b`, whose module imports `os`."""
    package = checkout / "src" / "cxpath"
    for folder in ("a", "b"):
        (package / folder / "__init__.py").write_text("import lazy_loader\n")
    (package / "b" / "__init__.pyi").write_text("from .two import g as g\n")
    (package / "a" / "one.py").write_text("from cxpath.b import g\n\n\ndef f() -> int:\n    return g()\n")
    (checkout / "pyproject.toml").write_text(PURE)
    return package


def forbidding(source: str, target: str) -> dict[str, Any]:
    return {
        "type": "forbidden",
        "name": "pure",
        "source_modules": [source],
        "forbidden_modules": [target],
    }


def test_a_forbidden_import_behind_a_face_is_found(checkout: Path) -> None:
    edges = true_edges(with_faces(checkout))
    assert edges["cxpath.a.one"] == {"cxpath.b.two"}
    contract = {
        "type": "forbidden",
        "name": "pure",
        "source_modules": ["cxpath.a"],
        "forbidden_modules": ["os"],
    }
    assert broken_contracts(edges, [contract]) == ["pure: cxpath.a.one -> cxpath.b.two -> os"]
    assert by_label(checkout)["forbidden imports through faces"] == 1
    assert broken_contracts(edges, [contract | {"allow_indirect_imports": True}]) == []
    assert broken_contracts(edges, [contract | {"type": "layers"}]) == []
    assert broken_contracts(edges, [contract | {"source_modules": ["cxpath.c"]}]) == []


def test_a_forbidden_import_of_ones_own_counts_even_where_indirect_ones_may_be(checkout: Path) -> None:
    edges = true_edges(with_faces(checkout))
    contract = {
        "type": "forbidden",
        "name": "no os",
        "source_modules": ["cxpath.b"],
        "forbidden_modules": ["os"],
    }
    assert broken_contracts(edges, [contract | {"allow_indirect_imports": True}]) == [
        "no os: cxpath.b.two -> os"
    ]


def test_a_circle_through_a_face_is_found(checkout: Path) -> None:
    package = with_faces(checkout)
    (package / "a" / "__init__.pyi").write_text("from .one import f as f\n")
    assert by_label(checkout)["circles of modules"] == 0
    (package / "b" / "two.py").write_text("from cxpath.a import f\n\n\ndef g() -> int:\n    return f()\n")
    assert by_label(checkout)["circles of modules"] == 1


def test_the_faces_of_this_package_lead_to_their_modules() -> None:
    """The pipeline reaches torch through the face of `network` alone: import-linter sees no such chain."""
    edges = true_edges(PACKAGE)
    assert "cxpath.network.detector" in edges["cxpath.pipeline.find_cells"]
    contract = forbidding("cxpath.pipeline", "torch")
    (line,) = broken_contracts(edges, [contract])
    assert "cxpath.network." in line


def test_circles_of_a_graph() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [{"a", "b", "c"}]
    assert circles({"a": {"b"}, "b": set()}) == []


def test_the_table_of_this_checkout_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["measure_structure"])
    measure_structure.main()
    printed = capsys.readouterr().out
    assert "modules per 1,000 lines" in printed
    assert "circles of packages" in printed
