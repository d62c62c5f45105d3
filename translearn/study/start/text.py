"""The text of a first study file: every choice with its reason."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import yaml

from translearn.config import StudySpec, parse_spec
from translearn.data.batches import num_steps
from translearn.study.planning.budget import enough_steps, with_budget
from translearn.study.start.facts import Facts
from translearn.study.start.weights import HOST, LARGE, SMALL, Weights, cache, is_cached

_PLAIN = re.compile(r"[A-Za-z./][\w./-]*")


def study_text(name: str, facts: Facts, weights: Sequence[Weights]) -> str:
    """Return the YAML of a study.

    Args:
        name: The study's name.
        facts: Its images, and the machine.
        weights: The sources to start from; where there are none, drawn textures are.
    """
    lines = _top(name, facts) + (_sources(weights) if weights else _textures(facts))
    spec = parse_spec(yaml.safe_load("\n".join([*lines, *_rest(facts, "")])))
    return "\n".join([*lines, *_rest(facts, _budget(spec, facts.num_train))]) + "\n"


def _top(name: str, facts: Facts) -> list[str]:
    side = f"the shorter side of the images is about {facts.side}" if facts.side else "none of the images was readable"
    return [
        f"# A study of {_scalar(facts.source)}, written by `translearn init`. Change it before the first run.",
        "# All fields: docs/study.md. What it costs: `translearn run FILE --dry-run`.",
        f"name: {_scalar(name)} # the study's directory is <storage>/<name>",
        "storage: runs # relative paths begin at this file's folder; s3:// and gs:// are possible too",
        "target:",
        f"  data: {_scalar(facts.source)} # {facts.num_images:,} images of {facts.num_classes} classes",
        f"  image_size: {facts.image_size} # pixels a side: {side}; more costs time",
        "  ingest: {split: [0.7, 0.15, 0.15]} # train, val, test: for splits that the data do not have",
    ]


def _sources(weights: Sequence[Weights]) -> list[str]:
    return [
        "sources: # what training starts from; a network without weights, scratch, is always tried too",
        *(f"  - {_entry(one)} # {_where(one)}" for one in weights),
        "  # Your own: - {name: own, arch: resnet18, checkpoint: FILE.safetensors}",
    ]


def _textures(facts: Facts) -> list[str]:
    wanted = LARGE if facts.has_gpu else SMALL[:1]
    return [
        f"# There are no weights of torchvision in {cache()},",
        "# and their server does not answer. They would most likely be better: fetch elsewhere",
        *(f"#   {HOST}/{one.file}" for one in wanted),
        "# put that there, and replace the source below by",
        *(f"#   - {_entry(one)}" for one in wanted),
        "# or by a file of your own: - {name: own, arch: resnet18, checkpoint: FILE.safetensors}",
        "sources: # a network without weights, scratch, is always tried too",
        "  - name: textures # trained here first, on drawn textures",
        f"    arch: {wanted[0].arch}",
        f'    pretrain: {{data: "procedural:textures?num=1500&size={facts.image_size}", epochs: 5, lr: 0.05}}',
    ]


def _rest(facts: Facts, budget: str) -> list[str]:
    return [
        "search:",
        f"  trials: {24 if facts.has_gpu else 12} # sources, freeze depths and learning rates that are tried",
        "  lr: [0.0001, 0.1] # lowest and highest learning rate",
        f"  epochs: auto # {budget}",
        "train: {batch_size: auto, augment: flip_crop} # shifted and mirrored; crop where left and right matter",
        "refit: {seeds: 3} # the best are trained again so many times, for the intervals",
    ]


def _budget(spec: StudySpec, num_train: int) -> str:
    full = with_budget(spec, num_train)
    steps = full.search.epochs * num_steps(num_train, full.train.batch_size)
    batches = f"{full.search.epochs} epochs in batches of {full.train.batch_size}, {steps:,} steps"
    return f"{batches}: {enough_steps(num_train):,} are enough for {num_train:,} training images"


def _entry(weights: Weights) -> str:
    return f"{{name: {weights.source}, arch: {weights.arch}, weights: {weights.name}}}"


def _where(weights: Weights) -> str:
    if is_cached(weights):
        return f"torchvision's, from ImageNet; in {cache()}"
    return f"torchvision's, from ImageNet; downloaded once, {weights.megabytes} MB"


def _scalar(text: str) -> str:
    """Return a text in YAML, in quotes where it would be read as something else."""
    is_plain = _PLAIN.fullmatch(text) and yaml.safe_load(text) == text
    return text if is_plain else json.dumps(text, ensure_ascii=False)
