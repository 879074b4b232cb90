"""What a reader of a result must know: the research-use sentence, and reasons and warnings with their codes.

Advice, statistics and exclusions are chosen by the code. The text is for people and may be reworded.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

ResearchUse = Literal["For Research Use Only. Not for use in diagnostic procedures."]
RESEARCH_USE: ResearchUse = "For Research Use Only. Not for use in diagnostic procedures."
"""On every report, in every document, and the last line of every command."""


class ReasonCode(StrEnum):
    """What a reason or a warning is about."""

    # Why a slide or a case is not evaluable; those of controls may be warnings instead.
    NO_TUMOUR = "no_tumour"
    TOO_FEW_TUMOUR_CELLS = "too_few_tumour_cells"
    NO_TISSUE = "no_tissue"
    NOT_BRIGHTFIELD = "not_brightfield"
    NOT_HDAB = "not_hdab"
    OUT_OF_FOCUS = "out_of_focus"
    ARTEFACTS = "artefacts"
    CONTROL_FAILED = "control_failed"
    CONTROL_NOT_FOUND = "control_not_found"
    RESOLUTION = "resolution"
    NO_EVALUABLE_SLIDE = "no_evaluable_slide"

    # What a reader must know before using a score.
    MODEL_NOTICE = "model_notice"
    ASSAY_NOT_STATED = "assay_not_stated"
    ASSAY_UNSUPPORTED = "assay_unsupported"
    STAIN_CHECK_OFF = "stain_check_off"
    STAIN_COLOURS = "stain_colours"
    CELLS_FROM_FILE = "cells_from_file"
    GIVEN_CELLS = "given_cells"
    REGIONS = "regions"
    SLIDE_FILE = "slide_file"
    SAMPLED = "sampled"
    LABORATORY_PROFILE = "laboratory_profile"
    OTHER_MARKER = "other_marker"

    # Caveats of an agreement study.
    READS_TABLE = "reads_table"
    JOIN = "join"
    CAVEAT = "caveat"


@dataclass(frozen=True)
class Reason:
    """Why there is no score, or what a reader of one must know.

    Parameters
    ----------
    code : ReasonCode
    text : str
        One line; a reason for no score also says what to do.
    """

    code: ReasonCode
    text: str

    def __str__(self) -> str:
        return self.text


def coded(code: ReasonCode, texts: Iterable[str]) -> tuple[Reason, ...]:
    """Return texts of one origin as reasons with that origin's code."""
    return tuple(Reason(code, text) for text in texts)


def counted(number: int, noun: str) -> str:
    """Return "1 slide", or "3 slides"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def texts(reasons: Iterable[Reason]) -> tuple[str, ...]:
    """Return what a person reads of each reason."""
    return tuple(reason.text for reason in reasons)
