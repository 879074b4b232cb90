"""The learning rate along training: a short rise, then half a cosine down to nothing."""

from __future__ import annotations

import math

from cxpath.training.settings import ScheduleSettings


def progress(settings: ScheduleSettings, step: int, minutes: float) -> float:
    """Return how much of the training is done, 0-1, by steps or by the clock, whichever is further."""
    by_clock = minutes / settings.max_minutes if settings.max_minutes > 0 else 0.0
    return min(1.0, max(step / settings.steps, by_clock))


def learning_rate(settings: ScheduleSettings, done: float) -> float:
    """Return the learning rate when the share `done` of training is over."""
    if done < settings.warm_up_share:
        return settings.learning_rate * max(done, 0.01 * settings.warm_up_share) / settings.warm_up_share
    rest = (done - settings.warm_up_share) / (1 - settings.warm_up_share)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * rest))
