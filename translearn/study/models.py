"""Model directories of a study: what is written beside the tensors, and the errors added at the end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import translearn
from translearn.cluster.data.predict import Model
from translearn.cluster.training.worker import FAILED
from translearn.config import StudySpec
from translearn.data.dataset import Dataset
from translearn.data.images.pixels import FORMATS
from translearn.data.transforms import MEAN, STD
from translearn.errors import TranslearnError
from translearn.models.model_dir import load_model, save_model
from translearn.models.model_info import MARKER, PRECISION, ModelInfo, TaskErrors
from translearn.models.preprocessing import Preprocessing, with_steps
from translearn.models.sources import Source
from translearn.models.weights import State
from translearn.report.model_card import labels, model_card
from translearn.storage.folder import Folder
from translearn.storage.uris import split

CARD, LABELS = "README.md", "labels.txt"
#: The step that made a model, in its provenance: the ranking, the search, and of the final model the refits.
RANK, SEARCH, REFIT = "rank", "search", "refit"


def model_info(arch: str, data: Dataset, spec: StudySpec, provenance: dict[str, Any]) -> ModelInfo:
    """Return the content of ``model.json`` for a model that this study trains on a data set, but for its errors."""
    size, decoding = spec.target.image_size, data.decoding
    fields = Preprocessing(
        image_size=size,
        mean=MEAN,
        std=STD,
        formats=FORMATS,
        max_pixels=decoding.max_pixels,
        white=decoding.white,
    )
    own = {"translearn": translearn.__version__, "study": spec.name, "seed": spec.seed}
    return ModelInfo(
        arch=arch,
        classes=tuple(data.manifest.classes),
        preprocessing=with_steps(fields),
        provenance={**own, **provenance},
    )


def load(folder: Folder) -> Model:
    """Load the model in a model directory, to predict with."""
    state, info = load_model(folder)
    made_with = info.preprocessing
    return Model(info.arch, state, len(info.classes), made_with.normalisation, made_with.image_size)


def publish(run: Folder, out: Folder, evaluation: dict[str, Any], data: str, source: Source) -> None:
    """Copy the model directory of the deployed run to where users find it.

    Leaves beside what ``save_model`` does ``labels.txt`` and ``README.md``, the model's card.

    Args:
        run: The run's model directory.
        out: The directory for users.
        evaluation: As ``evaluation.json`` has it: errors and temperature are added to the description.
        data: The target's data as the study names it.
        source: The source that the run started from.
    """
    state, info = load_model(run)
    deployed = evaluation["deployed"]
    errors = TaskErrors(validation=deployed["validation_error"], test=deployed["error"])
    temperature = evaluation["calibration"]["temperature"]
    made = {**info.provenance, "step": REFIT, "what": f"the study's final model, refit {_last(run.path)}"}
    update = {"errors": errors, "precision": PRECISION, "temperature": temperature, "provenance": made}
    info = info.model_copy(update=update)
    write_model(out, state, info, model_card(info, evaluation, _last(data), origin(source), licence(source)))


def write_model(out: Folder, state: State, info: ModelInfo, card: str) -> None:
    """Write a model directory for users, in place of the one there.

    It is done whole also where Ctrl-C or SIGTERM interrupts it: these reach the main thread alone, which waits.
    """

    def write() -> None:
        out.remove_file(MARKER)
        out.write_bytes(LABELS, labels(info).encode())
        out.write_bytes(CARD, card.encode())
        save_model(out, state, info)

    with ThreadPoolExecutor(1) as thread:
        thread.submit(write).result()


def origin(source: Source) -> str:
    """Return in words what weights a source is."""
    told = source.provenance
    return {
        "weights": f"{source.name}, {told.get('weights')}",
        "checkpoint": f"{source.name}, the checkpoint {_last(str(told.get('checkpoint')))}",
        "pretrain": f"{source.name}, trained by the same study on {told.get('data')}",
        "scratch": "random weights",
    }[source.kind]


def _last(place: str) -> str:
    """Return the last part of a path or an address: the card goes to others."""
    return split(place.rstrip("/"))[1]


def licence(source: Source) -> str:
    """Return in words the licence of a source's weights, as far as it is known."""
    return {
        "weights": f"{source.provenance.get('licence') or 'unknown. None is stated'}; terms of the data that they were "
        "trained on may apply",
        "checkpoint": "unknown. Ask who made the checkpoint",
        "pretrain": "none of others: the study trained them itself. Terms of their data may apply",
        "scratch": "none, as it started from random weights",
    }[source.kind]


def failure(folder: Folder) -> str | None:
    """Return why a run diverged; None where it did not."""
    return str(folder.read_json(FAILED)["reason"]) if folder.exists(FAILED) else None


def check_trained(folder: Folder) -> None:
    """Raise TranslearnError, with the reason where there is one, where a run left no model."""
    if not folder.exists(MARKER):
        reason = failure(folder) or "See the logs of Ray."
        raise TranslearnError(f"{folder.uri}: training ended without a model. {reason}")
