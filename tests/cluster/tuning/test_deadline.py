"""The end of a search by the clock."""

from __future__ import annotations

import pickle

from translearn.cluster.tuning.deadline import Deadline, ending_in


def test_a_search_ends_when_its_time_is_over_also_one_that_tune_restored() -> None:
    restored = pickle.loads(pickle.dumps(Deadline()))
    for one in (Deadline(), restored):
        assert not one("trial", {})
        with ending_in(None):
            assert not one.stop_all()
        with ending_in(1000.0):
            assert not one.stop_all()
        with ending_in(-1.0):
            assert one.stop_all()
        assert not one.stop_all()
