"""Placement of a data set's decoded images, decided once from measured sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Place = Literal["memory", "disk", "stream"]

#: The part of the object store, and of the free disk, that images may take: trials need the rest.
_MEMORY_PART, _DISK_PART = 0.5, 0.5


@dataclass(frozen=True)
class Room:
    """Room on the smallest node of a cluster, in bytes.

    Attributes:
        memory: Of its object store.
        disk: Free on its temporary disk.
    """

    memory: int
    disk: int


@dataclass(frozen=True)
class Placement:
    """A place with its reason, a line of the plan."""

    place: Place
    why: str


def choose_place(num_bytes: int, room: Room, wanted: Place | Literal["auto"] = "auto", num_sets: int = 1) -> Placement:
    """Choose memory where the images fit into their part of it, else disk likewise, else a stream.

    Args:
        num_bytes: Of all decoded images of the data set.
        room: The available room.
        wanted: The user's choice; ``auto`` for this one.
        num_sets: Data sets of the study: each has an equal part of the room.
    """
    fits = {"memory": _MEMORY_PART * room.memory / num_sets, "disk": _DISK_PART * room.disk / num_sets}
    places: tuple[Place, ...] = ("memory", "disk")
    place: Place = next((name for name in places if num_bytes <= fits[name]), "stream")
    reason = f"object store holds {amount(room.memory)}, disk has {amount(room.disk)} free"
    if wanted != "auto":
        place, reason = wanted, "as target.images says"
    elif place == "memory":
        reason = f"object store holds {amount(room.memory)}"
    return Placement(place, f"images: {amount(num_bytes)} decoded, {_WORDS[place]} ({reason})")


_WORDS = {"memory": "in memory", "disk": "on each node's disk", "stream": "but streamed, decoded at each reading"}


def amount(num_bytes: float) -> str:
    """Format a number of bytes in decimal units."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if num_bytes >= size:
            return f"{num_bytes / size:.1f} {unit}"
    return f"{num_bytes / 1e3:.0f} kB"
