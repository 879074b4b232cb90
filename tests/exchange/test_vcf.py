from __future__ import annotations

from pathlib import Path

import pysam
import pytest

from cxpath.exchange.vcf import read_vcf
from cxpath.values.errors import MissingFileError, VariantsFileError
from cxpath.values.variants import Consequence, Known
from tests.exchange.variant_files import ANN, vcf

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
