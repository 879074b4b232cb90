"""The tables of the results database: `cohorts`, and `slides` with the columns of the cohort table."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, Column, Float, ForeignKey, Integer, MetaData, Table, Text
from sqlalchemy.types import TypeEngine

from cxpath.batch.cohort import COLUMNS, Kind

_TYPES: dict[Kind, type[TypeEngine[Any]]] = {
    "text": Text,
    "number": Float,
    "whole": Integer,
    "yes/no": Boolean,
}

METADATA = MetaData(
    naming_convention={"pk": "pk_%(table_name)s", "fk": "fk_%(table_name)s_%(column_0_name)s"}
)

COHORTS = Table(
    "cohorts",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("written", Text, nullable=False),
)
"""One row a batch: its lasting key, its folder's name, when it was last written (ISO 8601, UTC)."""

SLIDES = Table(
    "slides",
    METADATA,
    Column("cohort", Text, ForeignKey("cohorts.key", ondelete="CASCADE"), primary_key=True),
    Column("id", Text, primary_key=True),
    *(Column(column.name, _TYPES[column.kind]) for column in COLUMNS if column.name != "id"),
    Column("notes", Text),
)
"""One row a slide, as in the cohort table; `notes` holds the worklist's `note…` columns as JSON."""
