"""A whole study whose data and storage lie in an object store: in two goes, with a server that fails now and then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.fs as pafs
import pytest
import ray
import safetensors.torch
import torchvision
import yaml
from s3_server import CREDENTIALS, S3Server
from small_study import small_tree

from translearn.cli import main
from translearn.storage.folder import Folder

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]

SMALL: dict[str, Any] = {
    "search__trials": 2,
    "search__epochs": 1,
    "search__prior": "off",
    "search__grace_epochs": 1,
    "cluster__checkpoint_interval_s": 0,
    "refit": {"candidates": 1, "seeds": 1, "epochs": 1, "baseline_cap": 1},
}


def contents(folder: Folder) -> dict[str, bytes]:
    """The content of every file in a folder and below, by its path in it."""
    files = folder.fs.get_file_info(pafs.FileSelector(folder.path, recursive=True))
    return {
        info.path.removeprefix(f"{folder.path}/"): folder.fs.open_input_file(info.path).read()
        for info in files
        if info.is_file
    }


def logs() -> dict[str, bytes]:
    """What Ray's processes wrote in this session, ours among them, by the path."""
    folder = Path(ray._private.worker._global_node.get_logs_dir_path())
    found = {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert any(name.endswith(".out") for name in found), "the workers' logs are elsewhere"
    return found


def test_a_study_in_an_object_store_in_two_goes(
    ray_session: str, s3: S3Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data, storage = s3.address(f"{tmp_path.name}/digits"), s3.address(f"{tmp_path.name}/studies")
    split = ("--split", "0.2", "0.2", "0.6", "--limit-per-class", "12")
    assert main(["ingest", "sklearn:digits", data, *split]) == 0
    weights = Folder.open(s3.address(tmp_path.name))
    weights.write_bytes(
        "made.safetensors", safetensors.torch.save(torchvision.models.resnet18(num_classes=3).state_dict())
    )
    sources = [{"name": "made", "arch": "resnet18", "checkpoint": weights.address("made.safetensors")}]
    file = tmp_path / "small.yaml"
    file.write_text(yaml.safe_dump(small_tree(storage, **SMALL, target__data=data, sources=sources)))
    assert main(["search", str(file)]) == 0
    shown_before = capfd.readouterr()
    searched = contents(Folder.open(storage) / "small")

    for method in ("GET", "HEAD", "PUT"):
        s3.fail(method, 5)
    assert main(["run", str(file), "--json"]) == 0
    shown = capfd.readouterr()
    result = json.loads(shown.out.splitlines()[-1])
    assert result["report"] == (Folder.open(storage) / "small").address("report.html")
    left = contents(Folder.open(storage) / "small")
    kept = ("spec.yaml", "trials.parquet", "sources.parquet")
    assert [left[name] for name in kept] == [searched[name] for name in kept]  # nothing was done twice
    assert {"evaluation.json", "report.html", "model/model.json", "model/model.safetensors"} <= set(left)
    assert b"<html" in left["report.html"]
    secret = CREDENTIALS["AWS_SECRET_ACCESS_KEY"]
    assert not [name for name, content in left.items() if secret.encode() in content]
    assert not [text for text in (*shown_before, *shown) if secret in text]
    assert not [name for name, content in logs().items() if secret.encode() in content]
