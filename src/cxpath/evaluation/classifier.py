"""A model as classifier of the cells of pictures, and what is kept of each: contact picture and result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from cxpath.data import Kind, StainBasis, optical_density
from cxpath.documents import ContactPicture, CountedItem
from cxpath.io import atomic_write, output_error
from cxpath.metrics import detect_in_picture, score_class
from cxpath.network import Detector, Device, Engine, Model, TorchEngine
from cxpath.pipeline import name_cells, positive_probability
from cxpath.tissue.stains import VISIBLE_OD_SUM, estimate_stains, estimate_white_point
from cxpath.training import card_decision


@dataclass(frozen=True, eq=False)
class Calls:
    """Called cells of one picture, N in all.

    Parameters
    ----------
    points_um : float64 array, (N, 2)
        x, y in micrometres from the picture's top left.
    kind : uint8 array, (N,)
    stained : float32 array, (N,)
        Calibrated probability of being what it is called and PD-L1 positive by that kind's rule.
    positive : bool array, (N,)
    certainty : float32 array, (N,)
        Calibrated probability of the kind that the cell is called.
    """

    points_um: NDArray[np.float64]
    kind: NDArray[np.uint8]
    stained: NDArray[np.float32]
    positive: NDArray[np.bool_]
    certainty: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def places(self) -> NDArray[np.int64]:
        """Each cell's place in `confusion.CLASSES`."""
        return score_class(self.kind, self.positive)

    @property
    def tumour_positive(self) -> NDArray[np.bool_]:
        """Which cells are called PD-L1 positive tumour."""
        return np.asarray(self.positive & (self.kind == Kind.TUMOUR))

    def take(self, rows: NDArray[np.bool_]) -> Calls:
        """Return the cells at `rows`."""
        return Calls(
            self.points_um[rows],
            self.kind[rows],
            self.stained[rows],
            self.positive[rows],
            self.certainty[rows],
        )


class CellClassifier:
    """A model on a device, asked for the cells of whole pictures.

    Parameters
    ----------
    model : Model
    device : Device
    engine : Engine, optional
        What runs the network; torch when left out.
    """

    def __init__(self, model: Model, device: Device, engine: Engine | None = None) -> None:
        self.card = model.card
        self.device = device
        self._decision = card_decision(model)
        self._model, self._engine = model, engine or TorchEngine(model, device)

    @property
    def mpp(self) -> float:
        """Micrometres per pixel that pictures must have."""
        return self.card.mpp

    def calls(self, rgb: NDArray[np.uint8], stains: StainBasis | None = None) -> Calls:
        """Find the cells of a picture.

        Parameters
        ----------
        rgb : uint8 array, (H, W, 3)
            At `mpp`.
        stains : StainBasis, optional
            Of the whole slide; estimated from the picture itself when left out.
        """
        stains = stains or picture_stains([rgb])
        peaks = detect_in_picture(Detector(self._model, self.device, stains, engine=self._engine), rgb)
        names = name_cells(peaks.class_logits, self._decision.calibration)
        stained = positive_probability(peaks.stain_logits, names, self._decision.calibration)
        points = np.column_stack([peaks.x_px, peaks.y_px]) * self.mpp
        positive = stained >= self._decision.stained_threshold
        return Calls(points, names.kind, stained, positive, names.certainty)


_AVERAGED_PX = 2
"""Stains are estimated at 1 µm per pixel, as on a slide; pictures have 0.5."""


def picture_stains(
    pictures: Sequence[NDArray[np.uint8]],
    spoiled: Sequence[NDArray[np.bool_]] = (),
    white_point: tuple[float, float, float] | None = None,
) -> StainBasis:
    """Estimate the stains of a slide from pictures of it, as a run does from patches.

    Parameters
    ----------
    pictures : sequence of uint8 array, (H, W, 3)
    spoiled : sequence of bool array
        What lies under an artefact in each picture, in any size; all is clean when left out.
    white_point : tuple of float, optional
        Of the slide's glass; when left out, the brightest part of the pictures.
    """
    small = [_smaller(picture) for picture in pictures]
    clean = [
        cv2.resize(mask.astype(np.uint8), one.shape[1::-1], interpolation=cv2.INTER_NEAREST) == 0
        for mask, one in zip(spoiled, small, strict=bool(spoiled))
    ] or [np.ones(one.shape[:2], bool) for one in small]
    if white_point is None:
        white_point = estimate_white_point(np.concatenate([one.reshape(-1, 1, 3) for one in small]))
    density = np.concatenate(
        [
            optical_density(one, white_point)[keep].reshape(-1, 3)
            for one, keep in zip(small, clean, strict=True)
        ]
    )
    return estimate_stains(density[density.sum(axis=1) >= VISIBLE_OD_SUM], white_point)


def _smaller(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = (max(1, side // _AVERAGED_PX) for side in picture.shape[:2])
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


# Keeping a picture and its called cells next to a result, for a contact sheet that others draw.


LARGEST_PX = 640
"""A larger picture is cut to its middle."""


def keep_picture(
    stem: Path, rgb: NDArray[np.uint8], calls: Calls, mpp: float, *, set_name: str, title: str
) -> ContactPicture:
    """Write the middle of a picture and its calls next to an item's result.

    Parameters
    ----------
    stem : Path
        The item's result file; its name with other endings is used.
    rgb : uint8 array, (H, W, 3)
    calls : Calls
    mpp : float
        Micrometres per pixel of `rgb`.
    set_name, title : str
    """
    height, width = rgb.shape[:2]
    top, left = max(0, (height - LARGEST_PX) // 2), max(0, (width - LARGEST_PX) // 2)
    cut = rgb[top : top + LARGEST_PX, left : left + LARGEST_PX]
    place = calls.points_um / mpp - np.array([left, top])
    inside = ((place >= 0) & (place < np.array([cut.shape[1], cut.shape[0]]))).all(axis=1)
    cells = {
        "x_px": np.round(place[inside, 0], 1).tolist(),
        "y_px": np.round(place[inside, 1], 1).tolist(),
        "kind": calls.kind[inside].tolist(),
        "positive": calls.positive[inside].tolist(),
    }
    picture_path, cells_path = stem.with_suffix(".png"), stem.with_suffix(".cells.json")
    _, stream = cv2.imencode(".png", np.ascontiguousarray(cut[..., ::-1]))
    with atomic_write(picture_path) as partial:
        partial.write_bytes(stream.tobytes())
    with atomic_write(cells_path) as partial:
        partial.write_text(json.dumps(cells), encoding="utf-8")
    folder = stem.parent.name
    return ContactPicture(
        set_name=set_name,
        title=title,
        picture=f"{folder}/{picture_path.name}",
        cells=f"{folder}/{cells_path.name}",
        mpp=mpp,
    )


# What was already measured: one small file an item, so that an interrupted evaluation resumes.
#
# An entry is found again only for the same model, decision, device precision, settings and content.


_FOLDER = "items"
_SCHEMA = "cxpath/evaluation-item/1"

Item = TypeVar("Item", bound=CountedItem)


class ResultsCache:
    """Results by item, in a folder of the evaluation.

    Parameters
    ----------
    folder : Path
        The evaluation's folder; made when missing.
    basis : str
        Whatever else results depend on, as one text: the model's digest and decision, the device.
    """

    def __init__(self, folder: Path, basis: str) -> None:
        self._folder = folder / _FOLDER
        self._basis = basis
        self.computed = 0
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(self._folder, error) from error

    def path(self, item: str, content: str) -> Path:
        """Return where the result of an item lies, measured or not.

        Parameters
        ----------
        item : str
            A short readable name; becomes part of the file's name.
        content : str
            What this item's result depends on: digests of files, settings.
        """
        digest = hashlib.sha256("\n".join([_SCHEMA, self._basis, item, content]).encode()).hexdigest()
        return self._folder / f"{item}-{digest[:16]}.json"

    def known(self, item: str, content: str, kind: type[Item]) -> Item | None:
        """Return an item's earlier result; None when there is none, or it is damaged."""
        try:
            return kind.model_validate_json(self.path(item, content).read_bytes())
        except (OSError, ValidationError):
            return None

    def keep(self, item: str, content: str, result: CountedItem) -> None:
        """Write an item's result, whole or not at all."""
        with atomic_write(self.path(item, content)) as partial:
            partial.write_text(result.model_dump_json(), encoding="utf-8")
        self.computed += 1

    def result(self, item: str, content: str, kind: type[Item], measure: Callable[[], Item]) -> Item:
        """Return an item's result, measured now only if it was not before."""
        found = self.known(item, content, kind)
        if found is None:
            found = measure()
            self.keep(item, content, found)
        return found


def file_digest(*paths: Path) -> str:
    """Return one SHA-256 of the contents of some files."""
    together = hashlib.sha256()
    for path in paths:
        together.update(hashlib.sha256(path.read_bytes()).digest())
    return together.hexdigest()
