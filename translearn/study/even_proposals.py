"""What is tried where no source is to be preferred: a search of its own for each, with as many trials as the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle, islice

from translearn.config import StudySpec
from translearn.contest import Fate, Point
from translearn.models.sources import Source
from translearn.proposals import OptunaProposals


class EvenProposals:
    """Points of one source after the other, in turn, each from the source's own ``OptunaProposals``."""

    num_pilots = 0

    def __init__(self, spec: StudySpec, sources: Mapping[str, Source]) -> None:
        """Prepares a search for each source, scratch among them."""
        self._own = {name: OptunaProposals(spec, {name: source}) for name, source in sources.items()}
        self._turns = cycle(sources)
        self._drawn: list[Point] = []

    def draw(self, num: int) -> list[Point]:
        """See ``Proposals``. Who was left out at the end comes first at the next drawing."""
        names = list(islice(self._turns, num))
        own = {name: iter(one.draw(names.count(name))) for name, one in self._own.items()}
        self._drawn = [next(own[name]) for name in names]
        return self._drawn

    def tell(self, fates: Sequence[Fate]) -> None:
        """See ``Proposals``."""
        for name, one in self._own.items():
            one.tell([fate for point, fate in zip(self._drawn, fates, strict=True) if point.source == name])
