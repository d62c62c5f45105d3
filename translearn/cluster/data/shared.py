"""Tasks in the object store, once a node and shared by runs: tensors and images are views, not copies."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import ray
import torch

from translearn.data.images.image_set import ImageSet
from translearn.models.sources import Source


@dataclass(frozen=True)
class Task:
    """A reference to what several runs share; it lies once in the object store of each node.

    ``test`` is given where the trained model's error on it is wanted, as of a source; never for a target.
    ``features``: by source, an ObjectRef that ``cluster.data.features.features_of`` reads.
    """

    train: ImageSet
    val: ImageSet
    num_classes: int
    sources: dict[str, Source]
    test: ImageSet | None = None
    features: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Shared:
    """A reference to a task; pickles into configurations, where Ray leaves it a reference.

    Attributes:
        task: An ObjectRef of the task, with its sources' tensors as bytes.
    """

    task: Any


@dataclass(frozen=True)
class _Bytes:
    """A tensor as bytes: torch pickles its own into the stream, NumPy's lie beside it and are never copied."""

    content: np.ndarray
    dtype: torch.dtype
    shape: torch.Size


def share(task: Task) -> Shared:
    """Put a task into the object store."""
    sources = {name: _with_state(source, laid_out) for name, source in task.sources.items()}
    return Shared(ray.put(replace(task, sources=sources)))


def fetch(shared: Shared) -> Task:
    """Return the task, in milliseconds. Its arrays and tensors are read-only views: writing to a tensor would crash."""
    task: Task = ray.get(shared.task)
    return replace(task, sources={name: _with_state(source, viewed) for name, source in task.sources.items()})


def laid_out(value: Any) -> Any:
    """Nested dicts and lists with their tensors as bytes, which Ray copies once into its object store."""
    return _mapped(value, torch.Tensor, _to_bytes)


def viewed(value: Any) -> Any:
    """Return the original; its tensors are read-only views of the object store: writing to one would crash."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return _mapped(value, _Bytes, _from_bytes)


def _mapped(value: Any, kind: type, convert: Callable[[Any], Any]) -> Any:
    if isinstance(value, kind):
        return convert(value)
    if isinstance(value, dict):
        return {key: _mapped(inner, kind, convert) for key, inner in value.items()}
    return [_mapped(inner, kind, convert) for inner in value] if isinstance(value, list) else value


def _with_state(source: Source, convert: Callable[[Any], Any]) -> Source:
    if source.state is None:
        return source
    return replace(source, state=convert(source.state))


def _to_bytes(tensor: torch.Tensor) -> _Bytes:
    return _Bytes(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy(), tensor.dtype, tensor.shape)


def _from_bytes(value: _Bytes) -> torch.Tensor:
    return torch.from_numpy(value.content).view(value.dtype).reshape(value.shape)
