"""One fine-tune of one peer in a process of its own: a warm-up epoch, then a timed one. ``step.py`` calls it.

All peers train torchvision's ResNet-18 of 10 classes by SGD with Nesterov momentum at a constant rate, on the same
JPEG files, shifted and mirrored at random. Prints seconds as one JSON object.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import models, transforms
from torchvision.datasets import ImageFolder

NUM_CLASSES, LR, MOMENTUM, WEIGHT_DECAY, EPOCHS, WORKERS = 10, 0.01, 0.9, 1e-4, 2, 2
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Clock:
    """Seconds of the last epoch that was timed."""

    def start(self) -> None:
        self._started = time.perf_counter()

    def stop(self) -> None:
        self.seconds = time.perf_counter() - self._started


def precision_context(bf16: bool) -> AbstractContextManager[object]:
    return torch.autocast("cpu", torch.bfloat16) if bf16 else nullcontext()


def transform(size: int) -> Any:
    """What each peer does to an image: a shift by up to 1/16 of the side with repeated edges, and a mirror."""
    shift = transforms.RandomCrop(size, padding=round(size / 16), padding_mode="edge")
    steps = [shift, transforms.RandomHorizontalFlip(), transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    return transforms.Compose(steps)


def loader(options: argparse.Namespace) -> DataLoader[Any]:
    data = ImageFolder(str(options.images), transform(options.size))
    return DataLoader(data, options.batch_size, shuffle=True, num_workers=WORKERS, persistent_workers=True)


def resnet() -> nn.Module:
    return models.resnet18(num_classes=NUM_CLASSES)


def sgd(parameters: Any, **_: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=LR, momentum=MOMENTUM, nesterov=True, weight_decay=WEIGHT_DECAY)


def loop(
    model: nn.Module, loss_of: Callable[..., torch.Tensor], optimizer: torch.optim.Optimizer, batches: Any, bf16: bool
) -> float:
    """The loop of PyTorch's own tutorials: seconds of its last epoch."""
    clock = Clock()
    for _ in range(EPOCHS):
        clock.start()
        for x, y in batches:
            with precision_context(bf16):
                loss = loss_of(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        clock.stop()
    return clock.seconds


def plain(options: argparse.Namespace) -> float:
    """PyTorch alone."""
    memory = torch.channels_last if options.channels_last else torch.contiguous_format
    model = resnet().to(memory_format=memory).train()  # type: ignore[call-overload]
    return loop(model, nn.functional.cross_entropy, sgd(model.parameters()), loader(options), options.bf16)


def timm_parts(options: argparse.Namespace) -> float:
    """timm's model, loader, optimiser and loss, in the order of its train script, which the package lacks."""
    from timm import create_model
    from timm.data import create_dataset, create_loader
    from timm.optim import create_optimizer_v2

    data = create_dataset("", root=str(options.images), is_training=True)
    batches = create_loader(
        data, (3, options.size, options.size), options.batch_size, is_training=True, use_prefetcher=False,
        num_workers=WORKERS, persistent_workers=True, device=torch.device("cpu"),
    )  # fmt: skip
    data.transform = transform(options.size)
    model = create_model("resnet18", num_classes=NUM_CLASSES).train()
    optimizer = create_optimizer_v2(model, opt="sgd", lr=LR, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    return loop(model, nn.CrossEntropyLoss(), optimizer, batches, options.bf16)


def fastai(options: argparse.Namespace) -> float:
    """fastai's Learner, without logging and without validation."""
    from functools import partial

    from fastai.callback.core import Callback
    from fastai.data.core import DataLoaders
    from fastai.learner import Learner
    from fastai.optimizer import OptimWrapper

    clock = Clock()
    timing = Callback(before_train=lambda _: clock.start(), after_train=lambda _: clock.stop())
    data = DataLoaders(loader(options), [], device=torch.device("cpu"))
    learner = Learner(data, resnet(), nn.CrossEntropyLoss(), opt_func=partial(OptimWrapper, opt=sgd), cbs=[timing])
    with learner.no_logging():
        learner.fit(EPOCHS, LR)
    return clock.seconds


def lightning(options: argparse.Namespace) -> float:
    """Lightning's Trainer, without loggers, checkpoints and its progress bar."""
    import lightning as pl

    clock = Clock()

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = resnet()

        def training_step(self, batch: Any, _index: int) -> torch.Tensor:
            return nn.functional.cross_entropy(self.model(batch[0]), batch[1])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return sgd(self.parameters())

        def on_train_epoch_start(self) -> None:
            clock.start()

        def on_train_epoch_end(self) -> None:
            clock.stop()

    trainer = pl.Trainer(
        accelerator="cpu", precision="bf16-mixed" if options.bf16 else "32-true", max_epochs=EPOCHS, logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(Module(), loader(options))
    return clock.seconds


def translearn(options: argparse.Namespace) -> dict[str, float]:
    """The public path: files decoded once, then ``fine_tune``; decoding is timed apart."""
    import numpy as np

    from translearn.config import TrainSpec
    from translearn.data.images.image_set import ImageSet
    from translearn.data.images.pixels import open_rgb
    from translearn.models.network import build
    from translearn.training.config import TrainConfig
    from translearn.training.loop import fine_tune
    from translearn.training.precision import prepare_process

    prepare_process(torch.get_num_threads())
    started = time.perf_counter()
    files = ImageFolder(str(options.images)).samples
    pixels = np.stack([np.asarray(open_rgb(Path(path).read_bytes())) for path, _ in files])
    decode_s = time.perf_counter() - started
    data = ImageSet(pixels, np.array([y for _, y in files]), np.arange(len(files), dtype=np.uint64))
    settings = TrainSpec(
        batch_size=options.batch_size, schedule="constant", warmup_epochs=0.0, momentum=MOMENTUM,
        weight_decay=WEIGHT_DECAY, precision="auto" if options.bf16 else "fp32",
    )  # fmt: skip
    config = TrainConfig(freeze_depth=0, lr=LR, epochs=EPOCHS, seed=0, train=settings)
    validation = data.take(np.arange(options.batch_size))
    *_, last = fine_tune(build("resnet18", NUM_CLASSES, 0), data, validation, config)
    return {"seconds": len(data) / last.images_per_s, "decode_s": decode_s}


PEERS: dict[str, Callable[[argparse.Namespace], float | dict[str, float]]] = {
    "plain": plain, "timm": timm_parts, "fastai": fastai, "lightning": lightning, "translearn": translearn,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("images", type=Path, help="a folder of JPEG files, a folder a class")
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--channels-last", action="store_true")
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    found = PEERS[options.peer](options)
    print(json.dumps(found if isinstance(found, dict) else {"seconds": found}))


if __name__ == "__main__":
    main()
