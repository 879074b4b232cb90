"""From a run's folder to `report.html`: one file that opens offline and asks nobody for anything."""

from __future__ import annotations

import logging
from pathlib import Path

from cxpath.exchange.whole_file import whole_file
from cxpath.report.embedding import embedded
from cxpath.report.gallery import MAP
from cxpath.report.page import page_content
from cxpath.report.page_template import render_page
from cxpath.report.run_folder import RunFolder, read_run_folder

logger = logging.getLogger(__name__)

_OVERVIEWS = ("tissue.png", "heatmap.png")


def build_report(folder: Path) -> Path:
    """Write `report.html` into a run's folder from the files that stand there.

    Parameters
    ----------
    folder : Path
        A folder with `score.json` and `run.json`; pictures, `tiles.parquet` and `fields/` are shown when
        they are there.

    Returns
    -------
    Path
        The report.

    Raises
    ------
    MissingFileError, RunFolderError
        When the folder or its results cannot be read.
    OutputError
        When the report cannot be written.
    """
    run = read_run_folder(Path(folder))
    pictures = embedded({name: path for name in _picture_names(run) if (path := run.picture(name))})
    html = render_page("report.html.j2", **page_content(run, pictures))
    report = run.path / "report.html"
    with whole_file(report) as partial:
        partial.write_text(html, encoding="utf-8", newline="\n")
    logger.info("wrote %s", report)
    return report


def _picture_names(run: RunFolder) -> list[str]:
    """Return the names of pictures to show; a gallery entry cannot reach outside its folder."""
    gallery = [f"fields/{Path(entry[key]).name}" for entry in run.fields for key in ("plain", "marked")]
    return [*_OVERVIEWS, MAP, *gallery]
