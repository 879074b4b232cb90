"""What a person decides about a score: events, their state, the audit queue, signature and verification."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
