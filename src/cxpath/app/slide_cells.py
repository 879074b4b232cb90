"""The cells of a slide: the engine that runs the network, and cells found, sampled or read from a file."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxpath.app.configuration import ADAPTIVE, PDL1, UNKNOWN, ScoreRequest, read_assay
from cxpath.data import CellTable, Reason, ReasonCode, Regions, TileFrame, coded
from cxpath.errors import OutputError
from cxpath.network import (
    Detector,
    Device,
    Engine,
    Model,
    NetworkSettings,
    OpenvinoEngine,
    TorchEngine,
    convert,
    load_card,
    load_model,
    openvino_version,
    quantise,
    resolve_engine,
)
from cxpath.pipeline import (
    FoundCells,
    Keep,
    Progress,
    SlideContext,
    StageTimes,
    TilePlan,
    added,
    deduplicator,
    lay_strata,
    no_cells,
    plan_slide,
)
from cxpath.pipeline.find_cells import find_cells
from cxpath.scores import (
    FieldDrawing,
    FieldSample,
    SampledTiles,
    ScoringSettings,
    sample_of,
    unassociated,
    why_enough,
)
from cxpath.slide import Slide, cache_path
from cxpath.tissue import Tissue

# Which engine runs the network: torch, or OpenVINO with a network that was converted or quantised once.
#
# A network is quantised on synthetic tissue of fixed seeds, so that every machine gets the same one and no
# slide calibrates its own score.

CALIBRATION_FIELDS = 24
CALIBRATION_SIDE_PX = 512
FIRST_SEED = 41_000
RECIPE = "2"
"""Change it when the lines above, `EXACT_LAYERS` or what `converted` gives change: kept networks are made
again."""

STRANGE_STAINS = (
    "the slide's stain colours are unlike those that the network was trained on; it sees them turned towards "
    "familiar ones (match_stains in [network]): compare its cells with the slide"
)
STRANGE_STAINS_AS_THEY_ARE = (
    "the slide's stain colours are unlike those of the network's training, and it sees them as they are; "
    "it may overlook many positive cells, which no interval includes"
)

_log = logging.getLogger(__name__)


def choose_engine(model: Model, device: Device, settings: NetworkSettings) -> Engine:
    """Return the engine that the settings name, or the quickest for "auto".

    Raises
    ------
    DeviceError
        When it is not installed or does not run on the device.
    """
    settings = resolve_engine(settings, device, model.card.validated_precisions)
    if settings.engine == "torch":
        return TorchEngine(model, device)
    kept = quantised_network if settings.precision == "int8" else converted_network
    return OpenvinoEngine(model, device, kept(model))


def quantised_network(model: Model) -> Path:
    """Return the model's network in int8, from the cache or made now (about a minute, once for a model)."""

    def write(path: Path) -> None:
        _log.info("quantising %s %s, once", model.card.name, model.card.version)
        quantise(model, calibration_tiles(model.card.mpp), path)

    return _kept_network(model, "quantised", write)


def converted_network(model: Model) -> Path | None:
    """Return the model's network as OpenVINO's, converted once; None where no cache can be written."""
    try:
        return _kept_network(model, "converted", partial(convert, model))
    except OutputError as error:
        _log.info("%s; the network is converted again for every run", error)
        return None


def calibration_tiles(mpp: float) -> list[NDArray[np.uint8]]:
    """Make the tissue that networks are quantised on; never made elsewhere."""
    from cxpath.synth import make_field, random_recipe  # noqa: PLC0415 - once for a model, not for a slide

    tiles = []
    for seed in range(FIRST_SEED, FIRST_SEED + CALIBRATION_FIELDS):
        rng = np.random.default_rng(seed)
        recipe = random_recipe(rng, size_px=(CALIBRATION_SIDE_PX, CALIBRATION_SIDE_PX), mpp=mpp)
        tiles.append(np.ascontiguousarray(make_field(recipe, rng).rgb))
    return tiles


def _kept_network(model: Model, kind: str, write: Callable[[Path], None]) -> Path:
    """Return a network from the cache; where it is not there yet, write it."""
    # The digest is of the weights alone; without the features no cell would have its embedding.
    outputs = "-with-features" if model.embedding else ""
    key = f"{model.card.digest[:16]}{outputs}-openvino-{openvino_version().split('-')[0]}-recipe-{RECIPE}"
    folder = cache_path().parent / kind / key
    if not (folder / "network.xml").is_file():
        _make(folder, write)
    return folder / "network.xml"


def _make(folder: Path, write: Callable[[Path], None]) -> None:
    """Write the network next to its place and move it there whole; who comes second keeps the first's."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder.parent))
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written: {error.strerror}", "set XDG_CACHE_HOME to a folder that can"
        ) from error
    try:
        write(unfinished / "network.xml")
        if not folder.exists():
            unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


# `--mode adaptive`: read fields drawn at random, look, and stop when the CPS is narrow or clear enough.


NOT_SAMPLED = "not drawn"
ALL_WAS_READ = Reason(
    ReasonCode.SAMPLED, "adaptive mode: the whole tissue was read, because no smaller part was enough"
)


@dataclass(frozen=True, eq=False)
class SampledFields:
    """Which tiles were drawn, and what that sample says of the whole slide.

    Parameters
    ----------
    tiles : SampledTiles
    estimate : FieldSample
    context_tiles : int
        Tiles read in addition, only to see whether tumour lies near stained immune cells of drawn ones.
    looks : int
    because : str
        Why reading stopped.
    level : float
        Of the sampling interval.
    """

    tiles: SampledTiles
    estimate: FieldSample
    context_tiles: int
    looks: int
    because: str
    level: float

    @property
    def warning(self) -> Reason:
        """What a reader of the score must know."""
        low, high = self.estimate.interval(self.level)
        return Reason(
            ReasonCode.SAMPLED,
            f"adaptive mode: {self.estimate.share_read:.0%} of the tissue's tiles were sampled and read; "
            f"reading all would give a CPS between {low:.2f} and {high:.2f} "
            f"({self.level:.0%} sampling interval)",
        )


@dataclass(frozen=True, eq=False)
class AdaptiveCells:
    """All cells that were read, the plan of the tiles they came from, and how the sample was drawn."""

    cells: CellTable
    plan: TilePlan
    stages: tuple[StageTimes, ...]
    sample: SampledFields

    @property
    def whole(self) -> bool:
        """Whether all tiles were drawn in the end: then nothing needs to be estimated."""
        return bool(self.sample.tiles.read.all())


def read_adaptively(
    request: ScoreRequest,
    context: SlideContext,
    scoring: ScoringSettings,
    progress: Progress | None = None,
    keep: Keep | None = None,
) -> AdaptiveCells:
    """Read tiles, sampled from strata, until the CPS is known well enough; one must have tissue."""
    settings = request.configuration.adaptive
    assay = None if request.assay.lower() == UNKNOWN else read_assay(request.assay)
    cutoffs = [cutoff.value for cutoff in request.cutoffs(assay)]
    plan = context.plan
    strata = lay_strata(plan, context.tissue)
    drawing = FieldDrawing(strata.stratum, strata.rare, settings)
    reading = _Reading(context, progress, keep)
    read = np.zeros(len(strata.tile), dtype=bool)
    looks, because, drawn = 0, "", drawing.first()
    while not because:
        read[drawn] = True
        looks += 1
        cells = reading.read(strata.tile[drawn])
        tiles = SampledTiles(strata.tile, strata.stratum, read.copy())
        estimate = sample_of(cells, tiles, scoring)
        because = why_enough(estimate, cutoffs, settings)
        drawn = drawing.more(estimate) if not because else drawn
    surrounding = _surrounding(cells, tiles, plan, scoring)
    if len(surrounding):
        cells = reading.read(surrounding)
        estimate = sample_of(cells, tiles, scoring)
    sample = SampledFields(tiles, estimate, len(surrounding), looks, because, settings.level)
    taken = (*strata.tile[read].tolist(), *surrounding.tolist())
    return AdaptiveCells(cells, plan.limited_to(taken, NOT_SAMPLED), added(reading.stages), sample)


class _Reading:
    """Reads tiles of one slide in several goes, as if it were one."""

    def __init__(self, context: SlideContext, progress: Progress | None, keep: Keep | None) -> None:
        self._context, self._progress, self._keep = context, progress, keep
        self._duplicates = deduplicator(context)
        self._found: list[FoundCells] = []
        self._done = 0

    @property
    def stages(self) -> list[tuple[StageTimes, ...]]:
        """The times of every go."""
        return [found.stages for found in self._found]

    def read(self, numbers: NDArray[np.int64]) -> CellTable:
        """Read tiles by number; return the cells of all read so far."""
        part = self._context.limited_to(numbers.tolist(), NOT_SAMPLED)
        found = find_cells(part, self._tell if self._progress else None, self._keep, self._duplicates)
        self._found.append(found)
        self._done += len(numbers)
        return CellTable.concatenate(one.cells for one in self._found)

    def _tell(self, done: int, _: int) -> None:
        if self._progress:
            self._progress(self._done + done, len(self._context.plan.with_tissue))


def _surrounding(
    cells: CellTable, tiles: SampledTiles, plan: TilePlan, scoring: ScoringSettings
) -> NDArray[np.int64]:
    """Return unread tiles so near to stained immune cells without tumour that theirs might be there.

    Only with them do the cells of a drawn tile count as they would if the whole slide were read.
    """
    asked = unassociated(cells, tiles, scoring)
    points = np.column_stack([cells.x_px[asked], cells.y_px[asked]])
    reach_px = scoring.association_distance_um / cells.facts.mpp
    unread = {int(number) for number in tiles.tile[~tiles.read]}
    near = (number for number in unread if _gap_px(points, plan.tiles[number].frame) <= reach_px)
    return np.array(sorted(near), dtype=np.int64)


def _gap_px(points: NDArray[np.float64], frame: TileFrame) -> float:
    """Return how far the nearest point lies from a tile's core, in level-0 pixels."""
    if not len(points):
        return float("inf")
    first = np.array([frame.core_x_px, frame.core_y_px])
    outside = np.maximum(0.0, np.maximum(first - points, points - first - frame.core_side_px))
    return float(np.hypot(outside[:, 0], outside[:, 1]).min())


# The cells of a slide: found by the network, or brought by the user.


@dataclass(frozen=True, eq=False)
class SlideCells:
    """The cells to score.

    Parameters
    ----------
    cells : CellTable
    plan : TilePlan
        The tiles they lie in.
    tiles_read : int
        How many of those the network saw.
    form : str
        Of the file that the user brought the cells in; empty when the network found them.
    warnings : tuple of Reason
        What a reader of the score must know about the cells that the user brought.
    stages : tuple of StageTimes
        How long each stage worked and waited; empty for cells that the user brought.
    sample : SampledFields or None
        Which tiles were drawn, where `--mode adaptive` did not read all.
    """

    cells: CellTable
    plan: TilePlan
    tiles_read: int
    form: str = ""
    warnings: tuple[Reason, ...] = ()
    stages: tuple[StageTimes, ...] = ()
    sample: SampledFields | None = None


@dataclass(frozen=True, eq=False)
class LoadedNetwork:
    """A model with what runs it; the same for every slide.

    Parameters
    ----------
    model : Model
    device : Device
    engine : Engine or None
        None where no network is to run.
    settings : NetworkSettings
        What runs: the settings of the request, with engine "auto" replaced.
    """

    model: Model
    device: Device
    engine: Engine | None
    settings: NetworkSettings


def load_network(request: ScoreRequest, device: Device) -> LoadedNetwork:
    """Load the model and choose an engine; needs no slide, so that both can be done while one is looked at.

    The last network is kept: the slides of a batch share it.
    """
    network, path = request.configuration.network, request.model
    return _loaded(path, load_card(path).digest, device, network, with_engine=request.cells is None)


@lru_cache(maxsize=1)
def _loaded(
    model_path: str, _digest: str, device: Device, settings: NetworkSettings, *, with_engine: bool
) -> LoadedNetwork:
    model = load_model(model_path)
    settings = resolve_engine(settings, device, model.card.validated_precisions)
    engine = choose_engine(model, device, settings) if with_engine else None
    return LoadedNetwork(model, device, engine, settings)


def prepare(
    request: ScoreRequest,
    slide: Slide,
    tissue: Tissue,
    network: LoadedNetwork,
    regions: Regions | None = None,
) -> SlideContext:
    """Plan the tiles of a slide for a network."""
    settings = request.configuration.pipeline
    detector = Detector(
        network.model,
        network.device,
        tissue.stains,
        centre_threshold=settings.network.centre_threshold,
        engine=network.engine,
        match_stains=settings.network.match_stains,
    )
    plan = plan_slide(slide, tissue, detector, settings)
    stained = request.configuration.scoring.stained_threshold
    return SlideContext(slide, tissue, plan, detector, settings, regions, stained)


def obtain_cells(
    request: ScoreRequest,
    context: SlideContext,
    scoring: ScoringSettings,
    progress: Progress | None = None,
    keep: Keep = lambda _: None,
) -> SlideCells:
    """Run the network over the tissue, or read the cells that the request names.

    `keep` gets all cells, part by part, as they are found; `scoring`, what the card filled in included, tells
    `--mode adaptive` when it has read enough.

    Raises
    ------
    CellsFileError
        When given cells cannot be read, belong to another slide, or nobody said whether they are stained.
    """
    plan = context.plan
    if request.cells:
        given = _given(request.cells, request, context)
        keep(given.cells)
        return given
    keep(no_cells(context))
    if request.mode == ADAPTIVE and plan.with_tissue:
        read = read_adaptively(request, context, scoring, progress, keep)
        return SlideCells(
            read.cells,
            read.plan,
            len(read.plan.with_tissue),
            warnings=(ALL_WAS_READ if read.whole else read.sample.warning, *_stain_remark(context.detector)),
            stages=read.stages,
            sample=None if read.whole else read.sample,
        )
    found = find_cells(context, progress, keep)
    return SlideCells(
        found.cells,
        plan,
        tiles_read=len(plan.with_tissue),
        warnings=_stain_remark(context.detector),
        stages=found.stages,
    )


def _stain_remark(detector: Detector) -> tuple[Reason, ...]:
    """Say that a slide's colours are strange to the network, and whether it saw them turned."""
    known = detector.card.stains
    if known is None or known.as_value().strangeness(detector.stain) == 0.0:
        return ()
    as_they_are = detector.shown_stain == detector.stain
    text = STRANGE_STAINS_AS_THEY_ARE if as_they_are else STRANGE_STAINS
    return (Reason(ReasonCode.STAIN_COLOURS, text),)


def _given(path: Path, request: ScoreRequest, context: SlideContext) -> SlideCells:
    from cxpath.io import (  # noqa: PLC0415 - most runs are given no cells
        default_cell_classes,
        read_cell_classes,
        read_given_cells,
        refuse_unknown_staining,
    )

    info, card, tissue = context.slide.info, context.detector.card, context.tissue
    classes = read_cell_classes(request.class_map or default_cell_classes())
    classes = classes.ignoring(request.ignore_classes)
    stated = request.configuration.scoring.stained_threshold
    threshold = stated or card.thresholds.stained_threshold
    names = (request.slide.name, request.slide.stem, info.name)
    given = read_given_cells(path, info, classes, threshold, names)
    cells = given.cells
    warnings = (*given.warnings, *_of_another_scale(cells, tissue, info.mpp))
    if request.marker == PDL1:
        refuse_unknown_staining(cells, path)
    cells = cells.take(tissue.unspoiled(cells.x_px, cells.y_px))
    if regions := context.regions:
        cells = cells.take(regions.contains(cells.x_px, cells.y_px, info.width_px, info.height_px))
    own = cells.facts.stained_threshold
    facts = replace(cells.facts, stained_threshold=stated or own or threshold)
    cells = replace(cells, facts=facts, tile=context.plan.tile_at(cells.x_px, cells.y_px))
    return SlideCells(cells, context.plan, 0, given.form, coded(ReasonCode.GIVEN_CELLS, warnings))


_FEW_CELLS, _SMALLER, _ALIKE = 100, 0.6, 0.05


def _of_another_scale(cells: CellTable, tissue: Tissue, mpp: float) -> Iterator[str]:
    """Warn of cells that reach an equal, small part of the tissue's width and height, as places in µm do."""
    rows, columns = np.nonzero(tissue.found)
    if not len(rows) or len(cells) < _FEW_CELLS:
        return
    scale = tissue.overview_mpp / mpp
    across = float(cells.x_px.max()) / ((columns.max() + 1) * scale)
    down = float(cells.y_px.max()) / ((rows.max() + 1) * scale)
    if max(across, down) < _SMALLER and abs(across - down) < _ALIKE:
        yield (
            f"the given cells reach {across:.0%} of the way to the tissue's right edge and {down:.0%} to its "
            "lower edge: check that their coordinates are level-0 pixels of this slide"
        )
