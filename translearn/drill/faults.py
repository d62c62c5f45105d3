"""The faults that processes and nodes meet: what is killed, and when."""

from __future__ import annotations

from translearn.drill.steps import Fault, Hit, Strike, command, kill_driver, kill_head, kill_node, kill_victim
from translearn.drill.tiny import PRETRAINED
from translearn.drill.trap import Event, Trap

#: Matches that are still to come, whatever was hit before.
_SEARCH_EPOCHS, _REFIT_EPOCHS = 4, 5
_STATE, _CHECKPOINT = r"/search/states/.*\.pt$", r"/translearn-checkpoint-[^/]*/state\.pt$"
_ROWS = r"/search/heats/.*\.json$"


def _die(point: str, event: Event, pattern: str, most: int = 0) -> Hit:
    """The process that steps into the trap is killed there."""
    return Hit(point, Trap(event, pattern), most=most)


def _ask(point: str, event: Event, pattern: str, strike: Strike, most: int = 0) -> Hit:
    return Hit(point, Trap(event, pattern, "ask"), strike, most)


def _everywhere(strike: Strike) -> tuple[Hit, ...]:
    """What may be hit at any time, at a random point and at the nasty ones of a whole study, in their order."""
    return (
        _ask("during manifest.json", "placed", r"/data/target/manifest\.json$", strike),
        _ask("during a trial's checkpoint", "placed", _STATE, strike),
        _ask("after a random epoch of the search", "epoch", "^search/.*/rank0/", strike, _SEARCH_EPOCHS),
        _ask("during a refit's checkpoint", "opened", _CHECKPOINT, strike),
        _ask("between refit and evaluate", "placed", r"/drill/curves\.parquet$", strike),
    )


_MANIFEST, _IN_STATE, _IN_SEARCH, _IN_CHECKPOINT, _BETWEEN = _everywhere(kill_driver)
PROCESS_FAULTS = (
    Fault(
        "lane",
        (
            command(
                _die("during a trial's checkpoint", "placed", _STATE),
                _ask("after a random epoch of the search", "epoch", "^search/.*/rank0/", kill_victim, _SEARCH_EPOCHS),
            ),
        ),
    ),
    Fault(
        "worker",
        (
            command(
                _die("during a checkpoint of pre-training", "opened", _CHECKPOINT),
                _die("after a random epoch of pre-training", "epoch", "^sources/.*/rank1/", 2),
                _die("during a refit's checkpoint", "opened", _CHECKPOINT),
                _die("after a random epoch of a refit", "epoch", "^refit/.*/rank1/", _REFIT_EPOCHS),
                _die("during model.json of a refit", "placed", r"/refit/[^/]+/model\.json$"),
            ),
        ),
        changes=PRETRAINED,
    ),
    Fault("node", (command(*_everywhere(kill_node)),)),
    Fault(
        "driver",
        (
            command(_MANIFEST),
            command(_IN_STATE),
            command(_IN_SEARCH),
            command(_die("during a heat's rows", "placed", _ROWS)),
            command(_die("during trials.parquet", "placed", r"/trials\.parquet$")),
            command(_IN_CHECKPOINT),
            command(_BETWEEN),
            command(_die("during the deployed model.json", "placed", r"/drill/model/model\.json$")),
            command(_die("during evaluation.json", "placed", r"/evaluation\.json$")),
        ),
    ),
    Fault("head", tuple(command(hit) for hit in _everywhere(kill_head))),
    Fault(
        "several",
        (
            command(
                _die("a lane in a checkpoint", "placed", _STATE),
                _die("the driver during trials.parquet", "placed", r"/trials\.parquet$"),
            ),
            command(_die("a refit's worker in a checkpoint", "opened", _CHECKPOINT)),
        ),
        changes={"search__trials": 2, "search__algorithm": "random", "refit__seeds": 1},
        is_short=True,
    ),
)
