"""Embeddings: the directions in which a memory keeps its inputs and outputs.

Letters: `d` width, `N` number of embeddings, `R` stacked runs. Every sampler takes either one
`torch.Generator`, giving `[N, d]`, or a sequence of R of them, giving `[R, N, d]`: run r is then the same,
bit for bit, as sampling it alone with its own generator.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from simonides.base import Generators, SimonidesError, check_at_least, check_name, drawn


def gaussian(count: int, d: int, generators: Generators) -> Float[Tensor, "*runs N d"]:
    """`count` vectors with independent entries N(0, 1/d): norms near 1, inner products near N(0, 1/d).

    The embeddings of Bietti et al. (2023) and Cabannes, Dohmatob & Bietti (2024).

    >>> gaussian(3, 4, torch.Generator().manual_seed(0)).shape
    torch.Size([3, 4])
    """
    _check(count, d)
    return drawn(lambda g: torch.randn(count, d, generator=g, device=g.device) / d**0.5, generators)


def sphere(count: int, d: int, generators: Generators) -> Float[Tensor, "*runs N d"]:
    """`count` vectors uniform on the unit sphere of R^d, the embeddings of Nichani, Lee & Bietti (2025)."""
    _check(count, d)

    def sample(g: torch.Generator) -> Tensor:
        directions = torch.randn(count, d, generator=g, device=g.device)
        return directions / directions.norm(dim=-1, keepdim=True)

    return drawn(sample, generators)


def orthonormal(count: int, d: int, generators: Generators) -> Float[Tensor, "*runs N d"]:
    """`count` <= d orthonormal vectors in uniformly random directions: a memory without interference.

    Raises:
        SimonidesError: when count > d, since R^d holds no more than d orthonormal vectors.
    """
    _check(count, d)
    if count > d:
        raise SimonidesError(f"{count} orthonormal embeddings do not fit in d = {d}; give d >= {count}.")

    def sample(g: torch.Generator) -> Tensor:
        q, r = torch.linalg.qr(torch.randn(d, count, generator=g, device=g.device))
        # the signs of R's diagonal make the distribution uniform (Haar)
        return (q * r.diagonal().sign()).T.contiguous()

    return drawn(sample, generators)


def one_hot(count: int, d: int, generators: Generators) -> Float[Tensor, "*runs N d"]:
    """The first `count` <= d unit vectors of R^d; nothing is random, the generators only give the runs.

    Raises:
        SimonidesError: when count > d.
    """
    _check(count, d)
    if count > d:
        raise SimonidesError(f"{count} one-hot embeddings do not fit in d = {d}; give d >= {count}.")
    return drawn(lambda g: torch.eye(d, device=g.device)[:count].clone(), generators)


def signs(count: int, d: int, generators: Generators) -> Float[Tensor, "*runs N d"]:
    """`count` patterns of independent entries -1 and 1, each with odds of one half (Hopfield 1982)."""
    _check(count, d)
    return drawn(lambda g: torch.randint(2, (count, d), generator=g, device=g.device) * 2.0 - 1, generators)


def sparse_binary(count: int, d: int, ones: int, generators: Generators) -> Float[Tensor, "*runs N d"]:
    """`count` patterns of zeros with `ones` ones at random places (Willshaw et al. 1969).

    Raises:
        SimonidesError: when ones is not between 1 and d.
    """
    _check(count, d)
    if not 1 <= ones <= d:
        raise SimonidesError(f"ones = {ones} does not fit patterns of {d} entries; give 1 <= ones <= {d}.")

    def sample(g: torch.Generator) -> Tensor:
        places = torch.rand(count, d, generator=g, device=g.device).topk(ones, dim=-1).indices
        return torch.zeros(count, d, device=g.device).scatter_(-1, places, 1.0)

    return drawn(sample, generators)


def at_cosine(
    vectors: Float[Tensor, "*runs N d"], cosine: float, generators: Generators
) -> Float[Tensor, "*runs N d"]:
    """Unit vectors at this cosine with the unit `vectors`, otherwise in random directions: noisy queries."""
    if not -1 <= cosine <= 1:
        raise SimonidesError(f"cosine = {cosine} is outside -1 .. 1.")
    if not torch.allclose(vectors.norm(dim=-1), vectors.new_ones(()), atol=1e-3):
        raise SimonidesError("vectors are not of length one; divide them by their lengths.")
    shape = vectors.shape[-2:] if not isinstance(generators, torch.Generator) else vectors.shape
    noise = drawn(lambda g: torch.randn(shape, generator=g, device=g.device), generators).to(vectors)
    across = noise - (noise * vectors).sum(-1, keepdim=True) * vectors
    across = across / across.norm(dim=-1, keepdim=True)
    return cosine * vectors + (1 - cosine**2) ** 0.5 * across


KINDS: dict[str, Callable[[int, int, Generators], Tensor]] = {
    "gaussian": gaussian,
    "sphere": sphere,
    "orthonormal": orthonormal,
    "one_hot": one_hot,
}


def embed(kind: str, count: int, d: int, generators: Generators) -> Float[Tensor, "*runs N d"]:
    """Embeddings of the kind named in `KINDS`: gaussian, sphere, orthonormal or one_hot.

    Raises:
        SimonidesError: when the kind is unknown, or its vectors do not fit in d.

    >>> embed("one_hot", 2, 3, torch.Generator())
    tensor([[1., 0., 0.],
            [0., 1., 0.]])
    """
    check_name("embedding", kind, KINDS)
    return KINDS[kind](count, d, generators)


def _check(count: int, d: int) -> None:
    check_at_least("number of embeddings", count, 1)
    check_at_least("d", d, 1)
