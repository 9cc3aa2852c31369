from .attention import rotate as rotate
from .attention import slopes as slopes
from .counted import CountedTransformer as CountedTransformer
from .counted import counted_logits as counted_logits
from .transformer import Layer as Layer
from .transformer import Trace as Trace
from .transformer import Transformer as Transformer
from .transformer import TransformerConfig as TransformerConfig
