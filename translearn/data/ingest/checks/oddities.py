"""Running counts of images that may not show what a person sees in them: of one colour, cut off, one of several."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from translearn.data.images.deep import WHITE, white_of
from translearn.data.notes import Note
from translearn.errors import fault

#: An image is of one colour where its values differ by less than 1/32 of the range from black to white.
_BITS_OF_ONE_COLOUR = 5
_LONGEST = 3
_DEEP, _LONG, _FRAMES = "deep", "long", "frames"
#: One of these, or whether an image is deep with the bits of its contrast.
_Kind = str | tuple[bool, int]


@dataclass
class Oddities:
    """Running counts over the images that are kept.

    Memory does not grow with their number. Which images are of one colour is known at the end, with ``white``: so they
    are counted by the bits of their contrast.
    """

    _counts: Counter[_Kind] = field(default_factory=Counter)
    _first: dict[_Kind, str] = field(default_factory=dict)
    _peak: int = 0
    _range: dict[bool, tuple[list[int], list[int]]] = field(default_factory=dict)

    def see(self, row: dict[str, Any]) -> None:
        """Count a row of schema ``INSPECTED``."""
        lows, highs, deep = row["lows"], row["highs"], row["deep"]
        contrast = max(high - low for low, high in zip(lows, highs, strict=True))
        kinds = {_DEEP: deep, _FRAMES: row["frames"], _LONG: _is_long(row["width"], row["height"])}
        every: list[_Kind] = [(deep, contrast.bit_length()), *(kind for kind, found in kinds.items() if found)]
        for kind in every:
            self._counts[kind] += 1
            self._first.setdefault(kind, row["id"])
        self._peak = max(self._peak, *highs) if deep else self._peak
        known = self._range.get(deep, (lows, highs))
        if len(known[0]) == len(lows):
            self._range[deep] = (list(map(min, known[0], lows)), list(map(max, known[1], highs)))

    @property
    def white(self) -> int:
        """The value of deep pixels that becomes white."""
        return white_of(self._peak)

    def notes(self) -> list[Note]:
        """Return what is done with images otherwise than they are."""
        found = []
        if self.white != WHITE:
            bits = self.white.bit_length()
            scaled = f"images of more than 8 bits, which use {bits}: scaled so that {self.white} is white"
            found.append(self._note(scaled, _DEEP))
        return [
            *found,
            *self._one_colour(),
            *(
                self._note(what, kind)
                for kind, what in (
                    (_LONG, f"images more than {_LONGEST} times as long as wide, of which the central square is used"),
                    (_FRAMES, "images of several frames or pages, of which the first is used"),
                )
                if self._counts[kind]
            ),
        ]

    def faults(self, source: str) -> list[str]:
        """Return a fault where all images are of one and the same colour."""
        every = sum(count for kind, count in self._counts.items() if isinstance(kind, tuple))
        alike = all(self._is_one_colour(deep, _contrast(*ends)) for deep, ends in self._range.items())
        found = self._one_colour()
        if not found or found[0].count < every or not alike:
            return []
        shown, remedy = f"{every} of one colour (first: {found[0].first})", "See what wrote these files."
        return [fault(source, "must have images that differ", shown, remedy)]

    def _one_colour(self) -> list[Note]:
        kinds = [kind for kind in self._counts if isinstance(kind, tuple) and self._is_one_colour(kind[0], kind[1])]
        if not kinds:
            return []
        what = "images of one colour, or nearly so, which show nothing"
        return [Note(what=what, count=sum(self._counts[kind] for kind in kinds), first=self._first[min(kinds)])]

    def _is_one_colour(self, deep: bool, bits: int) -> bool:
        return bits <= (self.white if deep else 255).bit_length() - _BITS_OF_ONE_COLOUR

    def _note(self, what: str, kind: str) -> Note:
        return Note(what=what, count=self._counts[kind], first=self._first[kind])


def _contrast(lows: list[int], highs: list[int]) -> int:
    return max(high - low for low, high in zip(lows, highs, strict=True)).bit_length()


def _is_long(width: int, height: int) -> bool:
    return max(width, height) > _LONGEST * min(width, height)
