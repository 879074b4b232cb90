"""The failing cases of users: each file of `../shared/cases` gives the value, or the line, that is right.

The kinds of fault behind them have tests of their own next to each reader; here the files themselves are run.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import Done, cxpath


@pytest.fixture(scope="session")
def cases(data_dir: Path) -> Path:
    """The folder of cases, next to the real data."""
    folder = data_dir.parent / "cases"
    if not folder.is_dir():
        pytest.skip(f"no cases in {folder}")
    return folder


# Variants: what is counted, per megabase, or why nothing is.

V = "variants"
TMB = {
    f"{V}/bed-names-do-not-match/vep_as_csq.vcf --bed {V}/bed-names-do-not-match/p_refseq.bed": "10.00",
    f"{V}/bed-names-do-not-match/vep_as_csq.vcf --bed {V}/bed-names-do-not-match/upper.bed": "10.00",
    f"{V}/bed-names-do-not-match/refseq.vcf --bed {V}/bed-names-do-not-match/p.bed": "10.00",
    f"{V}/maf-float-depths/float.maf": "5.00",
    f"{V}/maf-float-depths/int.maf": "5.00",
    f"{V}/maf-foreign-classes/words.maf": "10.00",
    f"{V}/maf-foreign-classes/oncotator.maf": "5.00",
    f"{V}/maf-germline-rows/germline.maf": "5.00",
    f"{V}/maf-header-space/hdrspace.maf": "5.00",
    f"{V}/maf-header-space/nel.maf": "5.00",
    f"{V}/maf-header-space/samplespace.maf": "10.00",
    f"{V}/plain-gzip-vcf/calls.vcf.gz": "10.00",
    f"{V}/vep-multiallelic-trimmed/vep_multi.vcf": "20.00",
    f"{V}/vep-multiallelic-trimmed/vep_split.vcf": "20.00",
    f"{V}/vep-under-info-ann/vep_as_ann.vcf": "10.00",
    f"{V}/vep-under-info-ann/vep_as_csq.vcf": "10.00",
    f"{V}/tmb-noncoding-transcripts/05_multi_transcript_pick/v.vcf": "0.00",
    f"{V}/tmb-noncoding-transcripts/06_noncoding_transcript_splice/v.vcf": "0.00",
    f"{V}/tmb-noncoding-transcripts/19_nmd_transcript/v.vcf": "0.00",
    f"{V}/tmb-symbolic-sv/14_sv_symbolic/v.vcf": "1.00",
    f"{V}/tmb-unnormalised-duplicate/16_unnormalised_dup/v.vcf": "1.00",
    "hostile-files/internal-errors/nan.maf": "1.00",
}


@pytest.mark.parametrize("words", TMB)
def test_variants_are_counted_as_is_right(words: str, cases: Path) -> None:
    name, *panel = words.split(" --bed ")
    size = ["--bed", cases / panel[0]] if panel else ["--megabases", "1"]
    done = cxpath("tmb", cases / name, "--preset", "wes_nonsyn", *size)
    assert f"TMB      {TMB[words]} per Mb" in done.stdout, done.stderr


@pytest.mark.parametrize("name", ["superscript.maf", "ann.vcf"])
def test_hostile_variants_end_in_one_line(name: str, cases: Path) -> None:
    path = cases / "hostile-files/internal-errors" / name
    assert name in cxpath("tmb", path, "--preset", "wes_nonsyn", "--megabases", "1").only_line


# Cells: how many are positive and negative, or why nothing is scored.

LATTICE = "tumour 528 positive, 561 negative"
CELLS = {
    "slide/cells.csv": LATTICE,
    "cells/multipolygon-of-cells/multi_point.geojson": LATTICE,
    "cells/multipolygon-of-cells/multi_mixed.geojson": "one object of 528 separate parts",
    "cells/multipolygon-of-cells/multi_annotation.geojson": "MultiPolygon of 528 parts",
    "cells/impossible-cell-values-accepted/inf.csv": "impossible dab_membrane_od",
    "cells/impossible-cell-values-accepted/negd.csv": "impossible dab_membrane_od",
    "cells/impossible-cell-values-accepted/pnan.csv": "cells without p_tumour, p_immune, p_other: 200 of 400",
    "cells/impossible-cell-values-accepted/pone.csv": "add up to 3, not 1",
    "cells/impossible-cell-values-accepted/pzero.csv": "add up to 0, not 1",
    "cells/thousands-separators/thousands_tab.tsv": "1,020 in column 'x_px' may mean 1020 or 1.020",
    "cells/thousands-separators/thousands_dot_de.csv": "1.020 in column 'x_px' may mean 1020 or 1.020",
    "reads/tables-refused-with-a-wrong-reason/cr_only.csv": LATTICE,
    "reads/tables-refused-with-a-wrong-reason/hdr_comma.csv": LATTICE,
    "reads/tables-refused-with-a-wrong-reason/ragged.tsv": LATTICE,
    "reads/tables-refused-with-a-wrong-reason/sep_line.csv": LATTICE,
    "reads/tables-refused-with-a-wrong-reason/two_blank_cols.csv": LATTICE,
    "hostile-files/internal-errors/overflow.geojson": "overflow.geojson: contains no cell",
    "hostile-files/internal-errors/typelist.geojson": "not a GeoJSON FeatureCollection",
    "hostile-files/internal-errors/twice.parquet": "column 'y_px' is there twice",
    "hostile-files/internal-errors/meta_deep.parquet": "no readable `cxpath` entry",
    "hostile-files/internal-errors/unicode.parquet": "unicode.parquet: ",
}


def _scored(slide: Path, out: Path, *words: str | Path) -> Done:
    return cxpath("score", slide, "--assay", "22c3", "--stain-check", "off", "--out", out, *words)


@pytest.mark.parametrize("name", CELLS)
def test_cells_are_counted_or_refused_as_is_right(name: str, cases: Path, tmp_path: Path) -> None:
    done = _scored(cases / "slide/base.svs", tmp_path / "o", "--cells", cases / name)
    assert CELLS[name] in done.stdout + done.stderr
    assert done.returncode == 0 or done.only_line


@pytest.mark.parametrize("table", ["only_a.tsv", "twocases.tsv"])
def test_rows_of_another_slide_are_not_mixed_in(table: str, cases: Path, tmp_path: Path) -> None:
    slide = tmp_path / "case 1.svs"
    slide.write_bytes((cases / "slide/base.svs").read_bytes())
    done = _scored(slide, tmp_path / "o", "--cells", cases / "cells/qupath-table-name-prefix" / table)
    assert LATTICE in done.stdout
    assert ("1089 rows of other images were passed over" in done.stdout) == (table == "twocases.tsv")


# Regions.

LABELLED = "regions/class-not-under-classification"
REGIONS = {
    f"{LABELLED}/right_class.geojson": "tumour 240 positive, 273 negative",
    f"{LABELLED}/name.geojson": "is named 'Necrosis' (in 'name') but has no class",
    f"{LABELLED}/class_prop.geojson": "is named 'Necrosis' (in 'class') but has no class",
    f"{LABELLED}/label_prop.geojson": "is named 'necrosis' (in 'label') but has no class",
    f"{LABELLED}/type_prop.geojson": "is named 'Necrosis' (in 'type') but has no class",
    "regions/geojson-empty-hole-segfault/regions.geojson": "a ring or line of 0 points encloses nothing",
    "hostile-files/internal-errors/overflow.geojson": "coordinates that are not pairs of numbers",
    "hostile-files/internal-errors/typelist.geojson": "not a GeoJSON FeatureCollection",
    "cells/thousands-separators/top_left.geojson": "tumour 256 positive, 0 negative",
}


@pytest.mark.parametrize("name", REGIONS)
def test_regions_are_kept_to_or_refused_as_is_right(name: str, cases: Path, tmp_path: Path) -> None:
    own = name.endswith("top_left.geojson")
    cells = "cells/thousands-separators/plain.csv" if own else "slide/cells.csv"
    done = _scored(
        cases / "slide/base.svs", tmp_path / "o", "--cells", cases / cells, "--regions", cases / name
    )
    assert REGIONS[name] in done.stdout + done.stderr
    assert done.returncode == 0 or done.only_line


# Reads.

READS = {
    "reads/excel-chartsheet-first/chartfirst.xlsx": "0.997",
    "reads/excel-percent-cells/percent_B.xlsx": "0.997",
    "reads/excel-percent-cells/percent.xlsx": "0.997",
    "reads/excel-percent-cells/plain.xlsx": "0.997",
    "reads/tables-refused-with-a-wrong-reason/reads_sep.csv": "0.997",
    "reads/xlsx-last-row-endless/far.xlsx": "row 1048576: has 16384 entries",
    "reads/xlsx-last-row-endless/rows.xlsx": "unpacks to 60 MiB",
    "hostile-files/internal-errors/round.csv": "round '²' is not a number from 1",
    "hostile-files/internal-errors/parse.xlsx": "a damaged one",
    "hostile-files/internal-errors/zlib.xlsx": "a damaged one",
}


@pytest.mark.parametrize("name", READS)
def test_reads_are_compared_or_refused_as_is_right(name: str, cases: Path, tmp_path: Path) -> None:
    done = cxpath("agree", "run", cases / name, "--out", tmp_path / "o", "--replicates", "100")
    assert READS[name] in done.stdout + done.stderr
    assert done.returncode == 0 or done.only_line


def test_equal_readers_have_intervals_of_some_width(cases: Path, tmp_path: Path) -> None:
    """Thirty cases without a disagreement do not prove that there is none."""
    table = cases / "statistics/kappa-interval-zero-width/same30.csv"
    done = cxpath("agree", "run", table, "--out", tmp_path / "o", "--replicates", "100")
    kappas = [line for line in done.stdout.splitlines() if "kappa" in line or "AC1" in line]
    assert kappas
    assert not [line for line in kappas if line.endswith("1.000 to 1.000")]


def test_six_equal_cases_do_not_show_non_inferiority(cases: Path, tmp_path: Path) -> None:
    """Excluding a loss of 5 points takes 72 cases without a disagreement."""
    table, out = cases / "statistics/noninferiority-six-cases/six.csv", tmp_path / "o"
    done = cxpath("agree", "run", table, "--software", "sw", "--out", out, "--replicates", "100")
    assert done.returncode == 0
    assert "0.05: shown" not in (out / "agreement.json").read_text(encoding="utf-8")


# Slides and settings that are damaged.

SLIDES = {
    "slides/tiff-level-aspect-hang/slide1.tif": "damaged: directory 1",
    "slides/tiff-level-aspect-hang/slide2.tif": "damaged: directory 1",
    "slides/tiff-tile-width-glib-abort/slide.tif": "tiles of 2147483647 x 64 px",
    "slides/tiff-tile-width-glib-abort/slide.svs": "tiles of 2147483647 x 256 px",
    "hostile-files/internal-errors/jpeg_segments.tif": "damaged: directory 0",
    "hostile-files/internal-errors/planar_float.tif": "damaged: directory 0",
    "hostile-files/internal-errors/palette.png": "the PNG picture is damaged",
    "hostile-files/internal-errors/sampling0.jpg": "the JPEG picture is damaged",
}


@pytest.mark.parametrize("name", SLIDES)
def test_damaged_slides_end_in_one_line(name: str, cases: Path, tmp_path: Path) -> None:
    assert SLIDES[name] in cxpath("score", cases / name, "--mpp", "0.25", "--out", tmp_path / "o").only_line


def test_a_header_alone_gives_no_name_away(cases: Path, tmp_path: Path) -> None:
    slide = cases / "slides/pseudonym-leaks-by-tifffile/Mueller_1962.tif"
    line = cxpath("score", slide, "--pseudonym", "--out", tmp_path / "o").only_line
    assert "no picture in the file" in line
    assert "Mueller" not in line


@pytest.mark.parametrize("name", ["deep", "digits"])
@pytest.mark.parametrize("option", ["--config", "--class-map"])
def test_settings_that_cannot_be_read_end_in_one_line(
    name: str, option: str, cases: Path, tmp_path: Path
) -> None:
    path = cases / f"hostile-files/internal-errors/{name}.toml"
    done = _scored(
        cases / "slide/base.svs", tmp_path / "o", "--cells", cases / "slide/cells.csv", option, path
    )
    assert f"{name}.toml: not readable as TOML" in done.only_line


@pytest.mark.parametrize("name", ["deep", "digits", "criteria", "criteria2"])
def test_criteria_that_cannot_be_read_end_in_one_line(name: str, cases: Path) -> None:
    path = cases / f"hostile-files/internal-errors/{name}.toml"
    assert f"{name}.toml: " in cxpath("therapy", "lint", path).only_line


def test_a_profile_with_an_infinite_burden_ends_in_one_line(cases: Path, tmp_path: Path) -> None:
    path = cases / "hostile-files/internal-errors/profile_inf.toml"
    assert "tmb.value" in cxpath("therapy", "review", path, "--out", tmp_path / "o").only_line
    assert not (tmp_path / "o").exists()


# Therapy: what the labels' own text says.

THERAPY = {
    "therapy-early-stage-met/03_early_alterations.toml": "criteria met, each needs confirmation (0)",
    "therapy-eu-trastuzumab-deruxtecan/09_her2_3plus.toml": "EU   trastuzumab deruxtecan\n",
    "therapy-eu-wording/19_progressed_on_cemiplimab_only.toml": "EU   tisotumab vedotin\n",
    "therapy-pembro-chemo-second-line/07_second_line_cps5.toml": (
        "US   pembrolizumab with chemotherapy, with or without bevacizumab\n"
    ),
}


@pytest.mark.parametrize("name", THERAPY)
def test_criteria_follow_the_labels(name: str, cases: Path, tmp_path: Path) -> None:
    words = [word for one in ("us", "eu", "jp", "cn") for word in ("--jurisdiction", one)]
    done = cxpath("therapy", "review", cases / "therapy" / name, "--out", tmp_path / "o", *words)
    met = done.stdout.split("indeterminate")[0]
    assert THERAPY[name] in met


def test_selpercatinib_is_for_adults_in_the_eu(cases: Path, tmp_path: Path) -> None:
    profile = cases / "therapy/therapy-eu-wording/21_age16_ret_eu.toml"
    done = cxpath("therapy", "review", profile, "--out", tmp_path / "o", "--jurisdiction", "eu")
    assert "selpercatinib" not in done.stdout.split("not met")[0]


def test_pregnancy_is_flagged(cases: Path, tmp_path: Path) -> None:
    profile = cases / "therapy/therapy-pregnancy/12_pregnant.toml"
    cxpath("therapy", "review", profile, "--out", tmp_path / "o", "--jurisdiction", "us")
    assert "pregnan" in (tmp_path / "o/board.html").read_text(encoding="utf-8").lower()
