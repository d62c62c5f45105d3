"""The model of a study that has not ended yet: always the best so far by validation, in the place of the final one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from translearn.cluster.probing import fit_probe
from translearn.cluster.tracking.console import say
from translearn.models.backbones.stages import num_stages
from translearn.models.model_info import MARKER, ModelInfo, TaskErrors, read_info
from translearn.models.preprocessing import normalised_by
from translearn.models.sources import initial_network
from translearn.models.weights import State
from translearn.report.model_card import early_card
from translearn.storage.folder import Folder
from translearn.study.context import StudyContext
from translearn.study.directory import EVALUATION, MODEL, TRIALS
from translearn.study.models import RANK, SEARCH, model_info, write_model


def keep_probe(context: StudyContext, source: str, features: np.ndarray | None) -> None:
    """Leave ``model/`` with the linear probe of a source, unless there is a model, or the trials are over.

    Args:
        context: The study.
        source: The name of the source: the first one of the ranking.
        features: Those that the ranking has computed of it; computed again when None.
    """
    spec, folder = context.spec, context.folder
    if (folder / MODEL).exists(MARKER) or folder.exists(TRIALS) or folder.exists(EVALUATION):
        return
    found = fit_probe(context.task(context.sources), source, features, spec, context.resources)
    arch = context.sources[source].arch
    provenance = {
        "step": RANK,
        "what": f"linear probe of {source}, in closed form on {found.num_examples} training images, before any trial",
        **_origin(context, source, num_stages(arch)),
    }
    info = model_info(arch, context.splits.dataset, spec, provenance)
    update = {"errors": TaskErrors(validation=found.val_error), "temperature": found.temperature}
    info = info.model_copy(update={**update, "preprocessing": normalised_by(info.preprocessing, found.normalisation)})
    offer(folder, info, lambda: found.state)


def keep_trial(
    context: StudyContext, run: str, config: Mapping[str, Any], result: Mapping[str, Any], trained: Callable[[], State]
) -> None:
    """Leave ``model/`` with a trial that ran its full length, where its validation error is lower than that of the
    model there.

    Args:
        context: The study.
        run: The trial's name.
        config: Its configuration.
        result: Its last epoch.
        trained: Reads its trained tensors.
    """
    source = context.sources[config["source"]]
    provenance = {
        "step": SEARCH,
        "what": f"trial {run} of the search, after its last epoch",
        **_origin(context, source.name, config["freeze_depth"]),
        **{key: config[key] for key in ("lr", "weight_decay") if key in config},
        "epochs": result["epochs"],
    }
    info = model_info(source.arch, context.splits.dataset, context.spec, provenance)
    update = {"errors": TaskErrors(validation=result["val_error"]), "precision": result["precision"]}
    info = info.model_copy(update={**update, "preprocessing": normalised_by(info.preprocessing, source.normalisation)})

    def state() -> State:
        size = context.splits.train.image_size
        network, _ = initial_network(source, len(context.classes), context.spec.seed, size)
        network.load_state_dict(trained(), strict=False)
        return dict(network.state_dict())

    offer(context.folder, info, state)


def offer(folder: Folder, info: ModelInfo, state: Callable[[], State]) -> None:
    """Write a model into a study's ``model/`` unless the one there has no higher validation error.

    Args:
        folder: The study's directory.
        info: Its description, with the validation error.
        state: Makes its tensors.
    """
    out, error = folder / MODEL, info.errors.validation
    assert error is not None
    kept = read_info(out).errors.validation if out.exists(MARKER) else None
    if kept is not None and kept <= error:
        return
    write_model(out, state(), info, early_card(info))
    say(f"model so far: {info.provenance['what']}: validation error {100 * error:.1f} %; {out.uri}")


def _origin(context: StudyContext, source: str, freeze_depth: int) -> dict[str, Any]:
    fingerprint = context.splits.dataset.manifest.fingerprint
    return {"source": source, "freeze_depth": freeze_depth, "data_fingerprint": fingerprint}
