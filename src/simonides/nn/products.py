"""Products with one matrix, made as one."""

import torch
from jaxtyping import Float
from torch import Tensor


def mapped(vectors: Float[Tensor, "*rows k"], matrix: Float[Tensor, "m k"]) -> Float[Tensor, "*rows m"]:
    """matrix @ vector of every vector, as one product of all rows.

    Batched products would go through the matrix once a sequence, and under `vmap` once a sequence and run.

    >>> mapped(torch.ones(2, 3, 4), torch.ones(5, 4)).shape
    torch.Size([2, 3, 5])
    """
    return (vectors.reshape(-1, vectors.shape[-1]) @ matrix.mT).reshape(*vectors.shape[:-1], len(matrix))


def product(left: Float[Tensor, "n k"], right: Float[Tensor, "m k"]) -> Float[Tensor, "n m"]:
    """left right^T, without a gradient.

    On the CPU by oneDNN, which uses the widest vector units of every make of processor, where the library that torch
    multiplies with by default may not: more than twice as fast on some. The rounding is that of float32 either way.

    >>> product(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0], [0.0, 1.0]]))
    tensor([[11.,  2.]])
    """
    left, right = left.detach(), right.detach()
    if left.device.type == "cpu" and left.dtype == right.dtype == torch.float32 and _there():
        # a plain linear layer without a bias; not public in torch
        result: Tensor = torch.ops.mkldnn._linear_pointwise(left, right, None, "none", [], "")
        return result
    return left @ right.mT


def _there() -> bool:
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
