"""Calibration: how a model's raw logits become probabilities one may believe (from its card)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Calibration:
    """Temperature and bias fitted on held-out truth (Guo et al. 2017; Alexandari et al. 2020).

    Kinds: softmax(logits / temperature + biases); stains: sigmoid(logit / temperature + bias).

    Parameters
    ----------
    kind_temperature : float
        Divides the kind logits before the softmax.
    kind_biases : tuple of float
        Added to them, one for each of `FINE_CLASSES`; empty for none. A network trained with rare classes
        weighing more names them too often; these take that back.
    membrane_temperature, membrane_bias : float
        For the membrane-stain logit, which decides tumour cells.
    any_temperature, any_bias : float
        For the any-stain logit, which decides all other cells.
    """

    kind_temperature: float = 1.0
    kind_biases: tuple[float, ...] = ()
    membrane_temperature: float = 1.0
    membrane_bias: float = 0.0
    any_temperature: float = 1.0
    any_bias: float = 0.0
