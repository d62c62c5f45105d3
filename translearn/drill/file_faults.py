"""The faults that files meet: damage, replacement, and storage that is full, read-only or away; and what numbers do."""

from __future__ import annotations

import random
from operator import methodcaller

import pyarrow.parquet as pq

from translearn.drill.case import Case, DrillError
from translearn.drill.file_steps import (
    away,
    cut,
    damaged,
    flip,
    killed,
    refused,
    refused_until_mended,
    replace_source,
    second_driver,
    spoiled,
    spoiled_disk,
    while_it_runs,
)
from translearn.drill.steps import Fault, Hit, Step, command
from translearn.drill.tiny import PRETRAINED, write_source
from translearn.drill.trap import Trap
from translearn.errors import EXIT_BAD_INPUT

_SEARCH_EPOCH = Trap("epoch", "^search/.*/rank0/", "ask", 3)
#: Neither the first nor the last of its run: there is a checkpoint, and no model yet.
_REFIT_EPOCH = Trap("epoch", "^refit/.*/2/rank0/", "ask")
_HEAT, _NEXT_HEAT = (Trap("placed", r"/search/heats/.*\.json$", "ask", number) for number in (1, 2))
_TRIALS = Trap("placed", r"/trials\.parquet$")
_BEFORE_EVALUATION = Trap("opened", r"/drill/\.mistakes\.parquet", "ask")
_SEARCHED, _SOURCE = "disk/runs/*/search/[hs]*s/*.*", "donor.safetensors"
_RAY, _TEST = "disk/runs/*/refit/.ray/*/group-0", "disk/runs/*/data/target/test-00000.parquet"
_MODEL = "disk/runs/*/refit/transfer-0-0/*.safetensors"


def _put_back(case: Case, _: random.Random) -> None:
    refused(case, EXIT_BAD_INPUT, "must keep the weights")
    write_source(case.source)


def _diverges(case: Case, draw: random.Random) -> None:
    command(Hit("", Trap("placed", r"/search/heats/.*\.json$", number=3))).act(case, draw)
    case.finish()
    trials = pq.read_table(case.study / "trials.parquet").to_pylist()
    if not {"done", "failed"} <= {trial["status"] for trial in trials}:
        raise DrillError("some trials must diverge, and others not")


FILE_FAULTS = (
    Fault(
        "storage-away",
        (spoiled("for a minute of the search", _SEARCH_EPOCH, away),),
    ),
    Fault("two-drivers", (command(Hit("in a refit", _REFIT_EPOCH, second_driver)),), joins="storage-away"),
    Fault("nan", (Step("trials diverge, and the driver is killed", _diverges),), changes=PRETRAINED),
    Fault(
        "out-of-memory",
        (
            command(
                Hit("whenever several trials are trained together", Trap("epoch", r"^search/.*/of[2-9]$", lasts=True))
            ),
        ),
        changes=PRETRAINED,
    ),
    Fault(
        "corrupt",
        (
            damaged("states of trials and a heat's rows", _NEXT_HEAT, _SEARCHED, flip),
            damaged("checkpoint of a refit", _REFIT_EPOCH, f"{_RAY}/checkpoint_*/*", flip),
            damaged("list of a refit's checkpoints", _REFIT_EPOCH, f"{_RAY}/*.json", cut),
            killed(_BEFORE_EVALUATION),
            refused_until_mended("model of a refit", _MODEL, flip, "must have the SHA-256"),
        ),
        may_repeat=3,  # a trial whose state is damaged begins anew
    ),
    Fault(
        "truncated-shard",
        (
            killed(_HEAT),
            refused_until_mended("of the target's test split", _TEST, cut, "test-00000.parquet: must be a Parquet"),
        ),
    ),
    Fault(
        "source-replaced",
        (
            command(while_it_runs("while the search runs", _HEAT, _SOURCE, replace_source), Hit("", _TRIALS)),
            Step("before the command is given again", _put_back),
        ),
        joins="truncated-shard",
    ),
    Fault(
        "disk-full",
        (spoiled_disk("in the search", _SEARCH_EPOCH, methodcaller("fill"), methodcaller("empty")),),
        needs_disk=True,
    ),
    Fault(
        "read-only",
        (spoiled_disk("in a refit", _REFIT_EPOCH, methodcaller("forbid"), methodcaller("allow")),),
        needs_disk=True,
        joins="disk-full",
    ),
)
