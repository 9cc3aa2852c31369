"""The orthonormal cosine transform of cell-centred values between walls without flux, as a matrix."""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def cosine_matrix(cells: int, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "cells cells"]:
    """Rows are the eigenvectors of the second difference of cells without flux through the ends (DCT-II).

    Arguments:
        cells: how many.
        dtype, device: of the matrix.

    >>> matrix = cosine_matrix(5, torch.float64, torch.device("cpu"))
    >>> torch.testing.assert_close(matrix @ matrix.T, torch.eye(5, dtype=torch.float64))
    """
    numbers = torch.arange(cells, dtype=torch.float64)
    matrix = torch.cos(math.pi / cells * numbers[:, None] * (numbers + 0.5)) * math.sqrt(2 / cells)
    matrix[0] /= math.sqrt(2)
    return matrix.to(device, dtype)


def second_differences(
    cells: int, width: float, dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "cells cells"]:
    """Eigenvalues of the five-point Laplacian without flux through the faces, for each pair of cosines.

    Arguments:
        cells: along each axis.
        width: of a cell.
        dtype, device: of the eigenvalues.
    """
    numbers = torch.arange(cells, dtype=torch.float64)
    values = -((2 / width * torch.sin(math.pi / (2 * cells) * numbers)) ** 2)
    return (values[:, None] + values).to(device, dtype)
