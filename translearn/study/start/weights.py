"""torchvision's weights that a first study may start from, and which of them this machine has. Free of torch."""

from __future__ import annotations

import os
import urllib.request
from dataclasses import dataclass
from pathlib import Path

HOST = "https://download.pytorch.org/models"
_ANSWER_S = 3.0


@dataclass(frozen=True)
class Weights:
    """Weights of ImageNet.

    Attributes:
        source: The name of a source that starts from them.
        arch: Their architecture.
        name: Their name in torchvision.
        file: The file in torch hub's cache; a test compares it with torchvision's.
        megabytes: Its size, 10⁶ bytes.
    """

    source: str
    arch: str
    name: str
    file: str
    megabytes: int


#: For a GPU: two recipes of one architecture; which one transfers better differs by target.
LARGE = (
    Weights("imagenet-v1", "resnet50", "IMAGENET1K_V1", "resnet50-0676ba61.pth", 103),
    Weights("imagenet-v2", "resnet50", "IMAGENET1K_V2", "resnet50-11ad3fa6.pth", 103),
)
#: For a CPU, in order of preference.
SMALL = (
    Weights("imagenet", "resnet18", "IMAGENET1K_V1", "resnet18-f37072fd.pth", 47),
    Weights("imagenet", "resnet34", "IMAGENET1K_V1", "resnet34-b627a593.pth", 87),
    Weights("imagenet", "mobilenet_v2", "IMAGENET1K_V2", "mobilenet_v2-7ebf99e0.pth", 14),
)


def cache() -> Path:
    """Return the folder where torch hub keeps weights, as ``torch.hub.get_dir`` does."""
    home = os.environ.get("TORCH_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "torch")
    return Path(home, "hub", "checkpoints").expanduser()


def is_cached(weights: Weights) -> bool:
    """Return whether the file of the weights is in the cache."""
    return (cache() / weights.file).is_file()


def is_reachable(weights: Weights) -> bool:
    """Return whether the file can be downloaded: its server answers within three seconds."""
    request = urllib.request.Request(f"{HOST}/{weights.file}", method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_S) as answer:
            return bool(answer.status == 200)
    except (OSError, ValueError):  # of the network, of a proxy, or an answer that is no HTTP
        return False


def chosen_weights(has_gpu: bool) -> tuple[Weights, ...]:
    """Return the weights that a first study starts from: those wanted, else any that are cached; empty for none."""
    wanted = LARGE if has_gpu else SMALL[:1]
    here = tuple(weights for weights in wanted if is_cached(weights))
    if here == wanted or is_reachable(wanted[0]):
        return wanted
    return here or tuple(weights for weights in SMALL if is_cached(weights))[:1]
