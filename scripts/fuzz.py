"""Fuzzes what reads from others, guided by coverage: python scripts/fuzz.py {spec,weights,image} [SECONDS]

Needs atheris, which is no dependency of the project: pip install atheris (wheels for CPython 3.11 to 3.13 on Linux).
It ends with rc 0, or at the first input that raises anything but an error of ours, takes more than 10 seconds or 2 GB;
that input is then kept as ./crash-*, ./timeout-* or ./oom-*.
"""

from __future__ import annotations

import io
import pickle
import sys
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import atheris
import safetensors.torch
import torch

with atheris.instrument_imports(include=["translearn", "PIL", "yaml"]):
    from PIL import Image

    from translearn.config import load_spec
    from translearn.data.images.pixels import FORMATS, Decoding, open_rgb
    from translearn.errors import SpecError, WeightsError
    from translearn.models.checkpoints.files import parse_content

_ROOT = Path(__file__).parents[1]
_LIMITS = ["-timeout=10", "-rss_limit_mb=2048", "-max_len=4096", "-print_final_stats=1"]
_LONGEST_MESSAGE = 5000


def spec(content: bytes) -> None:
    """A study file."""
    with tempfile.NamedTemporaryFile(suffix=".yaml") as file:
        Path(file.name).write_bytes(content)
        with suppress(SpecError):
            load_spec(file.name)


def weights(content: bytes) -> None:
    """A file of weights; its first byte says of which kind, p is a pickle in a sound archive."""
    kind, content = content[:1], content[1:]
    name = "a.safetensors" if kind == b"s" else "a.pth"
    try:
        parse_content(_archive(content) if kind == b"p" else content, name)
    except WeightsError as error:
        if len(str(error)) > _LONGEST_MESSAGE:
            raise RuntimeError("the message has no end") from error


def image(content: bytes) -> None:
    """An encoded image. Decoders raise anything, which ingest keeps as the reason; only time and memory count."""
    with suppress(Exception):
        open_rgb(content, Decoding(max_pixels=1_000_000))


def _archive(program: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in {
            "data.pkl": program,
            "byteorder": b"little",
            "version": b"3\n",
            "data/0": bytes(24),
        }.items():
            archive.writestr(f"archive/{name}", content)
    return stream.getvalue()


def _spec_seeds() -> list[bytes]:
    return [path.read_bytes() for path in sorted((_ROOT / "workflows" / "configs").glob("*.yaml"))]


def _weights_seeds() -> list[bytes]:
    state = {"conv.weight": torch.arange(6.0), "bn.num_batches_tracked": torch.tensor(7)}
    new, old = io.BytesIO(), io.BytesIO()
    torch.save({"state_dict": state, "epoch": 3, "betas": (0.9, 0.999)}, new)
    torch.save(state, old, _use_new_zipfile_serialization=False)
    with zipfile.ZipFile(new) as archive:
        program = archive.read("archive/data.pkl")
    bare = pickle.dumps({"a": [1, (2.5, None)]}, protocol=2)
    return [
        b"z" + new.getvalue(),
        b"l" + old.getvalue(),
        b"p" + program,
        b"l" + bare,
        b"s" + safetensors.torch.save(state),
    ]


def _image_seeds() -> list[bytes]:
    seeds = []
    for kind in FORMATS:
        for mode in ("RGB", "L", "P"):
            stream = io.BytesIO()
            try:
                Image.effect_noise((9, 7), 50).convert(mode).save(stream, format=kind)
            except OSError:  # the format has no such mode
                continue
            seeds.append(stream.getvalue())
    return seeds


_TARGETS: dict[str, tuple[Callable[[bytes], None], Callable[[], list[bytes]]]] = {
    "spec": (spec, _spec_seeds),
    "weights": (weights, _weights_seeds),
    "image": (image, _image_seeds),
}


def main() -> None:
    """Runs one target."""
    name, seconds = sys.argv[1], (sys.argv[2:] or ["150"])[0]
    target, seeds = _TARGETS[name]
    with tempfile.TemporaryDirectory() as corpus:
        for number, content in enumerate(seeds()):
            (Path(corpus) / str(number)).write_bytes(content)
        atheris.Setup([sys.argv[0], *_LIMITS, f"-max_total_time={seconds}", corpus], target)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
