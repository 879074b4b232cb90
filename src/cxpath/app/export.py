"""A results folder for other programs: AnnData, DICOM annotations and report, an overlay for QuPath."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePath

from pydicom.dataset import Dataset

from cxpath.data import import_extra
from cxpath.documents import PDL1, RunFolder, ScoreDocument, read_run_folder
from cxpath.errors import OutputError, UnreadableSlideError
from cxpath.io import (
    Maker,
    folder_for,
    image_of_digest,
    image_of_series,
    read_cells,
    write_annotations,
    write_h5ad,
)
from cxpath.io.dicom import EXTRA as DICOM_EXTRA
from cxpath.report import OVERLAY_NAME, write_qupath_overlay
from cxpath.slide import files_of, pseudonym, pseudonym_key, series_instance_uid, slide_digest

H5AD_NAME, ANNOTATIONS_NAME, REPORT_NAME = "cells.h5ad", "cells.dcm", "score.dcm"
_MARKERS = {PDL1: "PD-L1"}
_HINT = "give the DICOM file that was scored, or leave out --slide, so that the export refers to new UIDs"


class ExportFormat(StrEnum):
    """What a result can be exported as."""

    H5AD = "h5ad"
    DICOM = "dicom"
    QUPATH = "qupath"


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Parameters
    ----------
    files : tuple of Path
    remarks : tuple of str
        What a user of the files must know.
    """

    files: tuple[Path, ...]
    remarks: tuple[str, ...] = ()


def export_results(
    folder: Path,
    formats: Sequence[ExportFormat],
    out: Path | None = None,
    slide: Path | None = None,
    *,
    overwrite: bool = False,
) -> Exported:
    """Write a result of `cxpath score` in other programs' forms.

    Parameters
    ----------
    folder : Path
        The results folder.
    formats : sequence of ExportFormat
    out : Path, optional
        Folder for the files; the results folder by default.
    slide : Path, optional
        A file of the DICOM series that was scored, which DICOM files shall refer to.
    overwrite : bool
        Replace earlier files.

    Raises
    ------
    MissingFileError, DocumentError, CellsFileError
        When the folder is no result.
    MissingExtraError
        When a library is not installed.
    OutputError
        When a file is there already, or nothing can be written.
    UnreadableSlideError
        When `slide` is another slide, or no DICOM.
    """
    run = read_run_folder(folder)
    home = folder_for(out or folder)
    names = {
        ExportFormat.H5AD: (H5AD_NAME,),
        ExportFormat.DICOM: (ANNOTATIONS_NAME, REPORT_NAME),
        ExportFormat.QUPATH: (OVERLAY_NAME,),
    }
    wanted = [home / name for one in dict.fromkeys(formats) for name in names[one]]
    for path in wanted:
        if path.exists() and not overwrite:
            raise OutputError(f"{path}: is there already", "pass --overwrite or choose another --out")
    written, remarks = [], []
    if ExportFormat.H5AD in formats:
        write_h5ad(read_cells(folder / "cells.parquet"), home / H5AD_NAME)
        written.append(home / H5AD_NAME)
    if ExportFormat.QUPATH in formats:
        write_qupath_overlay(run, home / OVERLAY_NAME)
        written.append(home / OVERLAY_NAME)
    if ExportFormat.DICOM in formats:
        files, said = _export_dicom(run, home, slide)
        written += files
        remarks += said
    return Exported(tuple(written), tuple(remarks))


def _export_dicom(run: RunFolder, home: Path, slide: Path | None) -> tuple[list[Path], list[str]]:
    import_extra("highdicom", DICOM_EXTRA)
    from cxpath.report import write_report  # noqa: PLC0415  # an extra

    score, maker = run.score, maker_of(run)
    image, remarks = _image(run, slide)
    files = [home / REPORT_NAME]
    write_report(score, home / REPORT_NAME, image, maker)
    cells = read_cells(run.path / "cells.parquet")
    if len(cells):
        marker = _MARKERS.get(score.marker, score.marker.upper())
        write_annotations(cells, home / ANNOTATIONS_NAME, image, maker, marker)
        files.insert(0, home / ANNOTATIONS_NAME)
    else:
        remarks.append("the result has no cells: only the report was written")
    return files, remarks


def maker_of(run: RunFolder) -> Maker:
    """Return who found the cells of a result: the network, or what is known of a file."""
    given = run.run.given_cells
    if given:
        return Maker(f"cells from a file: {given.form}", "not stated", "", automatic=False)
    model = run.run.model
    return Maker(model.name, model.version, model.digest)


def _image(run: RunFolder, slide: Path | None) -> tuple[Dataset, list[str]]:
    """Return what DICOM files refer to, and what must be said of it."""
    score, hidden = run.score, run.run.options.pseudonym
    if slide is not None and not hidden:
        return _series_image(score, slide), []
    digest = score.slide.digest
    if hidden:
        remark = "the result is pseudonymised: DICOM files refer to new UIDs and name no patient"
        return image_of_digest(digest, PurePath(score.slide.name).stem), [remark]
    remark = "DICOM files refer to new UIDs that stand for the slide; its patient is a pseudonym"
    return image_of_digest(digest, pseudonym(score.slide.name, pseudonym_key())), [remark]


def _series_image(score: ScoreDocument, slide: Path) -> Dataset:
    if series_instance_uid(slide) is None:
        raise UnreadableSlideError(f"{slide}: not a file of a DICOM series", _HINT)
    if slide_digest(slide, "dicom") != score.slide.digest:
        raise UnreadableSlideError(f"{slide}: another slide than the one that was scored", _HINT)
    try:
        image = image_of_series(files_of(slide, "dicom"))
    except ValueError as error:
        raise UnreadableSlideError(f"{slide}: {error}", _HINT) from error
    size = (image.TotalPixelMatrixColumns, image.TotalPixelMatrixRows)
    if size != (score.slide.width_px, score.slide.height_px):
        raise UnreadableSlideError(
            f"{slide}: its full-size image has {size[0]} x {size[1]} px, not {score.slide.width_px} x "
            f"{score.slide.height_px} as the result says",
            _HINT,
        )
    return image
