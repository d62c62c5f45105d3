"""What is kept of the trials of a heat while it runs."""

from __future__ import annotations

from collections.abc import Iterator

from translearn.cluster.states import CheckpointClock, Places, Saved, Writer
from translearn.config import StudySpec
from translearn.contest import Heat, Row
from translearn.errors import NonFiniteLossError
from translearn.training.config import EpochResult

Results = dict[int, EpochResult | NonFiniteLossError]


class Keeper:
    """Keeps the states of a heat's trials: in storage when they are due, in memory where the heat ends early."""

    def __init__(self, heat: Heat, spec: StudySpec, places: Places, curves: dict[str, list[Row]]) -> None:
        """Takes a heat, and the rows of its trials by name, which grow as it goes on."""
        self._heat, self._places, self._curves = heat, places, curves
        self._num_epochs = spec.search.epochs
        self._clock = CheckpointClock(spec.cluster.checkpoint_interval_s)
        self._is_strict = spec.cluster.checkpoint_interval_s == 0  # nobody hears of an epoch that might be lost
        self._writer = Writer(places)

    def take(self, results: Results, over: bool) -> None:
        """Takes an epoch's results; their states are those of now."""
        pauses = over and self._heat.until < self._num_epochs
        is_due = self._clock.due(is_last=self._heat.until == self._num_epochs and over)
        if pauses or is_due:
            states = {run: saved for place, result in results.items() for run, saved in self._saved(place, result)}
            for run, saved in states.items() if pauses else ():
                self._places.keep(run, saved)
            if is_due:
                self._writer.write(states, are_kept=pauses)
        if over or self._is_strict:
            self._writer.wait()

    def _saved(self, place: int, result: EpochResult | NonFiniteLossError) -> Iterator[tuple[str, Saved]]:
        if isinstance(result, EpochResult):
            run = self._heat.contestants[place].run
            yield run, {"curve": list(self._curves[run]), "state": result.state()}
