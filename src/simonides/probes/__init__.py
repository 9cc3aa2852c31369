"""What is seen: recall, margins and spectra of memories, toy or real."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
