"""How many parameters a model has, in closed form."""

from simonides.base import SimonidesError, check_at_least, check_name
from simonides.papers.physics.avit_config import SIZES
from simonides.papers.physics.patches import STRIDES

_BUCKETS = 32


def parameter_count(size: str, fields: int, patch: int = 16, dimensions: int = 2, released: bool = False) -> int:
    """Parameters of an AViT, from its sizes alone (McCabe et al. 2024, table of model sizes).

    With d the width, H the heads and h = d/H: a block has 16 d^2 in matrices, 23 d in biases and gains, and 4 h of the
    norms of queries and keys twice, and two tables of 32 H; stem and read-out have d/4 for each field and the kernels.

    Arguments:
        size: a name in `SIZES`.
        fields: of the vocabulary.
        patch: cells along each side of a token.
        dimensions: of space.
        released: whether biases of norms count that the released models hold and never use.

    Raises:
        SimonidesError: when the size is unknown, or a number makes no model.

    >>> parameter_count("Ti", 12, released=True), parameter_count("S", 12, released=True)
    (7285884, 28979436)
    """
    check_name("size", size, SIZES)
    check_at_least("fields", fields, 1)
    if patch not in STRIDES or dimensions not in (1, 2, 3):
        raise SimonidesError(f"patch = {patch}, dimensions = {dimensions}; give 16, 8 or 4, and 1, 2 or 3.")
    d, heads, blocks = SIZES[size]
    quarter, h = d // 4, d // heads
    # each attention: three projections and one back with biases, norms of queries and keys, a table
    attention = 4 * d * d + 4 * d + 4 * h + _BUCKETS * heads
    time = attention + 4 * d + d  # two norms with gain and bias, layer scale
    space = attention + 2 * d + d  # two gains, layer scale
    feed_forward = 8 * d * d + 5 * d + d + d  # two matrices with biases, gain, layer scale
    strides = STRIDES[patch]
    widths = [quarter] * (len(strides) - 1) + [d]
    stem = quarter * (fields + 1)
    stem += sum(quarter * width * side**dimensions + width for side, width in zip(strides, widths, strict=True))
    back = [d] + [quarter] * (len(strides) - 1)
    read_out = sum(
        width * quarter * side**dimensions + quarter for side, width in zip(strides[:0:-1], back, strict=False)
    )
    read_out += back[-1] * fields * strides[0] ** dimensions + fields
    unused = 3 * d * blocks + sum(widths) + quarter * (len(strides) - 1) if released else 0
    return blocks * (time + space + feed_forward) + stem + read_out + unused
