"""Boundaries kept on a node, for all its processes: which, and where, is decided by the cost model."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import torch

from translearn.boundary import ledger as ledgers
from translearn.boundary.cost import Decision, Place
from translearn.boundary.feed import Feed
from translearn.boundary.fill import Unit, fill, is_filled, joined, units
from translearn.boundary.joined import Joined
from translearn.boundary.keys import Wanted
from translearn.boundary.node_folder import NodeFolder
from translearn.boundary.planning import Budget, planned
from translearn.boundary.refusal import refusals
from translearn.data.images.image_set import ImageSet
from translearn.errors import StorageError
from translearn.models.network import Network

__all__ = ["Budget", "Cache", "Stored"]
_RANDOM = "each epoch augments anew: nothing can be read twice"


@dataclass(frozen=True)
class Stored:
    """What is kept, and why.

    Attributes:
        arrays: By depth, for ``Feed``; valid until the cache is closed.
        plan: A decision for each depth from 1.
        seconds: Wall time of measuring and of filling, waiting for others included.
        saves_s_per_image: By depth of ``arrays``, the seconds of a reading that a run alone saves an image: computing
            it from pixels, less reading it.
    """

    arrays: dict[int, Joined]
    plan: tuple[Decision, ...]
    seconds: float
    saves_s_per_image: dict[int, float]


class Cache:
    """A process's access to the boundaries that its node keeps.

    Exact: what is read equals what would be computed, bit for bit. What processes that died left behind is deleted
    when the next one comes while none is alive; the last one to close deletes the rest.
    """

    def __init__(self, memory: Budget, disk: Budget) -> None:
        """Takes hold of the folders.

        Args:
            memory: A folder on a file system in memory, such as /dev/shm.
            disk: A folder on a local disk. Both are the cache's alone: whatever else lies there is deleted.

        Raises:
            StorageError: A disk is full or refuses.
        """
        self._budgets: dict[Place, Budget] = {"memory": memory, "disk": disk}
        with refusals(disk.folder):
            self._folders = [NodeFolder(budget.folder) for budget in self._budgets.values()]

    def close(self) -> None:
        """Gives the folders back; the last process of the node deletes them. Safe to call twice.

        Raises:
            StorageError: A disk refuses.
        """
        with refusals(self._budgets["disk"].folder):
            for folder in self._folders:
                folder.close()

    def stored(
        self,
        *,
        source: str,
        network: Network,
        depths: Collection[int],
        data: ImageSet,
        data_key: str,
        precision: str,
        device: torch.device,
        chunk: int | None,
        augment: str = "none",
        seed: int = 0,
        views: int = 0,
        num_reads: int,
        threads: int,
    ) -> Stored:
        """The boundaries that are worth keeping, filled; processes that ask for the same ones fill them together.

        Args:
            source: The source's fingerprint.
            network: On the device; the stages up to the last depth are put into eval mode.
            depths: Freeze depths that are read together.
            data: The examples.
            data_key: Their identity: data set, split, size, limits, seed.
            precision: A resolved one.
            device: Where boundaries are computed and read.
            chunk: As the ``Feed``'s; None: they are read in the blocks of ``inference``, by one worker.
            augment: The policy; random ones are kept only with views.
            seed: The augmentation's.
            views: As the ``Feed``'s.
            num_reads: How often all examples will be read by this process.
            threads: torch's, in this process.

        Raises:
            StorageError: A disk is full or refuses.
        """
        started = time.perf_counter()
        wanted = Wanted(source, network, data, data_key, precision, device, chunk, threads, augment, seed, views)
        deep = tuple(sorted(depth for depth in set(depths) if depth))
        if not deep or not wanted.num_views or not len(data):
            return Stored({}, tuple(Decision(d, "recompute", 0, 0.0, _RANDOM) for d in deep), 0.0, {})
        with refusals(self._budgets["disk"].folder):
            return self._kept(wanted, tuple(depths), {depth: wanted.key(depth) for depth in deep}, num_reads, started)

    def _kept(
        self, wanted: Wanted, depths: tuple[int, ...], keys: dict[int, str], num_reads: int, started: float
    ) -> Stored:
        ledger_folder = self._budgets["disk"].folder
        with ledgers.opened(ledger_folder) as ledger:
            model, plan = planned(ledger, wanted, depths, keys, num_reads, self._budgets)
        try:
            arrays = self._filled(wanted, plan, keys)
        except (OSError, StorageError):
            self._forget(wanted, plan, keys)
            raise
        kept = {one.depth: one.place for one in plan if one.depth in arrays}
        saves_s = {depth: model.chain.prefix_s(depth) - model.read_s(depth, place) for depth, place in kept.items()}
        return Stored(arrays, plan, time.perf_counter() - started, saves_s)

    def _forget(self, wanted: Wanted, plan: tuple[Decision, ...], keys: dict[int, str]) -> None:
        """Strikes out of the ledger what is not whole: else it would be taken for filled, and its room for used.

        What is there of it stays, for those who are still at it, and is used where it is planned again.
        """
        parts, folders = self._parts(wanted), self._places(plan, keys)
        with ledgers.opened(self._budgets["disk"].folder) as ledger:
            for depth, folder in folders.items():
                if not is_filled(folder, parts):
                    ledger.kept.pop(keys[depth], None)

    def _filled(self, wanted: Wanted, plan: tuple[Decision, ...], keys: dict[int, str]) -> dict[int, Joined]:
        parts, folders = self._parts(wanted), self._places(plan, keys)
        there = {depth: joined(folder, parts) for depth, folder in folders.items() if is_filled(folder, parts)}
        missing = {depth: folder for depth, folder in folders.items() if depth not in there}
        if missing:
            feed = _feed(wanted, missing, there)
            fill(feed, missing, parts, self._budgets["disk"].folder / "claims" / wanted.common)
        return {depth: joined(folder, parts) for depth, folder in folders.items()}

    def _places(self, plan: tuple[Decision, ...], keys: dict[int, str]) -> dict[int, Path]:
        """The folder of each boundary that is kept."""
        return {
            one.depth: self._budgets[one.place].folder / keys[one.depth] for one in plan if one.place != "recompute"
        }

    @staticmethod
    def _parts(wanted: Wanted) -> list[Unit]:
        return units(len(wanted.data), wanted.num_views, wanted.chunk)


def _feed(wanted: Wanted, depths: Collection[int], there: dict[int, Joined]) -> Feed:
    return Feed(
        wanted.network,
        tuple(depths),
        wanted.data,
        precision=wanted.precision,
        device=wanted.device,
        chunk=wanted.chunk,
        augment=wanted.augment,
        seed=wanted.seed,
        views=wanted.views,
        stored=there,
    )
