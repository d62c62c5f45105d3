"""What the step benchmark makes of its measurements."""

from __future__ import annotations

from pathlib import Path

import pytest
import step


def test_ours_is_compared_with_the_quickest_peer_of_the_same_turn() -> None:
    seconds = {
        "plain/fp32": [4.0, 8.0], "timm/fp32": [5.0, 6.0], "translearn/fp32": [2.0, 3.0],
        "plain/bf16": [2.0, 2.0], "timm/bf16": [3.0, 1.0], "translearn/bf16": [1.0, 1.0],
    }  # fmt: skip
    found = step.summary(seconds, [1.0, 3.0, 2.0, 2.0], num=12)
    assert found["img_s"]["fp32"]["plain"] == {"median": 2.25, "min": 1.5, "max": 3.0, "n": 2}
    assert found["ours_fp32_over_best_fp32"]["median"] == 2.0
    assert found["ours_bf16_over_best_bf16"] == {"median": 1.5, "min": 1.0, "max": 2.0, "n": 2}
    assert found["ours_auto_over_best_fp32"] == {"median": 5.0, "min": 4.0, "max": 6.0, "n": 2}
    assert found["with_decode"]["fp32"] == pytest.approx(12 / 4.5)


def test_a_peer_that_is_not_installed_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(step, "PYTHON", tmp_path / "python")
    assert not step._has("timm")
