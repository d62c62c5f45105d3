"""A checkpoint whose own data is at hand: its error there is measured once, kept, and an absurd one is a warning."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.torch import save_file
from small_study import small_study

from translearn.cluster.resources import plan_resources
from translearn.models.network import build
from translearn.storage.folder import Folder
from translearn.study.directory import SOURCES
from translearn.study.sources import errors as source_errors
from translearn.study.sources.obtain import obtain_sources

pytestmark = pytest.mark.ray


@pytest.mark.slow
def test_the_error_of_a_checkpoint_on_its_own_data_is_measured_once(
    ray_session: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    state = {name: one.contiguous() for name, one in build("resnet18", 10, seed=0).state_dict().items()}
    save_file({f"module.{name}": one for name, one in state.items()}, tmp_path / "random.safetensors")
    given = {"name": "random", "arch": "resnet18", "checkpoint": str(tmp_path / "random.safetensors")}
    spec = small_study(tmp_path, sources=[{**given, "data": "sklearn:digits"}], rank__max_examples=60)
    folder, resources = Folder.open(tmp_path / "study"), plan_resources(spec.cluster)
    source = obtain_sources(spec, folder, resources)["random"]
    assert source.source_error is not None
    assert source.source_error > 0.6
    told = capsys.readouterr().out
    assert "random: takes the weights after 'module.'; has a head of 10 classes, which a new one replaces" in told
    assert "% error on 60 images of its own data" in told
    assert "warning: random errs on" in told
    rows = {row["name"]: row["source_error"] for row in folder.read_table(SOURCES).to_pylist()}
    assert rows == {"random": source.source_error, "scratch": None}
    monkeypatch.setattr(source_errors, "predict", lambda *_: pytest.fail("it was measured again"))
    assert obtain_sources(spec, folder, resources)["random"].source_error == source.source_error
