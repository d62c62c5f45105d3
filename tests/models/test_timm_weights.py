"""timm's weights by name: from Hugging Face's cache; no network is used."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from huggingface_hub import constants
from safetensors.torch import save_file

from translearn.config import SourceSpec
from translearn.errors import WeightsError
from translearn.models.backbones.timm_weights import find_timm, tags
from translearn.models.sources import check_sources, initial_network, obtain

REPOSITORY = "models--timm--test_vit.r160_in1k"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of Hugging Face without a network."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path


def spec(tag: str) -> SourceSpec:
    return SourceSpec(name="vit", arch="timm/test_vit", weights=tag)


def test_the_default_tag_is_a_name_like_the_others() -> None:
    assert tags("timm/test_vit") == ["r160_in1k"]
    assert find_timm("timm/test_vit", "default").tag == "r160_in1k"
    assert check_sources([spec("default"), spec("r160_in1k")]) == []
    assert check_sources([spec("r160_in12k"), spec("birds")]) == [
        f"sources.vit: weights: must be one of timm's for timm/test_vit, but got {tag!r}. {remedy}"
        for tag, remedy in (("r160_in12k", "Did you mean 'r160_in1k'?"), ("birds", "One of r160_in1k."))
    ]


def test_offline_the_error_says_which_file_goes_where(cache: Path) -> None:
    with pytest.raises(WeightsError) as raised:
        obtain(spec("default"))
    assert str(raised.value).startswith("timm's test_vit.r160_in1k: must be cached or downloadable, but got neither (")
    assert str(raised.value).endswith(
        "Without a network, fetch model.safetensors of https://huggingface.co/timm/test_vit.r160_in1k elsewhere and "
        f"put it at {cache}/{REPOSITORY}/snapshots/main/model.safetensors."
    )


def test_a_file_that_was_put_there_is_read_with_the_preprocessing_of_its_weights(cache: Path) -> None:
    folder = cache / REPOSITORY / "snapshots" / "main"
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    given = timm.create_model("test_vit").state_dict()
    save_file(given, folder / "model.safetensors")
    source = obtain(spec("default"))
    assert source.state is not None
    assert all(torch.equal(tensor, source.state[name]) for name, tensor in given.items())
    assert source.normalisation == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    assert source.provenance["weights"] == "timm's test_vit.r160_in1k"
    assert source.provenance["image_size"] == source.image_size == 160
    network, account = initial_network(source, 3, seed=0, image_size=48)
    assert account.reinitialised == ("head.weight", "head.bias")
    assert network.normalisation == source.normalisation
    assert network(torch.zeros(1, 3, 48, 48)).shape == (1, 3)
