"""Libraries that only some tasks need: imported when used, or one line that says what to install."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from cxpath.errors import MissingExtraError


def import_extra(module: str, extra: str) -> Any:
    """Import a module of an extra.

    Parameters
    ----------
    module : str
        Such as "openpyxl.reader.excel".
    extra : str
        Name of the extra in brackets: "agree" of `cxpath[agree]`.

    Raises
    ------
    MissingExtraError
        When it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.split(".", maxsplit=1)[0]
        raise MissingExtraError(
            f"{package} is not installed, which this needs", f"pip install 'cxpath[{extra}]'"
        ) from error
