"""Every error a user can meet: one base, a message that names what is wrong, a hint that says what to do."""

from __future__ import annotations

import unicodedata

_MOST_LETTERS = 4500
"""Of a message: room for the longest path, but not for an entry of a damaged file that fills a screen."""

_UNPRINTABLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode categories that break a line, hide, or cannot be written: a file's own words may contain them."""


class CxpathError(Exception):
    """Base of all errors raised on purpose; its texts fit on one line, whatever a file's words contain.

    Parameters
    ----------
    message : str
        One line that names the file or setting and what is wrong with it.
    hint : str
        One line that says what to do about it; may be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = _on_one_line(message)
        self.hint = _on_one_line(hint)

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


def _on_one_line(text: str) -> str:
    """Return a text without line ends, control characters and half characters, and shortened if endless."""
    if not text.isprintable():
        shown = " ".join(text.splitlines()).replace("\t", " ")
        text = "".join("\ufffd" if unicodedata.category(one) in _UNPRINTABLE else one for one in shown)
    if len(text) > _MOST_LETTERS:
        text = f"{text[: _MOST_LETTERS - 300]} ... {text[-200:]}"
    return text


class MissingFileError(CxpathError, FileNotFoundError):
    """A path that the user named does not exist."""


class UnreadableSlideError(CxpathError, OSError):
    """A file that is not a slide, or a slide that breaks on opening or on reading."""


class ResolutionError(CxpathError, ValueError):
    """The micrometres per pixel are missing, absurd or contradict each other."""


class NotEvaluableError(CxpathError, ValueError):
    """A slide that no cells can be looked for on: its stain or its µm per pixel do not suit the model."""


class MissingExtraError(CxpathError, ImportError):
    """A library that only this task needs is not installed."""


class ConfigurationError(CxpathError, ValueError):
    """A configuration key is unknown or its value is not allowed."""


class ModelError(CxpathError, ValueError):
    """A model folder is missing, incomplete or does not match its card."""


class RegionsFileError(CxpathError, ValueError):
    """A file of drawn regions cannot be read or names no usable region."""


class CellsFileError(CxpathError, ValueError):
    """A table of cells cannot be read or lacks a column."""


class ProfileError(CxpathError, ValueError):
    """A patient's profile cannot be read, or a field of it says what cannot be."""


class CriteriaError(CxpathError, ValueError):
    """A file of therapy criteria cannot be read, or states a criterion that cannot be evaluated."""


class VariantsFileError(CxpathError, ValueError):
    """A file of variants or of genome intervals cannot be read, or lacks what was asked of it."""


class ReadsFileError(CxpathError, ValueError):
    """A table of manual reads cannot be read, lacks a column, or contains an impossible or a double read."""


class StudyError(CxpathError, ValueError):
    """Reads that allow no study: too few cases or readers, or a reader who is not there."""


class DocumentError(CxpathError, ValueError):
    """A JSON document of cxpath is damaged, incomplete or of another schema."""


class AssayError(CxpathError, ValueError):
    """An assay is unknown, or does not support the score asked of it."""


class OutputError(CxpathError, OSError):
    """A result cannot be written, or would overwrite an earlier one."""


class DeviceError(CxpathError, RuntimeError):
    """The device that was asked for is not there."""


class WorklistError(CxpathError, ValueError):
    """A worklist cannot be read, or its rows contradict each other."""


class BatchError(CxpathError, RuntimeError):
    """A batch cannot continue: its folder is in use, workers do not start, its cluster is out of reach."""


class TissueTileError(CxpathError, ValueError):
    """A labelled tile of real tissue cannot be read in full, or its stains cannot be distinguished."""


class DatabaseError(CxpathError, RuntimeError):
    """A database cannot be reached or written, or contains a table of another form."""
