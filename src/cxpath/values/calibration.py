"""Calibration: how a model's raw logits become probabilities one may believe (from its card)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Calibration:
    """Temperature scaling fitted on held-out truth (Guo et al. 2017): sigmoid(logit / temperature + bias).

    Parameters
    ----------
    kind_temperature : float
        Divides the kind logits before the softmax.
    membrane_temperature, membrane_bias : float
        For the membrane-stain logit, which decides tumour cells.
    any_temperature, any_bias : float
        For the any-stain logit, which decides all other cells.
    """

    kind_temperature: float = 1.0
    membrane_temperature: float = 1.0
    membrane_bias: float = 0.0
    any_temperature: float = 1.0
    any_bias: float = 0.0
