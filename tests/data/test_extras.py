"""A task whose library is missing says in one line what to install, and installs nothing by itself."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

from cxpath.data.extras import import_extra
from cxpath.errors import MissingExtraError, ReadsFileError
from cxpath.io.reads import read_reads
from cxpath.io.vcf import read_vcf

PYPROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))


def test_a_module_that_is_there_is_imported() -> None:
    assert import_extra("json.decoder", "agree").__name__ == "json.decoder"


@pytest.mark.parametrize(
    ("module", "extra"), [("openpyxl.reader.excel", "agree"), ("pysam", "tmb"), ("fhir.resources", "fhir")]
)
def test_one_that_is_missing_is_named_with_its_extra(
    module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"is not installed.*cxpath\[{extra}\]"):
        import_extra(module, extra)
    assert extra in PYPROJECT["project"]["optional-dependencies"]


def test_a_workbook_and_a_vcf_ask_for_theirs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl.reader.excel", None)
    monkeypatch.setitem(sys.modules, "pysam", None)
    (tmp_path / "reads.xlsx").write_bytes(b"PK")
    with pytest.raises((MissingExtraError, ReadsFileError), match=r"cxpath\[agree\]|workbook"):
        read_reads(tmp_path / "reads.xlsx")
    (tmp_path / "a.vcf").write_text("##fileformat=VCFv4.2\n")
    with pytest.raises(MissingExtraError, match=r"cxpath\[tmb\]"):
        read_vcf(tmp_path / "a.vcf")


def test_what_the_core_imports_needs_no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """`pip install cxpath` alone scores a slide: none of these names is asked for on the way."""
    extras = {
        name.split(">")[0].split(";")[0].strip()
        for names in PYPROJECT["project"]["optional-dependencies"].values()
        for name in names
        if not name.startswith("cxpath[")
    }
    core = {name.split(">")[0].strip() for name in PYPROJECT["project"]["dependencies"]}
    assert not extras & core
