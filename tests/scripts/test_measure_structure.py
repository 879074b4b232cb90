"""The table of `make check`: counted on a package made for it, circles found, limits named."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.studies import measure_structure
from scripts.studies.measure_structure import circles, measure


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
