"""Random erasing, mixup and cutmix, as functions of (seed, epoch, example) and of the global batch.

The partner of an example is the next one of its global batch, which is in random order: a worker reads one image more
than its share, and no number of workers changes a result. Shapes: N images, S pixels a side, C classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import betaincinv
from torch import Tensor, nn

from translearn.seeds import derive_seed, uniforms

_LEAST_ERASED, _MOST_ERASED, _MOST_RATIO = 0.02, 1 / 3, 10 / 3
_MEAN_COLOUR = (124, 116, 104)  # ImageNet's, which normalisation makes about 0


@dataclass(frozen=True)
class Mixing:
    """Mixing of examples with their partners.

    Attributes:
        mixup: The parameter of mixup's Beta distribution; 0 for none.
        cutmix: That of cutmix. Where both are above 0, an example has one of them, with probability 1/2 each.
        num_classes: C.
        seed: The run's seed.
    """

    mixup: float
    cutmix: float
    num_classes: int
    seed: int

    def batches(
        self, given: Iterable[tuple[Tensor, Tensor]], keys: Iterable[np.ndarray], epoch: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the mixed examples of each part of a batch, and their soft labels.

        Args:
            given: Network inputs (N + 1, 3, S, S) and int64 labels (N + 1,) in the order of the batch: those of a part,
                and the last one's partner. An empty part has no partner.
            keys: uint64, shape (N + 1,) each.
            epoch: Counted from 1.

        Yields:
            float32 (N, 3, S, S), and float32 (N, C), whose rows sum to 1.

        Source: Zhang et al., mixup (ICLR 2018, arXiv:1710.09412), section 2; Yun et al., CutMix (ICCV 2019,
        arXiv:1905.04899), section 3. Deviation: each example has its own share of its partner, not each batch.
        """
        for (x, labels), of_part in zip(given, keys, strict=True):
            yield self._mixed(x, labels, of_part[:-1], epoch)

    def _mixed(self, x: Tensor, labels: Tensor, keys_N: np.ndarray, epoch: int) -> tuple[Tensor, Tensor]:
        partners, num = len(x) - len(keys_N), len(keys_N)
        own_NSS = self._own(keys_N, epoch, x.shape[-1], x.device)
        one_hot = nn.functional.one_hot(labels, self.num_classes).to(torch.float32)
        targets = torch.lerp(one_hot[partners:], one_hot[:num], own_NSS.mean((1, 2))[:, None])
        return torch.lerp(x[partners:], x[:num], own_NSS[:, None]), targets

    def _own(self, keys_N: np.ndarray, epoch: int, size: int, device: torch.device) -> Tensor:
        """Return the share of each pixel that is the example's own: float32 in [0, 1], shape (N, S, S)."""
        which, quantile, row, column = uniforms(keys_N, derive_seed(self.seed, "mix", epoch), 4).T
        cuts = which < (0.5 if self.mixup and self.cutmix else float(self.cutmix > 0))
        alpha = np.where(cuts, self.cutmix, self.mixup)
        own = betaincinv(alpha, alpha, quantile)
        side = size * np.sqrt(1 - own)
        rows, columns = (_between(size, centre * size - side / 2, side) for centre in (row, column))
        cut_NSS, own_N = _rectangles(rows, columns, device), torch.from_numpy(own).to(device, torch.float32)
        cuts_N11 = torch.from_numpy(cuts).to(device)[:, None, None]
        return torch.where(cuts_N11, (~cut_NSS).to(torch.float32), own_N[:, None, None])


def erase(images_NSSC: Tensor, keys: np.ndarray, probability: float, seed: int, epoch: int) -> Tensor:
    """Make a rectangle of some images grey, as a function of (seed, epoch, key).

    Source: Zhong et al., Random Erasing Data Augmentation (AAAI 2020, arXiv:1708.04896), with 2 to 33 % of the area and
    a ratio of 0.3 to 3.3. Deviation: in ImageNet's mean colour.

    Args:
        images_NSSC: uint8, shape (N, S, S, 3); it stays as it is.
        keys: uint64, shape (N,): the examples' keys.
        probability: Of an image to have a rectangle erased.
        seed: The run's seed.
        epoch: Counted from 1.
    """
    if not probability or not len(keys):
        return images_NSSC
    size, numbers = images_NSSC.shape[1], uniforms(keys, derive_seed(seed, "erase", epoch), 5).T
    area = size**2 * (_LEAST_ERASED + (_MOST_ERASED - _LEAST_ERASED) * numbers[1])
    ratio = _MOST_RATIO ** (2 * numbers[2] - 1)
    height, width = (np.minimum(np.sqrt(area * by), size).round() for by in (ratio, 1 / ratio))
    rows = _between(size, np.floor(numbers[3] * (size - height + 1)), height)
    columns = _between(size, np.floor(numbers[4] * (size - width + 1)), width)
    erased_NSS = _rectangles(rows & (numbers[0] < probability)[:, None], columns, images_NSSC.device)
    grey = torch.tensor(_MEAN_COLOUR, dtype=torch.uint8, device=images_NSSC.device)
    return torch.where(erased_NSS[..., None], grey, images_NSSC)


def _rectangles(rows: np.ndarray, columns: np.ndarray, device: torch.device) -> Tensor:
    """Return which pixels lie in the rows and columns of their image, given as bool, shape (N, S) each: (N, S, S)."""
    return torch.from_numpy(rows).to(device)[:, :, None] & torch.from_numpy(columns).to(device)[:, None, :]


def _between(size: int, first: np.ndarray, num: np.ndarray) -> np.ndarray:
    """Return which of ``size`` pixels have their centre in [first, first + num): bool, shape (N, size)."""
    centres = np.arange(size) + 0.5
    return np.asarray((centres >= first[:, None]) & (centres < (first + num)[:, None]))
