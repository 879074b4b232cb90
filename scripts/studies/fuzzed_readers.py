"""Every reader of cxpath with small files to damage: made here, and found among the cases and real data.

A reader is called as the command line calls it; what it returns is looked at, since numbers out of their
range would go on into a score.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import random
import shutil
import struct
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import tifffile
from PIL import Image

from cxpath.app.configuration import ScoreRequest, load_configuration
from cxpath.app.score_slide import score_slide
from cxpath.app.therapy import ReviewRequest, review_profile, review_therapy
from cxpath.app.tmb import TmbRequest, tmb_document
from cxpath.batch.worklist import contradictions, read_worklist
from cxpath.cli.main import main as command_line
from cxpath.data.cells import CellTable, CellTableFacts
from cxpath.data.slide_info import SlideInfo
from cxpath.documents.patient import TherapyDocument, TmbDocument
from cxpath.errors import CxpathError, ResolutionError
from cxpath.io.cell_classes import default_cell_classes, read_cell_classes
from cxpath.io.cells import read_cells, read_table, write_cells
from cxpath.io.foreign_cells import read_given_cells
from cxpath.io.reads import read_reads
from cxpath.io.regions import read_regions
from cxpath.network.card import CARD_NAME, read_card
from cxpath.slide.identity import series_instance_uid
from cxpath.slide.open import open_slide
from cxpath.slide.slide import Slide
from cxpath.training.annotations import read_class_map, read_objects
from scripts.studies.mutations import Form

ROOT = Path(__file__).resolve().parents[2]
SIDE_PX, MPP = 2048, 0.25
_MOST_SEED_BYTES = 700_000


@dataclass(frozen=True)
class FuzzedReader:
    """A reader, and the files that it is tried on.

    Parameters
    ----------
    read : callable
        Reads one file; a `CxpathError` is a refusal, every other error a fault.
    form : Form
    name : str
        Of the files: readers choose by the ending, and a results folder by the whole name.
    seeds : tuple of bytes
        Made by this program.
    found : tuple of bytes
        Seeds from elsewhere.
    """

    read: Callable[[Path], object]
    form: Form
    name: str
    seeds: tuple[bytes, ...]
    found: tuple[bytes, ...] = ()

    def seed(self, rng: random.Random) -> bytes:
        """Return one of the files, two times in three one of our own, which every reader takes."""
        return rng.choice(self.found if self.found and rng.random() < 1 / 3 else self.seeds)


class WrongValueError(Exception):
    """A reader let a number through that cannot be right."""


def _require(holds: bool, what: str) -> None:  # noqa: FBT001  # as an assertion
    if not holds:
        raise WrongValueError(what)


# Cells, regions, reads.

_INFO = SlideInfo(
    "base.svs", "slide", "ab" * 32, "", SIDE_PX, SIDE_PX, MPP, "user", "openslide", "aperio", (1.0,),
    (0, 0, SIDE_PX, SIDE_PX),
)  # fmt: skip


def _read_given_cells(path: Path) -> None:
    classes = read_cell_classes(default_cell_classes())
    cells = read_given_cells(path, _INFO, classes, 0.5, ("base.svs", "base")).cells
    _look_at_cells(cells)
    _require(bool(np.all((cells.x_px >= 0) & (cells.x_px <= SIDE_PX))), "a cell lies outside the slide")


def _look_at_cells(cells: CellTable) -> None:
    _require(
        bool(np.isfinite(cells.x_px).all() and np.isfinite(cells.y_px).all()), "a position is not finite"
    )
    for name in ("p_tumour", "p_immune", "p_other", "stained"):
        values = np.asarray(getattr(cells, name))
        _require(
            bool(np.all(np.isnan(values) | ((values >= 0) & (values <= 1)))), f"{name} is not within 0 to 1"
        )


def _read_own_cells(path: Path) -> None:
    with contextlib.suppress(CxpathError):
        read_table(path)
    read_cells(path)


def _read_regions(path: Path) -> None:
    regions = read_regions(path, (0, 0, SIDE_PX, SIDE_PX), size_px=(SIDE_PX, SIDE_PX))
    _require(bool(np.isfinite([area.shape.area for area in regions.areas]).all()), "an area is not finite")
    regions.contains(np.array([500.5, 900.0]), np.array([500.5, 900.0]), SIDE_PX, SIDE_PX)
    with contextlib.suppress(CxpathError):
        read_objects(path, (0, 0, SIDE_PX, SIDE_PX))


def _read_reads(path: Path) -> None:
    for read in read_reads(path).reads:
        number = read.value.number
        _require(bool(np.isnan(number)) or 0 <= number <= 100, f"a read is {number}")


def _read_worklist(path: Path) -> None:
    tasks = read_worklist(str(path), ScoreRequest(Path("unused.svs")), path.parent / "out", "model")
    contradictions(tasks)


# Variants.


def _read_variants(path: Path) -> None:
    tmb_document(TmbRequest(path, "wes_nonsyn", megabases=1.0)).text()


def _read_bed(path: Path) -> None:
    calls = path.parent / "whole.vcf"
    if not calls.exists():
        calls.write_bytes(_vcf())
    tmb_document(TmbRequest(calls, "wes_nonsyn", bed=path)).text()


# Settings.


def _read_profile(path: Path) -> None:
    review_profile(ReviewRequest(path, path.parent / "review", overwrite=True))


def _read_criteria(path: Path) -> None:
    folder = path.parent / "criteria"
    if not folder.exists():
        folder.mkdir()
        shutil.copy(ROOT / "configs/therapy/cautions.toml", folder)
    shutil.copy(path, folder)
    review_therapy({}, criteria=folder)


def _read_card(path: Path) -> None:
    read_card(path.parent)


# Slides.


def _read_slide(path: Path) -> None:
    series_instance_uid(path)
    try:
        slide = open_slide(path)
    except ResolutionError:
        slide = open_slide(path, MPP)
    with slide:
        _look_at_slide(slide)


def _look_at_slide(slide: Slide) -> None:
    info = slide.info
    _require(0.05 <= info.mpp <= 5, f"µm per pixel is {info.mpp}")
    _require(min(info.width_px, info.height_px) > 0, "the slide has no pixels")
    for x_px, y_px in ((0, 0), (info.width_px / 2, info.height_px / 2), (info.width_px - 20, -20)):
        for mpp in (info.mpp, info.mpp * 3.7):
            picture = slide.read(x_px, y_px, 48, 40, mpp)
            _require(picture.shape == (40, 48, 3), f"a region has the shape {picture.shape}")


# What cxpath wrote itself, read back by its commands.


def _read_result(path: Path) -> None:
    """Exchange one file of a results folder and run the commands that read such folders."""
    folder = path.parent / "result"
    if not folder.exists():
        shutil.copytree(_scored_folder(), folder)
    name = path.name.replace("@", "/")
    (folder / name).write_bytes(path.read_bytes())
    try:
        for words in (("report", folder), ("cases", folder), ("fields", folder)):
            _run(*map(str, words))
    finally:
        shutil.copy(_scored_folder() / name, folder / name)


def _run(*words: str) -> None:
    """Run a command; raise what it could not foresee (CXPATH_DEBUG is set), or its refusal."""
    before, told = sys.argv, io.StringIO()
    sys.argv = ["cxpath", *words]
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(told):
            command_line()
    except SystemExit as end:
        if end.code:
            lines = told.getvalue().splitlines()
            _require(len(lines) == 1, f"{words[0]} said {len(lines)} lines instead of one")
            raise CxpathError(lines[0]) from end
    finally:
        sys.argv = before


@cache
def _scored_folder() -> Path:
    """Return a results folder, scored once in every process from a small slide and a lattice of cells."""
    home = Path(tempfile.mkdtemp(prefix="fuzz-"))
    (home / "base.svs").write_bytes(_svs())
    (home / "cells.csv").write_bytes(_cells_csv())
    settings = ("tissue.stain_check=off",)
    score_slide(
        ScoreRequest(
            home / "base.svs",
            home / "base",
            assay="22c3",
            cells=home / "cells.csv",
            configuration=load_configuration(None, settings),
        )
    )
    return home / "base"


# Seeds.


def _lattice() -> CellTable:
    """Return 400 cells on the tissue of the drawn slide."""
    side = np.linspace(100.5, SIDE_PX - 100.5, 20)
    x_px, y_px = (grid.ravel() for grid in np.meshgrid(side, side))
    kind = np.arange(len(x_px)) % 3
    facts = CellTableFacts(mpp=MPP, width_px=SIDE_PX, height_px=SIDE_PX, slide_digest="ab" * 32)
    return CellTable.from_columns(
        facts,
        x_px=x_px,
        y_px=y_px,
        kind=kind,
        stained=np.where(kind == 2, np.nan, np.arange(len(x_px)) % 2),
        **{name: (kind == code) * 1.0 for code, name in enumerate(("p_tumour", "p_immune", "p_other"))},
    )


def _cells_csv() -> bytes:
    cells, names = _lattice(), ("tumour", "immune", "other")
    rows = (
        f"{x},{y},{names[kind]},{'' if kind == 2 else f'{stained:g}'}"
        for x, y, kind, stained in zip(cells.x_px, cells.y_px, cells.kind, cells.stained, strict=True)
    )
    return "\n".join(("x_px,y_px,kind,stained", *rows, "")).encode()


def _own_cells() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        write_cells(_lattice(), Path(folder) / "cells.parquet")
        return (Path(folder) / "cells.parquet").read_bytes()


def _qupath_table() -> bytes:
    head = "Image\tObject type\tClassification\tCentroid X µm\tCentroid Y µm\tMembrane: DAB OD mean"
    rows = (
        f"base.svs\tDetection\tTumor: {('Positive', 'Negative')[n % 2]}\t{20 + n}.5\t{30 + n}.25\t0.{n:03}"
        for n in range(60)
    )
    return "\n".join((head, *rows, "")).encode()


def _square(x_px: float, side_px: float) -> list[list[list[float]]]:
    return [[[x_px, x_px], [x_px + side_px, x_px], [x_px + side_px, x_px + side_px], [x_px, x_px + side_px],
             [x_px, x_px]]]  # fmt: skip


def _feature(shape: Mapping[str, Any], kind: str, class_name: str, **more: Any) -> dict[str, Any]:
    held = {"objectType": kind, "classification": {"name": class_name, "color": [200, 0, 0]}, **more}
    return {"type": "Feature", "id": f"{kind}-{class_name}", "geometry": shape, "properties": held}


def _geojson(*features: Mapping[str, Any]) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def _cells_geojson() -> bytes:
    cells = [
        _feature(
            {"type": "Polygon", "coordinates": _square(100.0 + 30 * n, 12.0)},
            "cell",
            ("Tumor: Positive", "Tumor: Negative", "Immune cells: Negative")[n % 3],
            measurements={"Membrane: DAB OD mean": n / 30},
        )
        for n in range(30)
    ]
    points = {"type": "MultiPoint", "coordinates": [[900.5, 900.5], [950.5, 920.5]]}
    return _geojson(*cells, _feature(points, "annotation", "Tumor: Positive"))


def _regions_geojson() -> bytes:
    ring = [*_square(100, 1500), *_square(300, 200)]
    several = {"type": "MultiPolygon", "coordinates": [_square(1650, 100), _square(1800, 50)]}
    both = [{"type": "Polygon", "coordinates": _square(1200, 60)}, {"type": "Point", "coordinates": [5, 6]}]
    return _geojson(
        _feature({"type": "Polygon", "coordinates": ring}, "annotation", "Tumor"),
        _feature(several, "annotation", "Necrosis", name="fold"),
        _feature({"type": "GeometryCollection", "geometries": both}, "annotation", "Exclude"),
    )


_ASAP = b"""<?xml version="1.0"?>
<ASAP_Annotations><Annotations>
<Annotation Name="a" Type="Polygon" PartOfGroup="Tumor" Color="#F4FA58"><Coordinates>
<Coordinate Order="0" X="100,5" Y="100.5" /><Coordinate Order="1" X="900" Y="100" />
<Coordinate Order="2" X="900" Y="800" /></Coordinates></Annotation>
<Annotation Name="b" Type="Dot" PartOfGroup="None"><Coordinates><Coordinate Order="0" X="1" Y="2" />
</Coordinates></Annotation></Annotations>
<AnnotationGroups><Group Name="Tumor" PartOfGroup="None" /></AnnotationGroups>
</ASAP_Annotations>
"""
_IMAGESCOPE = b"""<?xml version="1.0" encoding="UTF-8"?>
<Annotations MicronsPerPixel="0.25"><Annotation Id="1" Name="Tumor" Type="4"><Regions>
<Region Id="1" Type="0" Text="" NegativeROA="0"><Vertices><Vertex X="100" Y="100" Z="0" />
<Vertex X="1100" Y="100" Z="0" /><Vertex X="1100" Y="1100" Z="0" /></Vertices></Region>
<Region Id="2" Type="1" NegativeROA="1"><Vertices><Vertex X="200" Y="200" /><Vertex X="400" Y="400" />
</Vertices></Region></Regions></Annotation></Annotations>
"""
_TIDY = "case,reader,value,round,score\n" + "".join(
    f"c{n},r{reader},{value},{1 + n % 2},CPS\n"
    for n, value in enumerate(("1", "<1", "0.5", "12 %", "NE", "100", ""))
    for reader in (1, 2)
)
_WIDE = "case;Dr A;Dr B\n" + "".join(f"c{n};{n}.5;{2 * n}\n" for n in range(12))
_WORKLIST = (
    b"slide,id,regions,cells,mpp,assay,note x\na.svs,a,a.geojson,,0.25,22c3,x\nb.svs,b,,b.csv,,22c3,y\n"
)


def _workbook(rows: str, separator: str) -> bytes:
    book, file = openpyxl.Workbook(), io.BytesIO()
    sheet = book.worksheets[0]
    for row in rows.splitlines():
        sheet.append(row.split(separator))
    sheet["C2"].number_format, sheet["C2"] = "0%", 0.05
    book.save(file)
    return file.getvalue()


_CONTIGS = "##contig=<ID=chr1,length=248956422>\n##contig=<ID=chr2,length=242193529>\n"
_FORMATS = "".join(
    f'##FORMAT=<ID={name},Number={number},Type={kind},Description="x">\n'
    for name, number, kind in (("GT", 1, "String"), ("AD", "R", "Integer"), ("DP", 1, "Integer"),
                               ("AF", "A", "Float"), ("TAR", 2, "Integer"), ("TIR", 2, "Integer"))
)  # fmt: skip


def _vcf(field: str = "CSQ", columns: str = "Allele|Consequence|SYMBOL|BIOTYPE|PICK|gnomADe_AF") -> bytes:
    head = f'##INFO=<ID={field},Number=.,Type=String,Description="x. Format: {columns}">\n'
    frameshift, missense = (
        "-|frameshift_variant|TP53|protein_coding|1|",
        "G|missense_variant|TP53|protein_coding|1|0.001",
    )
    rows = (
        f"chr1\t100\t.\tCA\tC,CG\t50\tPASS\t{field}={frameshift},{missense}\tGT:AD:DP:AF\t0/1:90,5,7:102:0.05,0.07",
        f"chr1\t2000\trs1\tA\tT\t.\tweak\t{field}=T|synonymous_variant|KRAS|lncRNA||0.2\tGT:AD:DP\t0/1:30,40:70",
        "chr2\t5\t.\tG\t<DEL>\t.\t.\tSVTYPE=DEL;END=900\tTAR:TIR\t10,20:3,4",
    )
    columns_line = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ttumour\n"
    declared = '##FILTER=<ID=weak,Description="x">\n##ALT=<ID=DEL,Description="x">\n'
    return ("##fileformat=VCFv4.2\n" + _CONTIGS + declared + head + _FORMATS + columns_line + "\n".join(rows)
            + "\n").encode()  # fmt: skip


_MAF_HEAD = (
    "Hugo_Symbol\tChromosome\tStart_Position\tReference_Allele\tTumor_Seq_Allele2\tVariant_Classification\t"
    "Tumor_Sample_Barcode\tt_depth\tt_alt_count\tMutation_Status\tFILTER\tgnomAD_AF\tNCBI_Build\n"
)
_MAF_END = "Somatic\tPASS\t\tGRCh38"
_MAF = (
    "#version 2.4\n" + _MAF_HEAD + "".join(
        f"G{n}\t{1 + n % 3}\t{1000 + n}\t{'A-'[n % 2]}\tTG\t{kind}\tc{n % 2}\t{90 + n}.0\t{n}\t{_MAF_END}\n"
        for n, kind in enumerate(("Missense_Mutation", "Silent", "Frame_Shift_Ins", "Splice_Site", "Intron"))
    )
).encode()  # fmt: skip
_BED = b"track name=panel\nchr1\t50\t5000\tTP53\nchr2\t0\t700\n"
_CONFIG = b'[scoring]\nlevel = 0.95\nassociation_distance_um = 300\n\n[tissue]\nstain_check = "off"\n'


def _picture(height: int = 320, width: int = 384) -> np.ndarray[Any, np.dtype[np.uint8]]:
    rng = np.random.default_rng(5)
    coarse = rng.integers(90, 255, (height // 16, width // 16, 3), dtype=np.uint8)
    return np.asarray(coarse.repeat(16, axis=0).repeat(16, axis=1), np.uint8)


def _tiff(*, aperio: bool = False, **options: Any) -> bytes:
    file, picture = io.BytesIO(), _picture()
    how: dict[str, Any] = {"tile": (64, 64), "photometric": "rgb", "metadata": None, **options}
    text = "Aperio Image Library v12\r\n384x320 (64x64) JPEG/RGB Q=88|AppMag = 40|MPP = 0.25"
    with tifffile.TiffWriter(file) as tiff:
        for index, step in enumerate((1, 4)):
            described = (
                {"description": text} if aperio else {"resolution": (40_000, 40_000), "resolutionunit": 3}
            )
            tiff.write(
                picture[::step, ::step], subfiletype=0 if aperio else min(index, 1), **how, **described
            )
    return file.getvalue()


def _svs() -> bytes:
    """Return a slide of the size that the cells lie on, grey-blue as haematoxylin."""
    file = io.BytesIO()
    stained = np.full((SIDE_PX, SIDE_PX, 3), (150, 130, 190), dtype=np.uint8)
    text = f"Aperio Image Library v12\r\n{SIDE_PX}x{SIDE_PX} (256x256) JPEG/RGB Q=88|AppMag = 40|MPP = {MPP}"
    how: dict[str, Any] = {"tile": (256, 256), "compression": "jpeg", "metadata": None, "description": text}
    with tifffile.TiffWriter(file) as tiff:
        for step in (1, 4, 16):
            tiff.write(stained[::step, ::step], photometric="ycbcr", subsampling=(2, 2), **how)
    return file.getvalue()


def _ome() -> bytes:
    file = io.BytesIO()
    sizes = {"PhysicalSizeX": MPP, "PhysicalSizeY": MPP, "PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm"}
    with tifffile.TiffWriter(file, ome=True) as tiff:
        tiff.write(_picture(), subifds=1, tile=(64, 64), photometric="rgb", metadata={"axes": "YXS", **sizes})
        tiff.write(_picture()[::2, ::2], subfiletype=1, tile=(64, 64), photometric="rgb")
    return file.getvalue()


def _ndpi() -> bytes:
    """Return a TIFF with the marks of Hamamatsu's form: one JPEG strip a level."""
    file = io.BytesIO()
    marks = [(65420, "I", 1, 1, True), (65421, "f", 1, 40.0, True), (65424, "i", 1, 0, True)]
    with tifffile.TiffWriter(file) as tiff:
        tiff.write(
            _picture(), compression="jpeg", photometric="ycbcr", rowsperstrip=320, metadata=None,
            extratags=marks, resolution=(40_000, 40_000), resolutionunit=3, software="NDP.scan",
        )  # fmt: skip
    return file.getvalue()


def _image(form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(_picture()).save(file, form, **options)
    return file.getvalue()


def _palette() -> bytes:
    file = io.BytesIO()
    Image.fromarray(_picture()).convert("P").save(file, "PNG")
    return file.getvalue()


def _dicom() -> bytes:
    """Return the header of a DICOM file, explicit VR little endian, with a sequence and a series."""

    def element(group: int, number: int, kind: bytes, value: bytes) -> bytes:
        value += b"\0" * (len(value) % 2)
        long = kind in {b"OB", b"SQ", b"UN"}
        length = struct.pack("<HI", 0, len(value)) if long else struct.pack("<H", len(value))
        return struct.pack("<HH", group, number) + kind + length + value

    item = element(0x0008, 0x0100, b"SH", b"X")
    sequence = struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item
    syntax = element(0x0002, 0x0010, b"UI", b"1.2.840.10008.1.2.1")
    body = (
        element(0x0008, 0x0016, b"UI", b"1.2.840.10008.5.1.4.1.1.77.1.6")
        + element(0x0008, 0x1140, b"SQ", sequence)
        + element(0x0020, 0x000E, b"UI", b"1.2.3.4")
        + element(0x0028, 0x0010, b"US", struct.pack("<H", 64))
        + element(0x7FE0, 0x0010, b"OB", bytes(64))
    )
    return (
        bytes(128) + b"DICM" + element(0x0002, 0x0000, b"UL", struct.pack("<I", len(syntax))) + syntax + body
    )


def _tmb_json() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "calls.vcf").write_bytes(_vcf())
        return (
            tmb_document(TmbRequest(Path(folder) / "calls.vcf", "wes_nonsyn", megabases=1.0)).text().encode()
        )


def _therapy_json() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        review_profile(ReviewRequest(ROOT / "configs/profile/worked_case.toml", Path(folder)))
        return (Path(folder) / "therapy.json").read_bytes()


def _of_result(name: str) -> bytes:
    return (_scored_folder() / name).read_bytes()


# Readers by name.


def readers(corpus: tuple[Path, ...] = ()) -> dict[str, Callable[[], FuzzedReader]]:
    """Return how to make each reader; files below the folders of `corpus` are further seeds."""

    def reader(
        read: Callable[[Path], object],
        form: Form,
        name: str,
        *seeds: Callable[[], bytes] | bytes,
        like: str = "",
    ) -> Callable[[], FuzzedReader]:
        def made() -> FuzzedReader:
            own = tuple(seed() if callable(seed) else seed for seed in seeds)
            found = tuple(path.read_bytes() for folder in corpus for path in _found(folder, like))
            return FuzzedReader(read, form, name, own, found)

        return made

    tidy, wide = _TIDY.encode(), _WIDE.encode()
    configs, text, slide = ROOT / "configs", Form.TEXT, Form.TIFF
    return {
        "cells CSV": reader(
            _read_given_cells, text, "cells.csv", _cells_csv, _qupath_table, like="cells/**/*.[ct]sv"
        ),
        "cells GeoJSON": reader(
            _read_given_cells, Form.JSON, "cells.geojson", _cells_geojson, like="cells/**/*.geojson"
        ),
        "cells Parquet": reader(_read_given_cells, Form.PARQUET, "cells.parquet", _own_cells),
        "own Parquet": reader(
            _read_own_cells, Form.PARQUET, "cells.parquet", _own_cells,
            lambda: _of_result("tiles.parquet"), like="hostile-files/**/*.parquet",
        ),
        "class map": reader(read_cell_classes, text, "classes.toml", default_cell_classes().read_bytes),
        "regions GeoJSON": reader(
            _read_regions, Form.JSON, "regions.geojson", _regions_geojson, like="**/*.geojson"
        ),
        "regions ASAP": reader(_read_regions, text, "regions.xml", _ASAP),
        "regions ImageScope": reader(_read_regions, text, "regions.xml", _IMAGESCOPE),
        "reads CSV": reader(_read_reads, text, "reads.csv", tidy, wide, like="reads/**/reads*.csv"),
        "reads XLSX": reader(
            _read_reads, Form.ZIP, "reads.xlsx", lambda: _workbook(_TIDY, ","), lambda: _workbook(_WIDE, ";"),
            like="**/*.xlsx",
        ),
        "worklist": reader(_read_worklist, text, "worklist.csv", _WORKLIST, like="**/w*.csv"),
        "worklist XLSX": reader(
            _read_worklist, Form.ZIP, "worklist.xlsx", lambda: _workbook(_WORKLIST.decode(), ",")
        ),
        "VCF": reader(
            _read_variants, text, "calls.vcf", _vcf,
            lambda: _vcf("ANN", "Allele | Annotation | Gene_Name | Transcript_BioType"), like="**/*.vcf",
        ),
        "VCF gzip": reader(
            _read_variants, text, "calls.vcf.gz", lambda: gzip.compress(_vcf()), like="**/*.vcf.gz"
        ),
        "MAF": reader(_read_variants, text, "calls.maf", _MAF, like="**/*.maf"),
        "BED": reader(_read_bed, text, "panel.bed", _BED, like="**/*.bed"),
        "settings": reader(
            load_configuration, text, "settings.toml", _CONFIG, (configs / "default.toml").read_bytes
        ),
        "profile": reader(
            _read_profile, text, "profile.toml", (configs / "profile/worked_case.toml").read_bytes,
            (configs / "profile/template.toml").read_bytes, like="**/*profile*.toml",
        ),
        "criteria": reader(
            _read_criteria, text, "criteria.toml", (configs / "therapy/jp.toml").read_bytes,
            (configs / "therapy/cn.toml").read_bytes, like="**/criteria*.toml",
        ),
        "model card": reader(
            _read_card, text, CARD_NAME,
            (ROOT / "models/small" / CARD_NAME).read_bytes,
        ),
        "annotation classes": reader(
            read_class_map, text, "classes.toml", (configs / "annotations/qupath_pdl1.toml").read_bytes
        ),
        "TIFF": reader(
            _read_slide, slide, "slide.tif", lambda: _tiff(compression="deflate"),
            lambda: _tiff(compression="lzw"), lambda: _tiff(compression="jpeg"), like="**/*.tif*",
        ),
        "SVS": reader(
            _read_slide, slide, "slide.svs", lambda: _tiff(aperio=True, compression="jpeg"), like="**/*.svs"
        ),
        "OME-TIFF": reader(_read_slide, slide, "slide.ome.tif", _ome),
        "NDPI": reader(_read_slide, slide, "slide.ndpi", _ndpi, like="**/*.ndpi"),
        "PNG": reader(
            _read_slide, Form.PNG, "slide.png", lambda: _image("PNG"), _palette, like="hostile-files/**/*.png"
        ),
        "JPEG": reader(
            _read_slide, Form.BYTES, "slide.jpg", lambda: _image("JPEG"),
            lambda: _image("JPEG", progressive=True, subsampling=0), like="hostile-files/**/*.jpg",
        ),
        "DICOM": reader(_read_slide, Form.BYTES, "slide.dcm", _dicom, like="**/*.dcm"),
        "tmb.json": reader(TmbDocument.read, Form.JSON, "tmb.json", _tmb_json),
        "therapy.json": reader(TherapyDocument.read, Form.JSON, "therapy.json", _therapy_json),
        "score.json": reader(
            _read_result, Form.JSON, "score.json", lambda: _of_result("score.json")
        ),
        "run.json": reader(_read_result, Form.JSON, "run.json", lambda: _of_result("run.json")),
        "fields.json": reader(
            _read_result, Form.JSON, "fields@fields.json", lambda: _of_result("fields/fields.json")
        ),
        "tiles.parquet": reader(
            _read_result, Form.PARQUET, "tiles.parquet", lambda: _of_result("tiles.parquet")
        ),
        "result's cells": reader(
            _read_result, Form.PARQUET, "cells.parquet", lambda: _of_result("cells.parquet")
        ),
    }  # fmt: skip


def _found(folder: Path, pattern: str) -> list[Path]:
    if not pattern or not folder.is_dir():
        return []
    return [path for path in sorted(folder.glob(pattern)) if path.stat().st_size <= _MOST_SEED_BYTES]
