"""The context of a study's steps: what they share once its images and sources are there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from translearn.cluster.data.placed import remove_images
from translearn.cluster.data.shared import Task
from translearn.cluster.resources import Resources
from translearn.cluster.tracking.console import say
from translearn.config import StudySpec
from translearn.models.sources import Source
from translearn.storage.folder import Folder
from translearn.study.datasets.names import is_ingested, limits
from translearn.study.datasets.prepare import Splits, decode, target_dataset, tell_notes
from translearn.study.evaluation.target_check import check_target
from translearn.study.planning.budget import with_budget


@dataclass(frozen=True, eq=False)
class StudyContext:
    """A study whose images and sources are at hand.

    Attributes:
        spec: The study, with numbers in place of ``auto``.
        folder: Its directory.
        splits: The target's training and validation images.
        sources: All sources by name, scratch among them.
        resources: The layout.
        lacking: What was left out of the study to fit into its time.
    """

    spec: StudySpec
    folder: Folder
    splits: Splits
    sources: dict[str, Source]
    resources: Resources
    lacking: tuple[str, ...] = ()

    @property
    def classes(self) -> list[str]:
        """The target's class names, in order of the labels."""
        return list(self.splits.dataset.manifest.classes)

    def task(self, sources: dict[str, Source]) -> Task:
        """Return the target's images with these sources."""
        return Task(self.splits.train, self.splits.val, len(self.classes), sources)


@contextmanager
def study_context(
    spec: StudySpec, folder: Folder, resources: Resources, sources: Callable[[], dict[str, Source]], num_sets: int
) -> Iterator[StudyContext]:
    """Decode the target's images, then obtain the sources; the images are deleted when the block ends.

    Args:
        spec, folder, resources: As in ``StudyContext``, but ``auto`` may stand for numbers.
        sources: Obtains the sources.
        num_sets: How many data sets share the memory for images.
    """
    bounds = limits(spec.target.ingest, spec.target.train_per_class)
    dataset, size = target_dataset(spec, folder), spec.target.image_size
    if is_ingested(spec.target.data):
        tell_notes(spec.target.data, dataset)
    for line in check_target(spec, folder, dataset)["warnings"]:
        say(f"Warning: {line}")
    splits = decode(dataset, size, bounds, spec.seed, spec.target.images, num_sets)
    try:
        yield StudyContext(with_budget(spec, len(splits.train)), folder, splits, sources(), resources)
    finally:
        remove_images([splits.train, splits.val])
