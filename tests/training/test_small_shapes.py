"""Small shapes of any kind: two steps are finite, bf16 agrees with fp32, and several workers with one.

Tolerances: see each test. At random weights BatchNorm over few values makes rounding grow, in MobileNetV2 above all:
updates of bf16, and even of fp32, then differ from those of float64 by as much as they are, and losses by 0.1. Without
clipping MobileNetV2 overflows in fp32 with batches of three.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from shape_cases import Shape, Workers, trained, workers
from torch import Tensor

from translearn.models.backbones.faults import takes

pytestmark = pytest.mark.usefixtures("one_thread")

FAMILIES = ("resnet18", "resnext50_32x4d", "mobilenet_v2", "vgg11_bn")
LOSS_TOLERANCE = 0.5  # nats, of a loss of about 1.5; for batches of at least 4
SAME = HealthCheck.function_scoped_fixture  # one thread, for every example


def shapes(archs: tuple[str, ...], most_pixels: int, most_images: int) -> st.SearchStrategy[Shape]:
    return st.builds(Shape, st.sampled_from(archs), st.integers(16, most_pixels), st.integers(1, most_images))


def floats(changes: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: change for name, change in changes.items() if change.is_floating_point()}


def check_finite(loss: float, changes: dict[str, Tensor]) -> None:
    assert loss == loss
    assert not [name for name, tensor in changes.items() if not tensor.isfinite().all()]


def check_precision(
    shape: Shape, found: tuple[float, dict[str, Tensor]], exact: tuple[float, dict[str, Tensor]]
) -> None:
    """No tensor moves by far more than it should, nor one column of a kernel that meets nothing but padding."""
    check_finite(*found)
    if shape.batch_size >= 4:
        assert found[0] == pytest.approx(exact[0], abs=LOSS_TOLERANCE)
    for name, change in floats(exact[1]).items():
        if "running" in name:
            continue
        assert found[1][name].norm() <= 10 * change.norm() + 1e-3, name
        if change.ndim == 4:
            still = (change == 0).all(0).all(0)
            assert not found[1][name][:, :, still].any(), name


def valid(shape: Shape) -> bool:
    """Whether a study file may have it."""
    return takes(shape.arch, shape.image_size) and (shape.batch_size > 1 or shape.image_size > 32)


def check_alone(shape: Shape) -> None:
    assume(valid(shape))
    exact = trained(shape)
    check_finite(*exact)
    for precision in ("fp32", "bf16"):
        check_precision(shape, trained(Shape(shape.arch, shape.image_size, shape.batch_size, precision)), exact)


@example(Shape("resnet18", 16, 3))
@settings(max_examples=2, deadline=None, derandomize=True, suppress_health_check=[SAME])
@given(shapes(("resnet18",), 20, 4))
def test_two_steps_are_finite_and_alike_in_every_precision(shape: Shape) -> None:
    check_alone(shape)


@pytest.mark.slow
@example(Shape("mobilenet_v2", 16, 3))
@settings(max_examples=8, deadline=None, suppress_health_check=[SAME])
@given(shapes(FAMILIES, 64, 33))
def test_every_family_is_finite_and_alike_in_every_precision(shape: Shape) -> None:
    check_alone(shape)


@pytest.fixture(scope="module")
def team() -> Iterator[Workers]:
    with workers() as found:
        yield found


@pytest.mark.slow
@example(Shape("resnet18", 16, 4), 2)
@settings(max_examples=6, deadline=None, suppress_health_check=[SAME])
@given(shapes(("resnet18", "resnext50_32x4d", "mobilenet_v2"), 64, 33), st.integers(2, 3))
def test_several_workers_are_one(
    team: Workers, tmp_path_factory: pytest.TempPathFactory, shape: Shape, num_workers: int
) -> None:
    assume(valid(shape))
    alone, together = trained(shape), team.trained(shape, num_workers, tmp_path_factory.mktemp("team"))
    check_finite(*together)
    if shape.batch_size >= 4:  # losses are computed in fp32, and of fewer values BatchNorm makes their rounding grow
        assert together[0] == pytest.approx(alone[0], rel=1e-3)
        for name, change in floats(alone[1]).items():
            assert (together[1][name] - change).norm() <= 0.05 * change.norm() + 1e-6, name
    bf16 = Shape(shape.arch, shape.image_size, shape.batch_size, "bf16")
    check_precision(bf16, team.trained(bf16, num_workers, tmp_path_factory.mktemp("team")), alone)
