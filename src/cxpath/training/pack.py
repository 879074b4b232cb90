"""Writing a model folder: float16 weights, card with their digest, page for people; whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import Tensor

from cxpath.data import FINE_CLASSES, REGION_CLASSES, STAIN_CLASSES
from cxpath.errors import OutputError
from cxpath.io import atomic_write, output_error
from cxpath.metrics import Decision
from cxpath.network import (
    CARD_NAME,
    EMBEDDING_NAME,
    LATTICE_STRIDE_PX,
    OUTPUT_STRIDE_PX,
    PAGE_NAME,
    WEIGHTS_NAME,
    CardCalibration,
    CellEmbedding,
    DataSource,
    KnownStains,
    Metric,
    ModelCard,
    Network,
    Thresholds,
    TrainingRecord,
    build_network,
    card_text,
    receptive_field,
)
from cxpath.network.card import card_page
from cxpath.synth import TRAINING_STAINS
from cxpath.training.settings import TrainingSettings


def describe(
    network: Network,
    settings: TrainingSettings,
    decision: Decision,
    record: TrainingRecord,
    data: tuple[DataSource, ...],
    metrics: dict[str, Metric],
) -> ModelCard:
    """Write the card of a network (its digest is that of the weights as they will be stored)."""
    field = receptive_field(network)
    return ModelCard(
        name=settings.name,
        version=settings.version,
        description=settings.description,
        digest=hashlib.sha256(stored_weights(network)).hexdigest(),
        mpp=settings.mpp,
        accepted_mpp=settings.accepted_mpp,
        stride_px=LATTICE_STRIDE_PX,
        output_stride_px=OUTPUT_STRIDE_PX,
        halo_px=_halo_px(field.reach_px),
        receptive_field_px=field.width_px,
        fine_classes=FINE_CLASSES,
        stain_classes=STAIN_CLASSES,
        region_classes=REGION_CLASSES,
        architecture=network.settings,
        thresholds=Thresholds(
            centre_threshold=decision.centre_threshold,
            stained_threshold=decision.stained_threshold,
            min_distance_um=settings.matching.min_distance_um,
        ),
        calibration=CardCalibration(**vars(decision.calibration)),
        stains=KnownStains(
            hematoxylin_arc=TRAINING_STAINS.haematoxylin_ends, dab_arc=TRAINING_STAINS.dab_ends
        ),
        training=record,
        data=data,
        metrics=metrics,
    )


def _halo_px(reach_px: int) -> int:
    """Return the reach and one output cell more, since a peak must beat its neighbours, on the lattice."""
    return -(-(reach_px + OUTPUT_STRIDE_PX) // LATTICE_STRIDE_PX) * LATTICE_STRIDE_PX


def stored_weights(network: Network) -> bytes:
    """Return the content of `model.safetensors`: matrices as float16, norms and biases as they are."""
    return save({name: _narrow(tensor) for name, tensor in network.state_dict().items()})


def as_stored(network: Network) -> Network:
    """Return the network that will be loaded: its weights as they are stored, in evaluation mode."""
    stored = build_network(network.settings)
    number_types = {name: tensor.dtype for name, tensor in stored.state_dict().items()}
    weights = load(stored_weights(network))
    stored.load_state_dict({name: tensor.to(number_types[name]) for name, tensor in weights.items()})
    return stored.eval()


def pack(network: Network, card: ModelCard, folder: Path, embedding: CellEmbedding | None = None) -> None:
    """Write the model into `folder`, in place of what was there.

    Parameters
    ----------
    network : Network
        Not folded.
    card : ModelCard
        As `describe` wrote it for this network.
    folder : Path
        `models/<name>`; it and its parents are made.
    embedding : CellEmbedding, optional
        Its digest is written into the card.

    Raises
    ------
    OutputError
        When the operating system refuses.
    ValueError
        When the card is another network's.
    """
    content = stored_weights(network)
    if hashlib.sha256(content).hexdigest() != card.digest:
        raise ValueError("the card was written for other weights")
    files = {WEIGHTS_NAME: content}
    if embedding is not None:
        files[EMBEDDING_NAME] = embedding.to_bytes()
        digest = hashlib.sha256(files[EMBEDDING_NAME]).hexdigest()
        card = card.model_copy(update={"embedding_digest": digest})
    try:
        page = card_page(card).encode()
        _replace(folder, {**files, CARD_NAME: card_text(card).encode(), PAGE_NAME: page})
    except OSError as error:
        raise output_error(folder, error) from error


def write_card(card: ModelCard, folder: Path) -> None:
    """Write a changed card into a model's folder, and its page.

    Raises
    ------
    OutputError
        When the folder cannot be written.
    """
    for name, text in ((CARD_NAME, card_text(card)), (PAGE_NAME, card_page(card))):
        with atomic_write(folder / name) as partial:
            partial.write_text(text, encoding="utf-8", newline="\n")


def refuse_other_things(folder: Path) -> None:
    """Raise `OutputError` when a folder contains something that is no model, which packing would replace."""
    if not folder.exists() or (folder / CARD_NAME).is_file():
        return
    if not folder.is_dir() or any(folder.iterdir()):
        raise OutputError(f"{folder}: contains something that is no model", "choose another folder")


def _replace(folder: Path, files: dict[str, bytes]) -> None:
    """Write next to the folder, then swap: a reader sees the old model or the new, never a mixture."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    refuse_other_things(folder)
    new, old = (folder.with_name(f".{folder.name}.{os.getpid()}.{word}") for word in ("new", "old"))
    try:
        new.mkdir()
        for name, content in files.items():
            (new / name).write_bytes(content)
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    finally:
        if old.exists() and not folder.exists():
            old.rename(folder)
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _narrow(tensor: Tensor) -> Tensor:
    tensor = tensor.detach().cpu().contiguous()
    return tensor.to(torch.float16) if tensor.ndim > 1 and tensor.dtype == torch.float32 else tensor
