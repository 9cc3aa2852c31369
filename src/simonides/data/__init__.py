"""What comes from outside: texts, tables of facts and of counts, questions; packaged or a user's own."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
