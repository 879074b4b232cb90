import gzip
from pathlib import Path

import pytest

from cxpath.exchange.bed import read_bed
from cxpath.values.errors import MissingFileError, VariantsFileError


def bed(folder: Path, text: str, name: str = "panel.bed") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_100_and_150_bases_are_250_and_overlaps_count_once(tmp_path: Path) -> None:
    assert read_bed(bed(tmp_path, "chr1\t0\t100\nchr1\t200\t350\n")).bases == 250
    overlapping = "chr1\t0\t100\nchr1\t50\t100\tgene\n1\t200\t350\nchr1\t340\t350\n"
    assert read_bed(bed(tmp_path, overlapping)).bases == 250


def test_headers_are_passed_over_and_name_the_assembly(tmp_path: Path) -> None:
    text = "# a panel\ntrack name=panel db=hg19\nbrowser position chr1\nchr1\t5\t6\n"
    found = read_bed(bed(tmp_path, text))
    assert (found.bases, found.assembly) == (1, "GRCh37")
    assert read_bed(bed(tmp_path, "1\t5\t6\n", "panel.hg38.bed")).assembly == "GRCh38"


def test_a_gzipped_bed_is_read(tmp_path: Path) -> None:
    path = tmp_path / "panel.bed.gz"
    path.write_bytes(gzip.compress(b"chr1\t0\t10\n"))
    assert read_bed(path).bases == 10


@pytest.mark.parametrize(
    "line", ["chr1\t100", "chr1\ta\tb", "chr1\t9\t9", "chr1\t-5\t9", f"chr1\t5\t{10**30}"]
)
def test_a_line_that_is_no_interval_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(VariantsFileError, match="line 2"):
        read_bed(bed(tmp_path, f"chr1\t0\t10\n{line}\n"))


def test_no_file_and_no_interval(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        read_bed(tmp_path / "none.bed")
    with pytest.raises(VariantsFileError, match="no interval"):
        read_bed(bed(tmp_path, "# nothing\n"))
