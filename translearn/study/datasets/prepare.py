"""A study's data sets: ingested where they are not yet, then decoded once."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import Literal

from translearn.cluster.data.bulk import inspected_in_parallel
from translearn.cluster.data.placed import measure_room, place_images
from translearn.cluster.tracking.console import say
from translearn.cluster.tracking.metrics import show_quarantined
from translearn.cluster.tracking.progress import followed
from translearn.config import StudySpec
from translearn.data.dataset import Dataset, open_dataset
from translearn.data.images.decode import select_split
from translearn.data.images.image_set import ImageSet
from translearn.data.images.placement import Place, Placement, choose_place
from translearn.data.ingest.ingest import IngestOptions, ingest, plan_ingest
from translearn.data.manifest import MANIFEST
from translearn.storage.folder import Folder
from translearn.study.datasets.names import Limits, ingest_options, is_ingested


@dataclass(frozen=True)
class Splits:
    """A data set's splits, decoded at one size, and where they lie."""

    dataset: Dataset
    train: ImageSet
    val: ImageSet
    placement: Placement


def dataset_of(source: str, options: IngestOptions, out: Folder) -> Dataset:
    """Return the data set of a source: itself where it is ingested, else the result of ingesting it into ``out``."""
    if is_ingested(source):
        return open_dataset(source)
    if out.exists(MANIFEST):
        return open_dataset(out)
    say(f"ingesting {source}")
    plan = plan_ingest(source, options)
    with closing(followed(inspected_in_parallel(plan), len(plan.listing), "images")) as batches:
        dataset = ingest(plan, out, batches)
    show_quarantined(source, dataset.manifest.num_quarantined)
    tell_notes(source, dataset)
    return dataset


def tell_notes(source: str, dataset: Dataset) -> None:
    """Print what was left out of a data set or done otherwise, a line each."""
    for note in dataset.manifest.notes:
        say(f"{source}: {note}")


def target_dataset(spec: StudySpec, folder: Folder) -> Dataset:
    """Return the target's data set, ingested into the study's directory where needed."""
    return dataset_of(spec.target.data, ingest_options(spec.target.ingest), folder / "data" / "target")


def decode(
    dataset: Dataset, image_size: int, limits: Limits, seed: int, wanted: Place | Literal["auto"], num_sets: int
) -> Splits:
    """Training and validation images of a data set, in the place chosen. The test split is not touched here.

    Args:
        dataset: An ingested data set.
        image_size: Side of the images, in pixels.
        limits: The most images of a class.
        seed: What they are drawn from.
        wanted: As ``target.images``.
        num_sets: Data sets of the study, which share the room.
    """
    train = select_split(dataset, "train", image_size, per_class=limits.train, seed=seed)
    val = select_split(dataset, "val", image_size, per_class=limits.other, seed=seed)
    placement = choose_place(train.nbytes + val.nbytes, measure_room(), wanted, num_sets)
    say(placement.why)
    return Splits(dataset, place_images(train, placement.place), place_images(val, placement.place), placement)


def num_sets(spec: StudySpec) -> int:
    """Return how many data sets a study decodes: the target's and that of each pre-training."""
    return 1 + sum(source.pretrain is not None for source in spec.sources)
