"""Cells as values: peaks of the network, calibration of probabilities, and the table of cells."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from anndata import AnnData
    from pandas import DataFrame

# Calibration: how a model's raw logits become probabilities one may believe (from its card).


@dataclass(frozen=True)
class Calibration:
    """Temperature and bias fitted on held-out truth (Guo et al. 2017; Alexandari et al. 2020).

    Kinds: softmax(logits / temperature + biases); stains: sigmoid(logit / temperature + bias).

    Parameters
    ----------
    class_temperature : float
        Divides the kind logits before the softmax.
    class_biases : tuple of float
        Added to them, one for each of `FINE_CLASSES`; empty for none. A network trained with rare classes
        weighing more names them too often; these take that back.
    membrane_temperature, membrane_bias : float
        For the membrane-stain logit, which decides tumour cells.
    any_temperature, any_bias : float
        For the any-stain logit, which decides all other cells.
    """

    class_temperature: float = 1.0
    class_biases: tuple[float, ...] = ()
    membrane_temperature: float = 1.0
    membrane_bias: float = 0.0
    any_temperature: float = 1.0
    any_bias: float = 0.0


# CellTable: one row a cell, as a struct of arrays. The only thing scores are made from.
#
# Positions are level-0 pixels of the slide file, origin top left, pixel centres at .5.


SCHEMA = "cxpath/cells/1"


class Kind(IntEnum):
    """What a cell counts as. `IMMUNE` means lymphocyte or macrophage, nothing else."""

    TUMOUR = 0
    IMMUNE = 1
    OTHER = 2


class Subkind(IntEnum):
    """The finer name of a cell that is not a tumour cell; `UNKNOWN` for every tumour cell."""

    UNKNOWN = 0
    LYMPHOCYTE = 1
    MACROPHAGE = 2
    PLASMA = 3
    NEUTROPHIL = 4
    EOSINOPHIL = 5
    FIBROBLAST = 6
    ENDOTHELIUM = 7
    NECROTIC = 8
    BENIGN_EPITHELIUM = 9


class TissueRegion(IntEnum):
    """The tissue a cell lies in, as the network's coarse head or the pathologist's drawing says."""

    UNKNOWN = 0
    NEST = 1
    STROMA = 2
    NECROSIS = 3
    BENIGN = 4


IMMUNE_SUBKINDS = frozenset({Subkind.LYMPHOCYTE, Subkind.MACROPHAGE})

COLUMNS: dict[str, type[np.generic]] = {
    "x_px": np.float64,
    "y_px": np.float64,
    "kind": np.uint8,
    "subkind": np.uint8,
    "p_tumour": np.float32,
    "p_immune": np.float32,
    "p_other": np.float32,
    "stained": np.float32,
    "dab_membrane_od": np.float32,
    "dab_cytoplasm_od": np.float32,
    "membrane_completeness": np.float32,
    "hematoxylin_od": np.float32,
    "diameter_um": np.float32,
    "region": np.uint8,
    "tile": np.int32,
}
"""Column name to element type. Float columns may contain NaN where foreign cells leave them unknown."""

EMBEDDING_COMPONENTS = 16
"""Bytes of a cell's embedding."""


@dataclass(frozen=True)
class CellTableFacts:
    """What the numbers in a CellTable refer to.

    Parameters
    ----------
    mpp : float
        Micrometres per level-0 pixel.
    width_px, height_px : int
        Level-0 size of the slide.
    slide_digest, model_digest : str
        SHA-256 of the slide file and of the model's weights; empty when unknown.
    stain_vectors : tuple
        Optical-density directions of haematoxylin and DAB (two rows of red, green, blue).
    white_point : tuple
        Red, green, blue of empty glass, 0-255.
    stained_threshold : float, optional
        Probability from which a cell counts as stained, where whoever wrote the cells decided it; so that
        cells read back are scored as they were.
    """

    mpp: float
    width_px: int
    height_px: int
    slide_digest: str = ""
    model_digest: str = ""
    stain_vectors: tuple[tuple[float, float, float], ...] = ()
    white_point: tuple[float, float, float] = (255.0, 255.0, 255.0)
    frame: str = "level0"
    schema: str = SCHEMA
    stained_threshold: float | None = None


@dataclass(frozen=True, eq=False)
class CellTable:
    """Cells of one slide; every array has one entry per cell (see `COLUMNS` for types and names).

    `embedding`, (N, 16), is what the network saw in each cell: 1 to 255, comparable among cells of one model
    alone, and sixteen zeros for a cell of which nothing is known, as one added by a person. It is None where
    no cell has one.
    """

    facts: CellTableFacts
    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    kind: NDArray[np.uint8]
    subkind: NDArray[np.uint8]
    p_tumour: NDArray[np.float32]
    p_immune: NDArray[np.float32]
    p_other: NDArray[np.float32]
    stained: NDArray[np.float32]
    dab_membrane_od: NDArray[np.float32]
    dab_cytoplasm_od: NDArray[np.float32]
    membrane_completeness: NDArray[np.float32]
    hematoxylin_od: NDArray[np.float32]
    diameter_um: NDArray[np.float32]
    region: NDArray[np.uint8]
    tile: NDArray[np.int32]
    embedding: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        lengths = {name: len(getattr(self, name)) for name in COLUMNS}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns differ in length: {lengths}")
        if self.embedding is not None:
            _check_embedding(self.embedding, len(self))

    def __len__(self) -> int:
        return len(self.x_px)

    @property
    def certainty(self) -> NDArray[np.float32]:
        """Probability of the kind that each cell is called; NaN where foreign cells leave it unknown."""
        return np.maximum(self.p_tumour, np.maximum(self.p_immune, self.p_other))

    @property
    def embedded(self) -> NDArray[np.bool_]:
        """Which cells have an embedding."""
        if self.embedding is None:
            return np.zeros(len(self), dtype=bool)
        return np.asarray(self.embedding.any(axis=1))

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by column name, in the order of `COLUMNS`; the embedding is none of them."""
        return {name: getattr(self, name) for name in COLUMNS}

    def to_pandas(self) -> DataFrame:
        """Return one row a cell; see `cxpath.data.frames.to_pandas` (extra `scverse`)."""
        from cxpath.data import to_pandas  # noqa: PLC0415  # it imports this module

        return to_pandas(self)

    def to_anndata(self) -> AnnData:
        """Return the cells as AnnData; see `cxpath.data.frames.to_anndata` (extra `scverse`)."""
        from cxpath.data import to_anndata  # noqa: PLC0415  # it imports this module

        return to_anndata(self)

    def take(self, rows: NDArray[Any] | slice) -> CellTable:
        """Return the cells at `rows` (a boolean mask, an index array or a slice)."""
        columns = {name: array[rows] for name, array in self.columns().items()}
        embedding = None if self.embedding is None else self.embedding[rows]
        return CellTable(self.facts, **columns, embedding=embedding)

    @classmethod
    def from_columns(
        cls, facts: CellTableFacts, *, embedding: NDArray[np.uint8] | None = None, **given: Any
    ) -> CellTable:
        """Build a table from some columns; the others become NaN, 0 or `UNKNOWN`.

        Parameters
        ----------
        facts : CellTableFacts
            What the positions refer to.
        embedding : uint8 array, (N, 16), optional
        **given
            Arrays by column name; `x_px` and `y_px` are required. A missing `p_*` column is made
            from `kind` (certain), since a foreign detector that names a kind means it.

        Raises
        ------
        ValueError
            When a name is no column.
        """
        unknown = set(given) - set(COLUMNS)
        if unknown:
            raise ValueError(f"no such cell columns: {sorted(unknown)}")
        number = len(given["x_px"])
        columns = {name: _as_column(name, given.get(name), number) for name in COLUMNS}
        for kind, name in enumerate(("p_tumour", "p_immune", "p_other")):
            if name not in given and "kind" in given:
                columns[name] = (columns["kind"] == kind).astype(np.float32)
        return cls(facts, **columns, embedding=embedding)

    @classmethod
    def concatenate(cls, tables: Iterable[CellTable]) -> CellTable:
        """Join tables of the same slide, in order; at least one is needed."""
        parts = list(tables)
        joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS}
        return cls(parts[0].facts, **joined, embedding=_joined_embedding(parts))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CellTable):
            return NotImplemented
        same_columns = all(
            np.array_equal(getattr(self, name), getattr(other, name), equal_nan=kind(0).dtype.kind == "f")
            for name, kind in COLUMNS.items()
        )
        if self.embedding is None or other.embedding is None:
            same_embedding = self.embedding is other.embedding
        else:
            same_embedding = np.array_equal(self.embedding, other.embedding)
        return self.facts == other.facts and same_columns and same_embedding

    __hash__ = None  # type: ignore[assignment]  # arrays can change


def _check_embedding(embedding: NDArray[np.uint8], number: int) -> None:
    if embedding.dtype != np.uint8 or embedding.shape != (number, EMBEDDING_COMPONENTS):
        found = f"{embedding.dtype} {embedding.shape}"
        raise ValueError(f"the embedding must be uint8 ({number}, {EMBEDDING_COMPONENTS}), not {found}")


def _joined_embedding(parts: list[CellTable]) -> NDArray[np.uint8] | None:
    """Return the parts' embeddings one below the other, zeros for parts without; None when all lack it."""
    if all(part.embedding is None for part in parts):
        return None
    unknown = (np.zeros((len(part), EMBEDDING_COMPONENTS), np.uint8) for part in parts)
    each = zip(parts, unknown, strict=True)
    return np.concatenate([zeros if part.embedding is None else part.embedding for part, zeros in each])


def _as_column(name: str, given: Any, number: int) -> NDArray[Any]:
    element = COLUMNS[name]
    if given is not None:
        with np.errstate(over="ignore"):  # too large for the column: infinite, which readers refuse by name
            return np.asarray(given, dtype=element)
    if np.dtype(element).kind == "f":
        return np.full(number, np.nan, dtype=element)
    return np.full(number, -1 if name == "tile" else 0, dtype=element)


# CellPeaks: what the network saw in one tile, before anybody calls it a cell.


FINE_CLASSES: tuple[str, ...] = ("tumour", *(subkind.name.lower() for subkind in Subkind if subkind))
"""Order of the network's kind logits: tumour first, then every Subkind but UNKNOWN (ten in all)."""

REGION_CLASSES: tuple[str, ...] = tuple(region.name.lower() for region in TissueRegion)
"""Order of the network's region logits, as TissueRegion; `unknown` is glass or unusable."""

STAIN_CLASSES: tuple[str, ...] = ("membrane", "any")
"""Order of the stain logits: convincing linear membrane; membrane and/or cytoplasm."""


@dataclass(frozen=True, eq=False)
class CellPeaks:
    """Peaks of the centre map of one tile; N peaks, R radii, A angles.

    Parameters
    ----------
    x_px, y_px : float64 array, (N,)
        Centre in *tile* pixels at the network's µm/px, origin at the tile's top left (halo included),
        pixel centres at .5.
    score : float32 array, (N,)
        Centre probability, 0-1.
    class_logits : float32 array, (N, 10)
        In the order of `FINE_CLASSES`.
    stain_logits : float32 array, (N, 2)
        In the order of `STAIN_CLASSES`.
    region : uint8 array, (N,)
        Winning `TissueRegion` at the centre.
    radii_um : float32 array, (R,)
        Radii of the optical-density samples.
    hematoxylin_od, dab_od : float32 array, (N, R, A)
        Stain amounts sampled on rings around the centre.
    embedding : uint8 array, (N, 16), optional
        See `CellTable`; None where the model, or what runs it, gives none.
    """

    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    score: NDArray[np.float32]
    class_logits: NDArray[np.float32]
    stain_logits: NDArray[np.float32]
    region: NDArray[np.uint8]
    radii_um: NDArray[np.float32]
    hematoxylin_od: NDArray[np.float32]
    dab_od: NDArray[np.float32]
    embedding: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.x_px)
