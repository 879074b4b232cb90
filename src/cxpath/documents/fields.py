"""Fields of a slide: `fields/fields.json`, the gallery of a run, and the table of `cxpath fields`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cxpath.documents.base import Document, Part


class FieldCounts(Part):
    """Cells of one field by what they count as."""

    tumour_positive: int
    tumour_negative: int
    immune_positive: int
    immune_negative: int
    immune_positive_not_associated: int
    other: int


PictureName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$")]
"""Of a file in the folder of the fields; a name that leads out of it is refused."""


class FieldEntry(Part):
    """One field of the gallery; lengths are of the slide, from its top left corner."""

    number: int
    bucket: str
    """`influence`, or the class of local CPS that it was drawn from."""
    plain: PictureName
    marked: PictureName
    """File names of the two pictures."""
    left_um: float
    top_um: float
    width_um: float
    height_um: float
    caption: str
    local_cps: float | None = Field(ge=0, le=100)
    counts: FieldCounts


class FieldsDocument(Document):
    """The gallery of a run."""

    HINT: ClassVar[str] = "score the slide again, or give a folder that cxpath score wrote"

    schema_name: Literal["cxpath/fields/1"] = Field(default="cxpath/fields/1", alias="schema")
    fields: tuple[FieldEntry, ...]


class FieldRow(Part):
    """Viable tumour cells of one field; pixels are level-0, lengths from the slide's top left corner."""

    field: int
    left_px: float
    top_px: float
    left_um: float
    top_um: float
    centre_x_um: float
    centre_y_um: float
    side_um: float
    viable_tumour_cells: int
    tumour_positive: int
    immune_positive: int
    share_of_tumour_cells: float
    local_cps: float
    influence: float | None
    """The CPS less the one without the field; null where the field contains all tumour."""


class FieldTable(Document):
    """The fields of a slide with viable tumour cells, those with most of them first."""

    HINT: ClassVar[str] = "list the fields again with cxpath fields"

    schema_name: Literal["cxpath/field-table/1"] = Field(default="cxpath/field-table/1", alias="schema")
    viable_tumour_cells: int
    fields: tuple[FieldRow, ...]
