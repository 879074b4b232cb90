"""Training and fine-tuning of the network: data, targets, losses, loop, thresholds, packing."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
