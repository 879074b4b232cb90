from __future__ import annotations

from pathlib import Path

import pytest

from cxpath.exchange.maf import REQUIRED, read_maf
from cxpath.values.errors import VariantsFileError
from cxpath.values.variants import Consequence, Known

MORE = ("t_depth", "t_alt_count", "FILTER", "gnomAD_AF", "NCBI_Build", "Matched_Norm_Sample_Barcode")
ROW = ("chr1", "100", "A", "G", "Missense_Mutation", "T1", "80", "20", "PASS", "0.0001", "37", "N1")


def maf(folder: Path, *rows: tuple[str, ...], columns: tuple[str, ...] = (*REQUIRED, *MORE)) -> Path:
    path = folder / "cohort.maf"
    lines = ["#version 2.4", *("\t".join(row) for row in (columns, *rows))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_row_with_all_that_it_states(tmp_path: Path) -> None:
    (sample,) = read_maf(maf(tmp_path, ROW))
    (variant,) = sample.variants
    assert (variant.chromosome, variant.position, variant.consequence) == (
        "1",
        100,
        Consequence.NON_SYNONYMOUS,
    )
    assert (variant.depth, variant.allele_fraction, variant.germline_frequency) == (80, 0.25, 0.0001)
    assert (sample.matched_normal, sample.assembly) == (True, "GRCh37")
    assert {Known.DEPTH, Known.ALLELE_FRACTION, Known.FILTER, Known.GERMLINE_FREQUENCY} <= sample.known


def test_samples_are_kept_apart_in_the_order_of_the_file(tmp_path: Path) -> None:
    other = (*ROW[:5], "T0", *ROW[6:])
    found = read_maf(maf(tmp_path, ROW, other, ROW))
    assert [(one.sample, len(one.variants)) for one in found] == [("T1", 2), ("T0", 1)]


def test_columns_that_are_not_there_are_not_known(tmp_path: Path) -> None:
    (sample,) = read_maf(maf(tmp_path, ROW[:6], columns=REQUIRED))
    assert sample.known == frozenset({Known.CONSEQUENCE})
    assert sample.matched_normal is None


@pytest.mark.parametrize("lacking", REQUIRED)
def test_a_missing_column_is_named(tmp_path: Path, lacking: str) -> None:
    columns = tuple(name for name in REQUIRED if name != lacking)
    with pytest.raises(VariantsFileError, match=f"no column {lacking}"):
        read_maf(maf(tmp_path, columns=columns))


def test_an_entry_that_is_no_position_is_named(tmp_path: Path) -> None:
    with pytest.raises(VariantsFileError, match="'x' of T1 is no position"):
        read_maf(maf(tmp_path, (ROW[0], "x", *ROW[2:])))
