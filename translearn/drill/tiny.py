"""The study of the drill: as small as one can be that has all steps, on data that needs no download."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import safetensors.torch
import yaml

from translearn.models.network import build

NAME, CLASSES = "drill", 10
#: Its loop states are a fifth of those of the smallest ResNet, and its dropout has randomness of its own.
ARCH = "mobilenet_v2"

_INGEST = {"split": [0.2, 0.2, 0.6], "limit_per_class": 12}
#: A study whose source is pre-trained, and some of whose trials diverge.
PRETRAINED: dict[str, Any] = {
    "sources": [
        {
            "name": "donor",
            "arch": ARCH,
            "pretrain": {
                "data": "sklearn:digits",
                "epochs": 3,
                "lr": 0.03,
                "ingest": {**_INGEST, "limit_per_class": 4},
            },
        }
    ],
    "search__trials": 6,
    "search__algorithm": "random",
    "search__epochs": 1,
    "search__lr": [1e-3, 1e12],
}


def write_source(file: Path, seed: int = 1) -> str:
    """Writes a source model, a function of the seed; returns its path."""
    state = {name: tensor.contiguous() for name, tensor in build(ARCH, CLASSES, seed).state_dict().items()}
    safetensors.torch.save_file(state, file)
    return str(file)


def tree(storage: Path, source: str, **changes: Any) -> dict[str, Any]:
    """The study file: 40 training digits, one source, 4 short trials; ``search__trials=6`` changes ``search.trials``.

    Whatever may depend on the number of nodes is fixed, because nodes are lost.
    """
    study: dict[str, Any] = {
        "name": NAME,
        "storage": str(storage),
        "target": {
            "data": "sklearn:digits",
            "image_size": 32,
            "train_per_class": 4,
            "ingest": _INGEST,
        },
        "sources": [{"name": "donor", "arch": ARCH, "checkpoint": source}],
        "search": {
            "trials": 4,
            "epochs": 3,
            "grace_epochs": 1,
            "freeze_depth": [2, 4],
            "lr": [1e-3, 3e-2],
            "prior": "off",
        },
        # Each BatchNorm of a step over all workers would take the drill minutes.
        "train": {
            "batch_size": 16,
            "augment": "crop",
            "precision": "fp32",
            "compile": "never",
            "sync_batchnorm": False,
        },
        # Stored boundaries are kept on the disk that the drill looks at, not in memory that others use too.
        "cluster": {"refit_workers": 2, "checkpoint_interval_s": 0.0, "boundary_memory_gb": 0.0},
        "refit": {"seeds": 2, "epochs": 3, "candidates": 1},
    }
    for path, value in changes.items():
        *parents, last = path.split("__")
        node = study
        for parent in parents:
            node = node[parent]
        node[last] = value
    return study


def write_study(file: Path, study: dict[str, Any]) -> Path:
    """Writes a study file."""
    file.write_text(yaml.safe_dump(study, sort_keys=False))
    return file
