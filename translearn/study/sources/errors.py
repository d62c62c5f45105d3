"""The errors of sources on their own data, before anything is trained from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from translearn.cluster.data.placed import place_images, remove_images
from translearn.cluster.data.predict import Model, predict
from translearn.cluster.resources import Resources
from translearn.config import StudySpec
from translearn.data.dataset import Dataset
from translearn.data.images.decode import select_split
from translearn.data.images.image_set import ImageSet
from translearn.evaluation.source_error import SourceError, source_error
from translearn.models.load import head_width
from translearn.models.network import skeleton
from translearn.models.sources import Source
from translearn.ranking.scores import stratified_rows


def measured_errors(
    sources: Mapping[str, Source], datasets: Mapping[str, Dataset], spec: StudySpec, resources: Resources
) -> dict[str, SourceError]:
    """Measure the error of each source whose own data and head are at hand, on its data's validation split.

    Args:
        sources: The sources by name.
        datasets: The data sets that they were trained on, by the same names; those that are at hand. A source whose
            head has other classes is left out.
        spec: The study. At most ``rank.max_examples`` images are used.
        resources: The layout; sources predict as refits do.

    Returns:
        By the source's name.
    """
    return {
        name: _measured(sources[name], dataset, spec, resources)
        for name, dataset in datasets.items()
        if _has_classes(sources[name], tuple(dataset.manifest.classes))
    }


def absurd_line(name: str, error: SourceError) -> str:
    """Return the warning of a source whose error is absurd."""
    return (
        f"warning: {name} errs on {100 * error.value:.0f} % of {error.num_examples} images of its own data, where "
        f"always giving one answer errs on {100 * error.guessing:.0f} %. Its weights may be those of another network "
        "under the same names, of other pixels than R, G and B that are normalised so, or its classes may be in "
        "another order: docs/study.md, Checkpoints."
    )


def _has_classes(source: Source, classes: tuple[str, ...]) -> bool:
    """Return whether the source's head is for these classes, as far as it is known."""
    if source.state is None or source.classes not in (None, classes):
        return False
    return head_width(skeleton(source.arch), source.state) == len(classes)


def _measured(source: Source, dataset: Dataset, spec: StudySpec, resources: Resources) -> SourceError:
    assert source.state is not None
    images, num_classes = _images(dataset, spec), len(dataset.manifest.classes)
    model = Model(source.arch, source.state, num_classes, source.normalisation, source.image_size)
    try:
        (probabilities,) = predict([model], images, resources)
    finally:
        remove_images([images])
    return source_error(probabilities, images.labels)


def _images(dataset: Dataset, spec: StudySpec) -> ImageSet:
    """Decode the validation images that are used: of each class in proportion."""
    whole = select_split(dataset, "val", spec.target.image_size, seed=spec.seed)
    rows = stratified_rows(whole.labels, spec.rank.max_examples, spec.seed)
    part = {name: getattr(whole, name)[rows] for name in ("rows", "labels", "keys")}
    return place_images(dataclasses.replace(whole, **part), "memory")
