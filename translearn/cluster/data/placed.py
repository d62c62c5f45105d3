"""Acts on a placement: puts the decoded images where it says, and takes them away again."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable
from typing import Any

import ray
from ray.exceptions import RayTaskError

from translearn.cluster.data.stored import store
from translearn.cluster.each_node import nodes_with_cpus, on_each
from translearn.cluster.tracking.progress import ticking
from translearn.data.images.decode import Selection
from translearn.data.images.image_set import ImageSet
from translearn.data.images.on_disk import DiskImages, disk_root, remove_idle
from translearn.data.images.placement import Place, Room
from translearn.data.images.streamed import stream

_PATIENCE_S = 5.0  # workers that were told to end may still hold their images
_PLACES: dict[Place, Callable[[Selection], Any]] = {"memory": store, "disk": DiskImages, "stream": stream}


def measure_room() -> Room:
    """Return the room of the smallest node that has CPUs; none where all nodes were lost."""
    nodes = nodes_with_cpus()
    free = dict(on_each(nodes, _free))
    memory = [node["Resources"].get("object_store_memory", 0.0) for node in nodes if node["NodeID"] in free]
    return Room(int(min(memory, default=0)), min(free.values(), default=0))


def place_images(selection: Selection, place: Place) -> ImageSet:
    """Return the images of a selection in their place: decoded now, or at each read where they are streamed.

    On disk, nodes that are not there yet, and others where the data set is in a local folder, decode at their first
    read.

    Raises:
        DataError: A shard is damaged.
    """
    images = ImageSet(_PLACES[place](selection), selection.labels, selection.keys)
    if isinstance(images.images, DiskImages):
        _decode_on_disks(images.images)
    return images


def remove_images(sets: Iterable[ImageSet]) -> None:
    """Delete from every node's disk what these sets left there, unless other processes still read it."""
    on_disk = [images.images for images in sets if isinstance(images.images, DiskImages)]
    for images in on_disk:
        images.close()
    if on_disk:
        on_each(nodes_with_cpus(), _remove, [images.selection.fingerprint() for images in on_disk])


def _decode_on_disks(images: DiskImages) -> None:
    nodes, here = nodes_with_cpus(), ray.get_runtime_context().get_node_id()
    if images.selection.dataset.folder.is_local:  # which others may have later, or not at all
        nodes = [node for node in nodes if node["NodeID"] == here]
    where = "disk" if len(nodes) == 1 else f"the disks of {len(nodes)} nodes"
    try:
        with ticking(f"decoding {len(images):,} images onto {where}"):
            on_each(nodes, DiskImages.decode, images)
    except RayTaskError as error:
        raise error.cause from None


def _free() -> tuple[str, int]:
    """Return this node, and the free space of its disk."""
    return ray.get_runtime_context().get_node_id(), shutil.disk_usage(disk_root()).free


def _remove(fingerprints: list[str]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    for fingerprint in fingerprints:
        while not remove_idle(disk_root() / fingerprint) and time.monotonic() < deadline:
            time.sleep(0.1)
