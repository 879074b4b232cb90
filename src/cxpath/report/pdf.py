"""A page as PDF, through WeasyPrint where it is installed (`pip install 'cxpath[pdf]'`)."""

from __future__ import annotations

import logging
from pathlib import Path

from cxpath.exchange.whole_file import whole_file
from cxpath.values.errors import OutputError


def write_pdf(html: str, path: Path) -> None:
    """Print a page on A4.

    Parameters
    ----------
    html : str
    path : Path

    Raises
    ------
    OutputError
        When WeasyPrint, or a library that it needs, is not installed.
    """
    require_pdf()
    from weasyprint import HTML  # noqa: PLC0415  (an extra)

    # It speaks of every style that is for screens only.
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    with whole_file(path) as partial:
        HTML(string=html).write_pdf(partial)


def require_pdf() -> None:
    """Make sure that PDF can be written, before anything else is.

    Raises
    ------
    OutputError
        When it cannot.
    """
    try:
        import weasyprint  # noqa: F401, PLC0415
    except (ImportError, OSError) as error:  # OSError: Pango is missing
        raise OutputError(
            "PDF needs WeasyPrint, which is not installed or lacks Pango",
            "pip install 'cxpath[pdf]', or print the HTML page from a browser",
        ) from error
