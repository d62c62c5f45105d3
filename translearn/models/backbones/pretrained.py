"""torchvision's own weights by name, from torch hub's cache or downloaded."""

from __future__ import annotations

import difflib
import hashlib
import re
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from translearn.errors import WeightsError, fault
from translearn.models.checkpoints.files import read_content
from translearn.models.weights import State

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum


def find_weights(arch: str, name: str) -> WeightsEnum:
    """Return torchvision's entry for an architecture's weights, for example ``IMAGENET1K_V2`` or ``DEFAULT``.

    Raises:
        WeightsError: torchvision knows no such weights for the architecture; names the nearest ones it knows.
    """
    from torchvision.models import get_model_weights  # takes seconds

    known: Any = get_model_weights(arch).__members__
    if name.lower() == "default":
        return known["DEFAULT"]
    if name not in known:
        near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.5)
        remedy = f"Did you mean {near[0]!r}?" if near else f"One of {', '.join(known)}."
        raise WeightsError(fault("weights", f"must be one of torchvision's for {arch}", repr(name), remedy))
    return known[name]


def cached_file(url: str) -> Path:
    """Return the path of a file of weights in torch hub's cache, whether or not it exists."""
    return Path(torch.hub.get_dir(), "checkpoints", url.rpartition("/")[2])


def pretrained_state(entry: WeightsEnum) -> State:
    """Return torchvision's weights. Raises WeightsError as ``hub_file``."""
    return read_content(hub_file(entry.url, str(entry))).tensors


def hub_file(url: str, weights: str) -> Path:
    """Return a file of weights in torch hub's cache; download it once, and check it against the digest in its name.

    Args:
        url: Where it comes from.
        weights: Their name in errors.

    Raises:
        WeightsError: It is not cached and cannot be downloaded (it says which file to put where), or it is damaged.
    """
    file = cached_file(url)
    if not file.exists():
        _download(url, file, weights)
    expected = re.search(r"-([0-9a-f]{8,})\.", file.name)
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if expected and not digest.startswith(expected[1]):
        rule = f"must have a SHA-256 that begins with {expected[1]}"
        raise WeightsError(fault(str(file), rule, digest[: len(expected[1])], "Delete it to have it downloaded again."))
    return file


def _download(url: str, file: Path, weights: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(file), progress=False)
    except (OSError, HTTPException) as error:
        remedy = f"Without a network, fetch {file.name} elsewhere ({url}) and put it at {file}."
        raise WeightsError(fault(weights, "must be cached or downloadable", f"neither ({error})", remedy)) from error
