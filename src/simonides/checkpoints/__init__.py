"""Real models behind the same roles as the toys, from a folder, a GGUF file or memory, and saved again."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
