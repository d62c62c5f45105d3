"""Which tensors of a file are taken: whatever its training put around the backbone and beside it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from translearn.errors import WeightsError
from translearn.models.checkpoints.content import Content, named_tensors
from translearn.models.checkpoints.selection import Selection, select
from translearn.models.network import Network, skeleton


def filled(value: float, arch: str = "resnet18", num_classes: int = 7) -> dict[str, Tensor]:
    """Tensors of an architecture, all of this number; they take no memory."""
    shapes = skeleton(arch, num_classes).state_dict().items()
    return {name: torch.tensor(value, dtype=one.dtype).expand(one.shape) for name, one in shapes}


ONES, TWOS = filled(1), filled(2)
BACKBONE = {name: one for name, one in ONES.items() if not name.startswith("fc.")}
NUMBER = torch.zeros(1)


@pytest.fixture(scope="module")
def network() -> Network:
    return skeleton("resnet18")


def under(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}{name}": one for name, one in state.items()}


def told(state: Mapping[str, Tensor]) -> dict[str, tuple[torch.Size, float]]:
    """The shape and the first number of each tensor."""
    return {name: (one.shape, one[(0,) * one.ndim].item()) for name, one in state.items()}


def content(tree: object) -> Content:
    return named_tensors(tree, (), "a.pth")


def refusal(network: Network, tree: object, prefix: str | None = None) -> str:
    with pytest.raises(WeightsError) as raised:
        select(network, content(tree), "sources.birds", prefix)
    return str(raised.value)


@pytest.mark.parametrize(
    "prefix",
    [
        *("", "module.", "_orig_mod.", "model.", "net.", "backbone.", "encoder.", "module._orig_mod.model.backbone."),
        *("encoder_q.", "teacher.", "0.", "layer1.", "module.layer1.0."),
    ],
)
@pytest.mark.parametrize("wrapper", ["", "state_dict", "classy_state_dict.base_model.model.trunk"])
def test_whatever_prefix_has_the_whole_backbone_is_taken(network: Network, wrapper: str, prefix: str) -> None:
    tree: dict[str, object] = dict(under(prefix, ONES))
    for name in reversed(wrapper.split(".") if wrapper else []):
        tree = {name: tree}
    found = select(network, content({"epoch": 3, **tree}), "sources.birds")
    assert found.prefix == (f"{wrapper}." if wrapper else "") + prefix
    assert told(found.state) == told(ONES)
    assert found.left_out == ("epoch",)


def test_moco_s_query_encoder_is_taken_without_its_projection_and_queue(network: Network) -> None:
    query = {**BACKBONE, "fc.0.weight": NUMBER, "fc.2.weight": NUMBER}
    state = {**under("module.encoder_q.", query), "module.queue": NUMBER, "module.queue_ptr": NUMBER}
    tree = {"epoch": 200, "arch": "resnet18", "state_dict": state, "optimizer": {"state": {}, "param_groups": [1]}}
    found = select(network, content(tree), "sources.moco")
    assert told(found.state) == told(query)
    assert found.words() == [
        "takes the weights after 'state_dict.module.encoder_q.'",
        "leaves out state_dict.module.queue, state_dict.module.queue_ptr, epoch, arch, optimizer (1)",
    ]


def test_swav_s_backbone_is_taken_beside_what_has_the_same_prefix(network: Network) -> None:
    beside = {"projection_head.0.weight": NUMBER, "projection_head.0.bias": NUMBER, "prototypes.weight": NUMBER}
    found = select(network, content(under("module.", {**BACKBONE, **beside, "criterion.weight": NUMBER})), "sources.a")
    assert told(found.state) == told(BACKBONE)
    assert found.left_out == ("module.projection_head (2)", "module.prototypes (1)", "module.criterion (1)")


def test_dinos_teacher_is_taken_as_the_average_that_it_is(network: Network) -> None:
    tree = {"student": under("module.backbone.", ONES), "teacher": under("backbone.", TWOS), "dino_loss": {"a": NUMBER}}
    found = select(network, content(tree), "sources.dino")
    assert told(found.state) == told(TWOS)
    assert found.words() == [
        "takes the weights after 'teacher.backbone.', averaged over training, not 'student.module.backbone.'",
        "leaves out student (122), dino_loss (1)",
    ]


def test_averaged_weights_that_are_not_whole_are_not_taken(network: Network) -> None:
    part = dict(list(TWOS.items())[:9])
    found = select(network, content({"model_ema": under("module.", part), "model": ONES}), "sources.a")
    assert (found.prefix, found.passed_over) == ("model.", ())
    assert found.left_out == ("model_ema (9)",)


def test_two_that_fit_are_a_fault_that_names_both_and_the_field_that_chooses(network: Network) -> None:
    tree = {**under("encoder_q.", ONES), **under("encoder_k.", TWOS)}
    assert refusal(network, tree) == (
        "sources.birds.prefix: must be given where a file holds a whole resnet18 more than once, but got none for "
        "'encoder_q.' and 'encoder_k.'. Set `prefix: encoder_q.`, or the one that is meant."
    )
    for prefix in ("encoder_k.", "encoder_k"):
        assert told(select(network, content(tree), "sources.birds", prefix).state) == told(TWOS)


def test_a_prefix_chooses_weights_that_are_no_average(network: Network) -> None:
    tree = {"model": ONES, "model_ema": under("module.", TWOS)}

    def chosen(prefix: str | None) -> Selection:
        return select(network, content(tree), "sources.birds", prefix)

    assert told(chosen(None).state) == told(TWOS)
    assert chosen(None).passed_over == ("model.",)
    assert told(chosen("model").state) == told(ONES)
    assert chosen("model").words()[0] == "takes the weights after 'model.'"
    assert told(select(network, content({**ONES, "ema": TWOS}), "sources.birds", "").state) == told(ONES)


def test_a_prefix_that_is_not_in_the_file_is_a_fault(network: Network) -> None:
    assert refusal(network, {"model": ONES}, "module") == (
        "sources.birds.prefix: must begin names of the file's tensors, but got 'module'. Use 'model.'."
    )


def test_a_prefix_without_the_whole_backbone_is_a_fault(network: Network) -> None:
    tree = {"model": ONES, "part": {"conv1.weight": ONES["conv1.weight"]}}
    assert "sources.birds: must fit resnet18, name by name after 'part.', but got 99 missing" in refusal(
        network, tree, "part"
    )


def test_tensors_within_the_backbone_that_it_lacks_are_a_fault(network: Network) -> None:
    tree = {**under("module.", ONES), "module.layer1.0.se.weight": NUMBER, "module.other.weight": NUMBER}
    assert refusal(network, tree) == (
        "sources.birds: must fit resnet18, name by name after 'module.', but got 1 unexpected: layer1.0.se.weight. "
        "It must hold the whole backbone under torchvision's names; a head may be left out."
    )


def test_a_file_of_something_else_is_a_fault(network: Network) -> None:
    assert "but got 100 missing: conv1.weight" in refusal(network, {"blocks.0.weight": NUMBER})


@pytest.mark.parametrize("arch", ["resnet34", "resnet50", "vgg11_bn", "mobilenet_v2"])
def test_another_architecture_is_named(arch: str) -> None:
    state = under("module.", skeleton(arch).state_dict())
    assert refusal(skeleton("resnet18"), state).endswith(f"It fits {arch} better: set `arch: {arch}`.")


@pytest.mark.parametrize(("channels", "text"), [(1, "1 channel"), (4, "4 channels")])
@pytest.mark.parametrize("arch", ["resnet18", "resnet34"])
def test_images_of_other_channels_are_a_fault_that_names_the_architecture(channels: int, text: str, arch: str) -> None:
    state = {**filled(1, "resnet18"), "conv1.weight": torch.ones(64, channels, 7, 7)}
    better = "" if arch == "resnet18" else "It fits resnet18 better: set `arch: resnet18`. "
    assert refusal(skeleton(arch), {"state_dict": state}).endswith(
        f"{better}conv1.weight takes {text} and images have 3: use weights that were trained on R, G and B."
    )


def test_a_number_that_is_not_finite_is_a_fault(network: Network) -> None:
    bad = {**ONES, "bn1.bias": torch.full((64,), torch.nan)}
    assert "sources.birds: must hold finite numbers only, but got NaN or infinity in bn1.bias" in refusal(network, bad)
