""""""

from __future__ import annotations

import gzip
from pathlib import Path

import pysam
import pytest

from cxpath.data.variants import Consequence, Known
from cxpath.errors import MissingFileError, VariantsFileError
from cxpath.io.variants import REQUIRED, read_bed, read_maf, read_vcf
from tests.io.variant_files import ANN, vcf


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


MISSENSE = "CSQ=G|missense_variant|TP53|0.0002,G|intron_variant|TP53|"


def test_a_call_with_its_depth_fraction_and_annotation(tmp_path: Path) -> None:
    line = f"chr1 100 . A G . PASS {MISSENSE};COSMIC_CNT=7;gnomAD_AC=3;HOTSPOT GT:AD:DP 0/1:60,20:80"
    found = read_vcf(vcf(tmp_path, [line]))
    (variant,) = found.variants
    assert (variant.chromosome, variant.position) == ("1", 100)
    assert variant.consequence is Consequence.NON_SYNONYMOUS
    assert (variant.depth, variant.alternate_reads, variant.allele_fraction) == (80, 20, 0.25)
    assert (variant.germline_frequency, variant.germline_count, variant.cosmic_count) == (0.0002, 3, 7)
    assert variant.driver is True
    assert variant.passed is True
    assert found.known == frozenset(Known)
    assert (found.sample, found.assembly) == ("T", "GRCh38")


def test_each_allele_has_its_own_reads_and_its_own_consequence(tmp_path: Path) -> None:
    csq = "CSQ=G|synonymous_variant|A|,T|stop_gained|A|,-|frameshift_variant|A|"
    lines = [
        f"chr1 100 . A G,T . PASS {csq} GT:AD:DP 1/2:10,20,30:60",
        f"chr1 200 . AC G,A . PASS {csq} GT:AD:DP 0/2:10,20,30:60",
    ]
    found = read_vcf(vcf(tmp_path, lines)).variants
    assert [one.alternate_reads for one in found] == [20, 30, 30]
    assert [one.consequence for one in found] == [
        Consequence.SYNONYMOUS,
        Consequence.NON_SYNONYMOUS,
        Consequence.NON_SYNONYMOUS,
    ]


def test_snpeff_is_read(tmp_path: Path) -> None:
    line = (
        "chr1 100 . A G . weak ANN=G|missense_variant&splice_region_variant|MODERATE|TP53 GT:AD:DP 0/1:9,1:10"
    )
    (variant,) = read_vcf(vcf(tmp_path, [line], header=(ANN,))).variants
    assert variant.consequence is Consequence.NON_SYNONYMOUS
    assert variant.passed is False
    assert variant.germline_frequency is None


def test_what_the_tumour_does_not_have_is_not_read(tmp_path: Path) -> None:
    lines = [
        f"chr1 100 . A G . PASS {MISSENSE} GT:AD:DP 0/0:10,0:10 0/1:5,5:10",
        f"chr1 101 . A G . PASS {MISSENSE} GT:AD:DP 0/1:10,9:19 0/0:5,0:5",
    ]
    found = read_vcf(vcf(tmp_path, lines, samples=("TUMOR", "NORMAL")))
    assert [one.position for one in found.variants] == [101]
    assert found.sample == "TUMOR"
    assert found.matched_normal is True


def test_two_samples_of_unclear_names_ask_for_one(tmp_path: Path) -> None:
    path = vcf(
        tmp_path, [f"chr1 100 . A G . PASS {MISSENSE} GT:AD:DP 0/1:5,5:10 0/1:5,6:11"], samples=("A", "B")
    )
    with pytest.raises(VariantsFileError, match="--sample: A, B"):
        read_vcf(path)
    assert read_vcf(path, "B").variants[0].alternate_reads == 6
    with pytest.raises(VariantsFileError, match="no sample 'C'"):
        read_vcf(path, "C")


def test_calls_without_samples_have_no_depth(tmp_path: Path) -> None:
    found = read_vcf(vcf(tmp_path, [f"chr1 100 . A G . PASS {MISSENSE}"], samples=()))
    assert found.variants[0].depth is None
    assert Known.DEPTH not in found.known


def test_an_unannotated_file_says_so(tmp_path: Path) -> None:
    found = read_vcf(vcf(tmp_path, ["chr1 100 . A G . PASS . GT:AD:DP 0/1:5,5:10"], header=()))
    assert Known.CONSEQUENCE not in found.known
    assert found.variants[0].consequence is None


def test_bcf_and_compressed_vcf_are_read_alike(tmp_path: Path) -> None:
    plain = vcf(tmp_path, [f"chr1 100 . A G . PASS {MISSENSE} GT:AD:DP 0/1:60,20:80"])
    for name, mode in (("calls.bcf", "wb"), ("calls.vcf.gz", "wz")):
        with (
            pysam.VariantFile(str(plain)) as old,
            pysam.VariantFile(str(tmp_path / name), mode, header=old.header) as new,
        ):
            for record in old:
                new.write(record)
        assert read_vcf(tmp_path / name).variants == read_vcf(plain).variants


@pytest.mark.parametrize("content", [b"", b"not a VCF at all\n", b"\x1f\x8bbroken"])
def test_what_is_no_vcf_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "calls.vcf"
    path.write_bytes(content)
    with pytest.raises(VariantsFileError, match="not readable as VCF"):
        read_vcf(path)
    with pytest.raises(MissingFileError):
        read_vcf(tmp_path / "none.vcf")
