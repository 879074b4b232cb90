"""Files that broke on their way: each is read or refused in one line that names it, never a traceback."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from cxpath.data.cells import CellTable, CellTableFacts
from cxpath.data.slide_info import SlideInfo
from cxpath.errors import CxpathError
from cxpath.io.cell_classes import default_cell_classes, read_cell_classes
from cxpath.io.cells import read_cells, read_table, write_cells
from cxpath.io.foreign_cells import read_given_cells
from cxpath.io.reads import read_reads
from cxpath.io.regions import read_regions
from cxpath.io.variants import REQUIRED, read_bed, read_maf
from cxpath.io.vcf import read_vcf
from tests.io.variant_files import csq, vcf

GOLDEN = Path(__file__).parent / "golden"
FACTS = CellTableFacts(mpp=0.25, width_px=4000, height_px=3000, slide_digest="ab" * 32)
Reader = Callable[[Path], object]


def given_cells(path: Path) -> object:
    info = SlideInfo(
        "slide.svs", "slide", FACTS.slide_digest, "", 4000, 3000, 0.25, "user", "openslide", "aperio", (1.0,),
        (0, 0, 4000, 3000),
    )  # fmt: skip
    return read_given_cells(path, info, read_cell_classes(default_cell_classes()), 0.5)


def maf() -> bytes:
    columns = [*REQUIRED, "t_depth", "t_alt_count", "Mutation_Status", "gnomAD_AC", "FILTER"]
    row = ["1", "100", "A", "T", "Missense_Mutation", "case-1", "90.0", "9", "Somatic", "NaN", "PASS"]
    return ("\t".join(columns) + "\n" + "\t".join(row) + "\n").encode()


def strelka_calls(folder: Path) -> bytes:
    """Return a VCF with two alleles on a line, transcripts to choose from and Strelka's counts."""
    columns = csq("BIOTYPE", "PICK", "MANE_SELECT", "CANONICAL", "ALLELE_NUM")
    entries = "CSQ=-|frameshift_variant|protein_coding|1|||1,G|missense_variant|lncRNA|||YES|2"
    names = ("DP", "AU", "CU", "GU", "TU", "TAR", "TIR")
    formats = "\n".join(f'##FORMAT=<ID={name},Number=.,Type=Integer,Description="x">' for name in names)
    call = f"{':'.join(names)} 125:10,48:0,0:115,119:0,1:30,31:10,12"
    lines = [f"chr1 100 . CA C,CG . PASS {entries};gnomAD_AC=3,4 {call}", f"chr1 200 . A <DEL> . . . {call}"]
    return vcf(folder, lines, header=(columns,), formats=formats).read_bytes()


def workbook() -> bytes:
    book, file = openpyxl.Workbook(), io.BytesIO()
    for row in (["case", "reader", "value"], ["a", "r1", 12], ["a", "r2", "<1"]):
        book.worksheets[0].append(row)
    book.save(file)
    return file.getvalue()


def cells_parquet(folder: Path) -> bytes:
    cells = CellTable.from_columns(
        FACTS, x_px=[1.5, 20.5], y_px=[2.5, 8.0], kind=[0, 1], stained=[0.9, np.nan], p_tumour=[1.0, 0.0],
        p_immune=[0.0, 1.0], p_other=[0.0, 0.0],
    )  # fmt: skip
    write_cells(cells, folder / "cells.parquet")
    return (folder / "cells.parquet").read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one good file of every kind."""
    folder = tmp_path_factory.mktemp("whole")
    calls = vcf(
        folder, ["chr1 10 . A T . PASS CSQ=T|missense_variant|X|0.1 GT:AD:DP 0/1:9,5:14"]
    ).read_bytes()
    contents = {
        "panel.bed": b"chr1\t10\t200\nchr2\t5\t9\n",
        "calls.maf": maf(),
        "calls.maf.gz": gzip.compress(maf()),
        "calls.vcf": calls,
        "calls.vcf.gz": gzip.compress(calls),
        "strelka.vcf": strelka_calls(folder),
        "asap.xml": (GOLDEN / "asap.xml").read_bytes(),
        "imagescope.xml": (GOLDEN / "imagescope.xml").read_bytes(),
        "cells.geojson": (GOLDEN / "qupath_0_5_cells.geojson").read_bytes(),
        "cells.csv": b"x_px,y_px,kind,stained\n1.5,2.5,tumour,0.9\n20,8,immune,\n",
        "cells.parquet": cells_parquet(folder),
        "classes.toml": default_cell_classes().read_bytes(),
        "reads.csv": b"case,reader,value\na,r1,12\na,r2,<1\n",
        "reads.xlsx": workbook(),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


READERS: dict[str, tuple[Reader, ...]] = {
    "panel.bed": (read_bed,),
    "calls.maf": (read_maf,),
    "calls.maf.gz": (read_maf,),
    "calls.vcf": (read_vcf,),
    "calls.vcf.gz": (read_vcf,),
    "strelka.vcf": (read_vcf,),
    "asap.xml": (read_regions,),
    "imagescope.xml": (read_regions,),
    "cells.geojson": (given_cells,),
    "cells.csv": (given_cells,),
    "cells.parquet": (given_cells, read_cells, read_table),
    "classes.toml": (read_cell_classes,),
    "reads.csv": (read_reads,),
    "reads.xlsx": (read_reads,),
}


@st.composite
def damages(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """Draw what happened to a file: a part lost, put in, put in again, or everything else instead."""
    start, length = draw(st.floats(0, 1)), draw(st.integers(0, 60))
    put_in = draw(
        st.binary(max_size=8) | st.sampled_from([b"", b"9" * 30, b"-1", b"nan", b"\t", b"\n", b'"', b"{"])
    )
    kind = draw(st.sampled_from(["lost", "cut", "twice", "other"]))

    def damage(content: bytes) -> bytes:
        at = int(start * len(content))
        part = content[at : at + length]
        match kind:
            case "lost":
                return content[:at] + put_in + content[at + length :]
            case "cut":
                return content[:at]
            case "twice":
                return content[:at] + part + part + content[at + length :]
            case _:
                return put_in

    return damage


def one_line_or_nothing(read: Reader, path: Path) -> bool:
    """Say whether a file is read, or refused as it should be; any other error is the test's failure."""
    try:
        read(path)
    except CxpathError as error:
        return path.name in str(error) and len(str(error).splitlines()) == 1
    return True


@pytest.mark.parametrize("name", READERS)
@given(damage=damages())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_a_damaged_file_is_read_or_refused_in_one_line(
    name: str, damage: Callable[[bytes], bytes], whole: Path, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(damage((whole / name).read_bytes()))
    for read in READERS[name]:
        assert one_line_or_nothing(read, path)


@pytest.mark.parametrize("name", READERS)
def test_the_whole_file_is_read(name: str, whole: Path) -> None:
    """Else the other test would prove nothing; `cells.parquet` is a table, but not of tiles."""
    for read in READERS[name]:
        read(whole / name)
