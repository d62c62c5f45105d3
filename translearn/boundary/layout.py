"""How a boundary lies in NumPy: examples first, channels last, bf16 as the uint16 that holds its bits."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def to_array(boundary: Tensor) -> np.ndarray:
    """A boundary as an array: (N, channels, height, width) becomes (N, height, width, channels); (N, D) stays."""
    x = boundary.permute(0, 2, 3, 1) if boundary.ndim == 4 else boundary
    x = x.contiguous().cpu()
    return np.asarray((x.view(torch.uint16) if x.dtype == torch.bfloat16 else x).numpy())


def to_boundary(array: np.ndarray, precision: str) -> Tensor:
    """The boundary, on the CPU, that an array of ``to_array`` was made from, of this precision, in the same bits."""
    x = torch.from_numpy(array)
    x = x.view(torch.bfloat16) if precision == "bf16" else x
    return x.permute(0, 3, 1, 2) if x.ndim == 4 else x
