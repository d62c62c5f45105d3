"""Lines of workers' logs can be read by machines, and say whose they are."""

from __future__ import annotations

import json
import os
import time

from translearn.cluster.tracking.log import log


def test_a_line_is_json_with_study_trial_and_worker(capsys):
    log("epoch", "mine", "t3", 1, epoch=2, val_error=0.25)
    log("failed", "mine", "t4", 0, reason="a\nb")
    lines = capsys.readouterr().out.splitlines()
    found = [json.loads(line) for line in lines]
    assert len(found) == 2
    assert abs(found[0].pop("time") - time.time()) < 60
    host = found[0].pop("host")
    assert host
    assert found[0] == {
        "event": "epoch",
        "study": "mine",
        "trial": "t3",
        "worker": 1,
        "pid": os.getpid(),
        "epoch": 2,
        "val_error": 0.25,
    }
    assert found[1]["reason"] == "a\nb"


def test_what_json_has_not_is_text(capsys):
    log("epoch", "mine", "t3", 1, error=ValueError("too high"))
    assert json.loads(capsys.readouterr().out)["error"] == "too high"
