"""A network's opinion on a split: every example once, in order, in closed form where there is one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from loop_cases import images, source
from torch import nn

from translearn.models.preprocessing import IMAGENET
from translearn.training import inference
from translearn.training.distributed import DistributedContext
from translearn.training.inference import logits, loss_and_error, probabilities

CPU = torch.device("cpu")


class Brightness(nn.Module):
    """Logits that are known: the mean normalised input of each colour."""

    normalisation = IMAGENET

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3))


def expected_logits(num: int) -> np.ndarray:
    means = images(num).images.mean((1, 2)) / 255
    return (means - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "BATCH_SIZE", 4)


def test_probabilities_are_the_softmax_of_each_example_in_order() -> None:
    z = np.exp(expected_logits(10))
    found = probabilities(Brightness(), images(10), "fp32", CPU)
    np.testing.assert_allclose(found, z / z.sum(1, keepdims=True), rtol=1e-4)
    assert found.dtype == np.float64


def test_loss_and_error_are_means_over_examples_not_over_batches() -> None:
    data, z = images(10), expected_logits(10)  # batches of 4, 4 and 2
    log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
    loss, error = loss_and_error(Brightness(), data, "fp32", DistributedContext())
    assert loss == pytest.approx(-log_p[np.arange(10), data.labels].mean(), rel=1e-4)
    assert error == np.mean(z.argmax(1) != data.labels)


def test_workers_share_a_split_out_without_a_word_between_them() -> None:
    shares = [list(logits(Brightness(), images(11), "fp32", DistributedContext(r, 3))) for r in range(3)]
    found = torch.cat([z for share in shares for z, _ in share])
    np.testing.assert_allclose(found, expected_logits(11), rtol=1e-4, atol=1e-6)
    assert torch.cat([labels for share in shares for _, labels in share]).tolist() == images(11).labels.tolist()
    assert list(logits(Brightness(), images(1), "fp32", DistributedContext(1, 2))) == []


def test_the_network_is_in_eval_mode_and_stays_as_it_is() -> None:
    network = source()
    network.train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    first = probabilities(network, images(6), "fp32", CPU)
    assert not network.training
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    one_by_one = [probabilities(network, images(6).take(np.array([row])), "fp32", CPU)[0] for row in range(6)]
    np.testing.assert_allclose(first, one_by_one, rtol=1e-4)


def test_a_caller_does_not_run_in_inference_mode_or_autocast() -> None:
    for z, _ in logits(Brightness(), images(6), "bf16", DistributedContext()):
        assert not torch.is_inference_mode_enabled()
        assert not torch.is_autocast_enabled("cpu")
        assert z.dtype == torch.float32
