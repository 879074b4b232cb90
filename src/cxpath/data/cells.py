"""Cells as values: peaks of the network, calibrated probabilities, the table of cells, its data frames."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cxpath.data.settings import import_extra

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


CELLS_SCHEMA = "cxpath/cells/1"


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
    schema: str = CELLS_SCHEMA
    stained_threshold: float | None = None


@dataclass(frozen=True, eq=False)
class CellTable:
    """Cells of one slide; every array has one entry per cell (see `COLUMNS` for types and names)."""

    facts: CellTableFacts
    x_px: NDArray[np.float64]
    """Centre, level-0 pixels from the left edge."""
    y_px: NDArray[np.float64]
    """Centre, level-0 pixels from the top edge."""
    kind: NDArray[np.uint8]
    """`tumour`, `immune` (lymphocyte or macrophage, nothing else) or `other`."""
    subkind: NDArray[np.uint8]
    """`lymphocyte`, `macrophage`, `plasma`, `neutrophil`, `eosinophil`, `fibroblast`, `endothelium`,
    `necrotic`, `benign_epithelium` or `unknown`; always `unknown` for tumour cells."""
    p_tumour: NDArray[np.float32]
    """Calibrated probability of a tumour cell; the three together are 1."""
    p_immune: NDArray[np.float32]
    """Calibrated probability of a lymphocyte or macrophage."""
    p_other: NDArray[np.float32]
    """Calibrated probability of any other cell."""
    stained: NDArray[np.float32]
    """Calibrated probability that the cell is of its kind and PD-L1 positive by that kind's rule: membrane
    for tumour cells, membrane or cytoplasm for the others. A cell is positive from
    `scoring.stained_threshold` on."""
    dab_membrane_od: NDArray[np.float32]
    """DAB around the cell's edge, optical density."""
    dab_cytoplasm_od: NDArray[np.float32]
    """DAB inside the cell but outside the nucleus, optical density."""
    membrane_completeness: NDArray[np.float32]
    """Share of the outline that is stained with DAB."""
    hematoxylin_od: NDArray[np.float32]
    """Haematoxylin of the nucleus, optical density."""
    diameter_um: NDArray[np.float32]
    """Estimated diameter, µm."""
    region: NDArray[np.uint8]
    """Tissue it lies in: `nest`, `stroma`, `necrosis`, `benign` or `unknown`."""
    tile: NDArray[np.int32]
    """Row of `tiles.parquet` it was found in; −1 when unknown."""
    embedding: NDArray[np.uint8] | None = None
    """What the network computed for each cell, (N, 16): principal components of its last features, 1 to 255,
    comparable among cells of one model alone. Sixteen zeros (null in `cells.parquet`) for a cell of which
    nothing is known, as one added by a person; None, and no column, where no cell has one."""

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
        """Return one row a cell; see the function `to_pandas` (extra `scverse`)."""
        return to_pandas(self)

    def to_anndata(self) -> AnnData:
        """Return the cells as AnnData; see the function `to_anndata` (extra `scverse`)."""
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


# Cells as a pandas DataFrame and as AnnData, and back. Knows no files; both libraries are an extra.

SCVERSE_EXTRA = "scverse"

NAMED: dict[str, type[IntEnum]] = {"kind": Kind, "subkind": Subkind, "region": TissueRegion}
"""Columns of words."""

STAINING = "staining"
STAINING_WORDS = ("negative", "positive")
"""What `stained` means at the table's threshold; missing where nobody said it."""

FACTS_KEY, SPATIAL_KEY, EMBEDDING_KEY = "cxpath", "spatial", "embedding"
"""Names inside an AnnData: `uns["cxpath"]` states the facts, `obsm["spatial"]` the places in µm,
`obsm["embedding"]` what the network saw in each cell."""


def to_pandas(cells: CellTable) -> DataFrame:
    """Return one row a cell, with the columns of `cells.parquet`, `x_um`, `y_um` and `staining`.

    Words are categories in the order of their enumeration; `staining` is there when the table knows its
    threshold. Measured numbers that are unknown are NaN.
    """
    pandas = import_extra("pandas", SCVERSE_EXTRA)
    columns: dict[str, Any] = {}
    for name, array in cells.columns().items():
        columns[name] = _words(pandas, array, NAMED[name]) if name in NAMED else array
    columns["x_um"], columns["y_um"] = (values * cells.facts.mpp for values in (cells.x_px, cells.y_px))
    if cells.facts.stained_threshold is not None:
        codes = staining_codes(cells.stained, cells.facts.stained_threshold)
        # Words as objects: anndata refuses to write the string arrays that newer pandas would make of them.
        words = pandas.Index(STAINING_WORDS, dtype=object)
        columns[STAINING] = pandas.Categorical.from_codes(codes, words)
    rows = pandas.Index(map(str, range(len(cells))), dtype=object)
    frame: DataFrame = pandas.DataFrame(columns, index=rows)
    return frame


def to_anndata(cells: CellTable) -> AnnData:
    """Return the cells as AnnData, from which `from_anndata` makes the same table again.

    `obs` is the frame of `to_pandas`, `obsm["spatial"]` (N, 2) the places in micrometres from the slide's top
    left corner, `uns["cxpath"]` the facts: µm per pixel, size, threshold, digests of slide and model, stains.
    Where cells have an embedding it is `obsm["embedding"]`, uint8 (N, 16), zeros for cells without. There are
    no variables: measurements are columns of `obs`.
    """
    pandas, anndata = import_extra("pandas", SCVERSE_EXTRA), import_extra("anndata", SCVERSE_EXTRA)
    frame = to_pandas(cells)
    places = frame[["x_um", "y_um"]].to_numpy(np.float64)
    found = anndata.AnnData(
        obs=frame.drop(columns=["x_um", "y_um"]), var=pandas.DataFrame(index=pandas.Index([], dtype=object))
    )
    found.obsm[SPATIAL_KEY] = places
    if cells.embedding is not None:
        found.obsm[EMBEDDING_KEY] = cells.embedding
    found.uns[FACTS_KEY] = _stated(cells.facts)
    return found


def from_anndata(found: AnnData) -> CellTable:
    """Return the table that `to_anndata` was made from, with what was changed in its columns since.

    Raises
    ------
    ValueError
        When it is not of cxpath's form, a word is unknown, or `staining` contradicts `stained`.
    """
    facts, obs = _facts(found.uns.get(FACTS_KEY)), found.obs
    missing = [name for name in COLUMNS if name not in obs.columns]
    if missing:
        raise ValueError(f"columns missing in obs: {', '.join(missing)}")
    columns: dict[str, Any] = {
        name: _codes(obs[name], name) if name in NAMED else obs[name].to_numpy(element)
        for name, element in COLUMNS.items()
    }
    cells = CellTable(facts, **columns, embedding=_embedding(found.obsm.get(EMBEDDING_KEY)))
    _refuse_other_places(cells, found.obsm.get(SPATIAL_KEY))
    if STAINING in obs.columns and facts.stained_threshold is not None:
        _refuse_contradiction(obs[STAINING], staining_codes(cells.stained, facts.stained_threshold))
    return cells


def staining_codes(stained: NDArray[np.float32], threshold: float) -> NDArray[np.int8]:
    """Return 1 for positive, 0 for negative and -1 where it is not known."""
    return np.where(np.isfinite(stained), (stained >= threshold).astype(np.int8), -1).astype(np.int8)


def _words(pandas: Any, codes: NDArray[np.uint8], members: type[IntEnum]) -> Any:
    words = pandas.Index([member.name.lower() for member in members], dtype=object)
    return pandas.Categorical.from_codes(codes.astype(np.int8), words)


def _codes(column: Any, name: str) -> NDArray[np.uint8]:
    codes = {member.name.lower(): int(member) for member in NAMED[name]}
    words = column.astype(object).to_numpy()
    strange = sorted({str(word) for word in set(words.tolist()) if word not in codes})
    if strange:
        raise ValueError(f"column {name} of obs contains {', '.join(strange[:5])}; known: {', '.join(codes)}")
    return np.array([codes[word] for word in words.tolist()], np.uint8)


def _stated(facts: CellTableFacts) -> dict[str, Any]:
    """Return facts that HDF5 can store: no None, and tuples of colours as arrays."""
    stated = {name: value for name, value in asdict(facts).items() if value is not None}
    stated["stain_vectors"] = np.array(facts.stain_vectors, np.float64).reshape(-1, 3)
    stated["white_point"] = np.array(facts.white_point, np.float64)
    return stated


def _facts(stated: Any) -> CellTableFacts:
    if not hasattr(stated, "items") or str(stated.get("schema")) != CELLS_SCHEMA:
        raise ValueError(f'uns["{FACTS_KEY}"] does not state schema {CELLS_SCHEMA}')
    known = {field.name for field in fields(CellTableFacts)}
    given = {name: value for name, value in stated.items() if name in known}
    try:
        values: dict[str, Any] = {name: str(value) for name, value in given.items()}
        values |= {name: float(given[name]) for name in ("mpp", "stained_threshold") if name in given}
        values |= {name: int(given[name]) for name in ("width_px", "height_px")}
        vectors = np.asarray(given["stain_vectors"]).reshape(-1, 3)
        values["stain_vectors"] = tuple(_colour(vector) for vector in vectors)
        values["white_point"] = _colour(np.asarray(given["white_point"]))
        facts = CellTableFacts(**values)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f'the facts in uns["{FACTS_KEY}"] are incomplete') from error
    if not 0 < facts.mpp < float("inf"):
        raise ValueError(f"mpp is {facts.mpp}, not a number of µm per pixel")
    return facts


def _embedding(stated: Any) -> NDArray[np.uint8] | None:
    if stated is None:
        return None
    found = np.asarray(stated)
    if found.dtype != np.uint8 or found.shape[1:] != (EMBEDDING_COMPONENTS,):
        raise ValueError(f'obsm["{EMBEDDING_KEY}"] is not {EMBEDDING_COMPONENTS} bytes a cell')
    return found


def _colour(numbers: NDArray[Any]) -> tuple[float, float, float]:
    first, second, third = (float(number) for number in numbers)
    return first, second, third


def _refuse_other_places(cells: CellTable, places: Any) -> None:
    """Refuse places in µm that are not those in pixels: cells were moved in one of the two."""
    if places is None:
        return
    own = np.column_stack([cells.x_px, cells.y_px]) * cells.facts.mpp
    if np.shape(places)[1:] != (2,) or not np.allclose(places, own, rtol=1e-6, atol=1e-3):
        raise ValueError(f'obsm["{SPATIAL_KEY}"] and x_px, y_px of obs say different places')


def _refuse_contradiction(column: Any, codes: NDArray[np.int8]) -> None:
    expected = {"negative": 0, "positive": 1}
    stated = np.array([expected.get(word, -1) for word in column.astype(object).tolist()])
    wrong = int((stated != codes).sum())
    if wrong:
        raise ValueError(f"column {STAINING} of obs contradicts stained in {wrong} cells: change stained")
