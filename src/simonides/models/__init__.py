"""What is built of memories: the transformer, toy or not, with every weight named by its role."""

from simonides.models.closed_form import write_induction_head
from simonides.models.counted import CountedTransformer, counted_logits
from simonides.models.transformer import Trace, Transformer, TransformerConfig

__all__ = [
    "CountedTransformer",
    "Trace",
    "Transformer",
    "TransformerConfig",
    "counted_logits",
    "write_induction_head",
]
