"""torchvision's weights by name; no network is used."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from urllib.error import URLError

import pytest
import torch

from translearn.errors import WeightsError
from translearn.models.backbones.backbone import torchvision_names
from translearn.models.backbones.pretrained import cached_file, find_weights, pretrained_state


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty torch hub without a network."""

    def fail(*args: object, **kwargs: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("arch", torchvision_names())
def test_every_architecture_has_default_weights_with_a_digest_in_the_files_name(arch: str) -> None:
    entry = find_weights(arch, "default")
    assert re.search(r"-[0-9a-f]{8,}\.pth$", cached_file(entry.url).name)
    assert len(entry.meta["categories"]) == 1000


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("imagenet_v2", "Did you mean 'IMAGENET1K_V2'?"), ("birds", "One of IMAGENET1K_V1, IMAGENET1K_V2, DEFAULT.")],
)
def test_an_unknown_name_is_answered_with_the_known_ones(name: str, remedy: str) -> None:
    with pytest.raises(WeightsError) as raised:
        find_weights("resnet50", name)
    assert str(raised.value) == f"weights: must be one of torchvision's for resnet50, but got {name!r}. {remedy}"


def test_offline_the_error_says_which_file_goes_where(hub: Path) -> None:
    with pytest.raises(WeightsError) as raised:
        pretrained_state(find_weights("resnet18", "IMAGENET1K_V1"))
    file = "resnet18-f37072fd.pth"
    assert str(raised.value) == (
        "ResNet18_Weights.IMAGENET1K_V1: must be cached or downloadable, but got neither "
        "(<urlopen error no route to host>). Without a network, fetch resnet18-f37072fd.pth elsewhere "
        f"(https://download.pytorch.org/models/{file}) and put it at {hub}/checkpoints/{file}."
    )


def test_a_cached_file_is_read_when_its_digest_is_the_one_in_its_name(
    hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (hub / "checkpoints").mkdir()
    torch.save({"a": torch.ones(2)}, hub / "a.pth")
    digest = hashlib.sha256((hub / "a.pth").read_bytes()).hexdigest()
    whole = hub / "checkpoints" / f"resnet18-{digest[:8]}.pth"
    (hub / "a.pth").rename(whole)
    monkeypatch.setattr("translearn.models.backbones.pretrained.cached_file", lambda url: whole)
    state = pretrained_state(find_weights("resnet18", "DEFAULT"))
    assert torch.equal(state["a"], torch.ones(2))


def test_a_damaged_cached_file_is_refused(hub: Path) -> None:
    (hub / "checkpoints").mkdir()
    (hub / "checkpoints" / "resnet18-f37072fd.pth").write_bytes(b"half a download")
    with pytest.raises(WeightsError, match=r"must have a SHA-256 that begins with f37072fd, but got \w{8}\. Delete it"):
        pretrained_state(find_weights("resnet18", "DEFAULT"))
