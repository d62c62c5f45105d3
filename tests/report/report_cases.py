"""A made-up study that looks like a real one, for the tests of the report (and to look at: run this file)."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image
from ranking_cases import leaks, ranking

from translearn.evaluation.dynamics import Curve, dynamics
from translearn.evaluation.forgetting import DepthErrors, forgetting, forgetting_by_depth
from translearn.evaluation.label_efficiency import LabelPoint, label_efficiency
from translearn.evaluation.predictions import Predictions
from translearn.evaluation.summary import evaluate
from translearn.report.page import render
from translearn.report.record import StudyRecord
from translearn.study.tables import CURVE_SCHEMA, MISTAKE_SCHEMA, SOURCE_WITH_COST_SCHEMA, TRIAL_SCHEMA

DIGITS = [str(digit) for digit in range(10)]
ERRORS = {"transfer": 0.15, "scratch": 0.31, "probe": 0.22, "converged": 0.24}
LABELS = {"transfer": 0.3, "scratch": 0.55}
WINNER = 33


def study(classes: list[str] = DIGITS, errors: dict[str, float] = ERRORS, **changes: Any) -> StudyRecord:
    """A whole record; ``changes`` replace fields of it."""
    rng = np.random.default_rng(5)
    trials = [_trial(rng, index) for index in range(40)]
    fields: dict[str, Any] = {
        "spec": {"name": "demo", "seed": 0, "target": {"data": "sklearn:digits"}, "search": {"lr": (1e-4, 0.1)}},
        "provenance": {
            "command": "translearn run workflows/configs/demo.yaml",
            "commit": "0123abc",
            "versions": {"python": "3.11.9", "torch": "2.14.1", "ray": "2.60.0"},
            "seconds": 301.2,
        },
        "evaluation": changes.get("evaluation") or evaluation(rng, classes, errors),
        "sources": pa.Table.from_pylist(_sources(), SOURCE_WITH_COST_SCHEMA),
        "trials": pa.Table.from_pylist(trials, TRIAL_SCHEMA),
        "curves": pa.Table.from_pylist(_curves(rng, trials), CURVE_SCHEMA),
        "mistakes": pa.Table.from_pylist([_mistake(rng, index, classes) for index in range(24)], MISTAKE_SCHEMA),
        "datasets": {"target": _manifest(classes), "glyphs": _manifest(DIGITS)},
    }
    return StudyRecord(**{**fields, **changes})


def evaluation(
    rng: np.random.Generator,
    classes: list[str],
    errors: dict[str, float],
    num: int = 1200,
    num_seeds: int = 3,
    num_present: int | None = None,
) -> dict[str, Any]:
    """An evaluation of models with about these errors, by role; only the first classes have test images."""
    runs = [(role, seed) for role in errors for seed in range(num_seeds)]
    present = num_present or len(classes)
    test_labels, validation_labels = (rng.integers(0, present, n) for n in (num, num // 4))
    test = [_predictions(rng, role, seed, test_labels, len(classes), errors[role]) for role, seed in runs]
    validation = [_predictions(rng, role, seed, validation_labels, len(classes), errors[role]) for role, seed in runs]
    made = {role: trial for role, trial in _chosen().items() if role in errors}
    more = {
        "forgetting": forgetting(rng.random(800) < 0.05, rng.random(800) < 0.22),
        "forgetting_by_depth": {"source": "glyphs", **_by_depth(rng)},
        "dynamics": dynamics({role: [_learnt(rng, errors[role]) for _ in range(num_seeds)] for role in errors})
        if "scratch" in errors
        else None,
        "labels": label_efficiency(*(_labels(rng, errors[role], rise, num_seeds) for role, rise in LABELS.items()))
        if set(LABELS) <= set(errors)
        else None,
        "ranking": ranking(),
        "leaks": leaks(),
        "target_check": target_check(),
        "candidates": [_candidate(role, trial) for role, trial in made.items()],
        "left_out": {},
        "budget": {"refit_steps": 500, "enough_steps": 500, "warnings": []},
        "pictures": _pictures(classes),
        "cost": cost(),
    }
    longer = {"times_the_steps": 4, "steps": 2000, "cap": 5, "is_at_cap": False} if "converged" in errors else None
    counts = [320 // len(classes)] * len(classes)
    return evaluate(test, validation, classes, num_per_class=counts, trials=made, convergence=longer, more=more)


def cost(arch: str = "resnet18", latency_ms: float = 7.12) -> dict[str, Any]:
    """The cost of a network, measured on a CPU alone."""
    speed = {"cpu": "Some CPU", "cpu_latency_ms": latency_ms, "cpu_images_per_s": 2000 / latency_ms}
    none = dict.fromkeys(("gpu", "gpu_latency_ms", "gpu_images_per_s"))
    return {"arch": arch, "num_parameters": 11_181_642, "mb": 44.765128, **speed, **none}


def target_check(*warnings: str, name: str = "test/1.png") -> dict[str, Any]:
    """The section ``target_check``: two duplicates of test images in train, and none of validation images."""
    pairs = [{"train_image": "train/7.png", "image": name, "kind": kind} for kind in ("exact", "near")]
    row = {"split": "test", "num": 300, "num_exact": 1, "num_near": 1, "num_other_label": 0, "pairs": pairs}
    none = {"split": "val", "num": 80, "num_exact": 0, "num_near": 0, "num_other_label": 0, "pairs": []}
    return {"leaks": [row, none], "num_conflicts": 3, "mirrored": [], "warnings": list(warnings)}


def _pictures(classes: list[str]) -> dict[str, Any]:
    counts = {"train": {"num": 32, "num_different": 30}, "val": {"num": 30, "num_different": 4}}
    rows = [{"class": name, **counts, "test": {"num": 120, "num_different": 110}} for name in classes]
    splits = {split: {key: num * len(classes) for key, num in rows[0][split].items()} for split in (*counts, "test")}
    return {"classes": rows, "splits": splits}


def _by_depth(rng: np.random.Generator) -> dict[str, Any]:
    wrong, forgotten = (50, 52, 61, 58, 90, 130), (0.4, 0.22, 0.24, 0.1, 0.07, 0.05)
    depths = [DepthErrors(d, 0.01, wrong[d], 300, rng.random(800) < forgotten[d]) for d in range(6)]
    return forgetting_by_depth(rng.random(800) < 0.05, depths)


def _chosen() -> dict[str, dict[str, Any]]:
    return {
        role: {
            "source": source,
            "arch": "resnet18",
            "freeze_depth": depth,
            "lr": lr,
            "weight_decay": 1e-4,
            "trial_id": trial_id,
            "val_error": error,
            "num_trials": 20,
            "candidate": f"{role}-0",
            "is_probe": role == "probe",
        }
        for role, source, depth, lr, trial_id, error in (
            ("transfer", "glyphs", 1, 0.0148, _name(WINNER), 0.19),
            ("scratch", "scratch", 0, 0.02, "t002", 0.33),
            ("probe", "glyphs", 5, 0.03, "t005", 0.24),
            ("converged", "scratch", 0, 0.02, "t002", 0.33),
        )
    }


def _candidate(role: str, trial: dict[str, Any]) -> dict[str, Any]:
    keys = ("trial_id", "source", "arch", "freeze_depth", "lr", "weight_decay")
    errors = {"search_error": trial["val_error"], "refit_error": trial["val_error"] + 0.01, "low": 0.1, "high": 0.4}
    return {"name": trial["candidate"], **{key: trial[key] for key in keys}, **errors, "chosen_as": [role]}


def _learnt(rng: np.random.Generator, end: float) -> Curve:
    errors = end + (0.9 - end) * np.exp(-np.arange(20) / 3) + rng.normal(0, 0.008, 20)
    return Curve(errors.tolist(), [0.4] * 20)


def _labels(rng: np.random.Generator, end: float, rise: float, num_seeds: int) -> list[LabelPoint]:
    nums = (20, 40, 80, 160, 320)
    return [
        LabelPoint(num, (end + rise * (1 - np.log(num / 20) / np.log(16)) + rng.normal(0, 0.01, num_seeds)).tolist())
        for num in nums
    ]


def _mistake(rng: np.random.Generator, index: int, classes: list[str]) -> dict[str, Any]:
    content = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(content, "PNG")
    taken = classes[(index + 3) % len(classes)]
    figures = {"confidence": 0.99 - 0.01 * index, "loss": 6 - 0.1 * index}
    own = {"id": f"test/{index:05d}.png", "class": classes[index % len(classes)], "predicted": taken}
    return {**own, **figures, "image": content.getvalue()}


def _predictions(
    rng: np.random.Generator, role: str, seed: int, labels: np.ndarray, num_classes: int, error: float
) -> Predictions:
    favoured = np.where(rng.random(len(labels)) < error, (labels * 7 + 3) % num_classes, labels)
    logits = rng.normal(0, 0.8, (len(labels), num_classes))
    logits[np.arange(len(labels)), favoured] += rng.uniform(2, 6, len(labels))
    exponentials = np.exp(logits)
    return Predictions(role, seed, exponentials / exponentials.sum(axis=1, keepdims=True), labels)


def _name(index: int) -> str:
    return f"t{index:03d}"


def _trial(rng: np.random.Generator, index: int) -> dict[str, Any]:
    source = ("glyphs", "textures", "scratch")[index % 3]
    lr, depth = float(10 ** rng.uniform(-4, -1)), int(rng.integers(0, 6)) if source != "scratch" else 0
    best = {"glyphs": 0.14, "textures": 0.36, "scratch": 0.30}[source]
    error = min(0.9, best + 0.12 * (np.log10(lr) + 2) ** 2 + 0.02 * depth + rng.uniform(0, 0.04))
    status = "failed" if lr > 0.05 else "stopped" if error > 0.45 else "done"
    reason = f"the loss became NaN in epoch 1; learning rate {lr:.2g} is too high" if status == "failed" else None
    return {
        "trial_id": _name(index),
        "source": source,
        "arch": "resnet18",
        "status": status,
        "reason": reason,
        "freeze_depth": depth,
        "epochs": {"done": 20, "stopped": 6, "failed": 1}[status],
        "lr": lr,
        "val_error": None if status == "failed" else float(error),
        "val_loss": 2 * error,
        "train_loss": error,
        "seconds": 7.3,
        "threads": 1,
        "precision": "fp32",
        "num_trained_parameters": 11_000_000,
    }


def _curves(rng: np.random.Generator, trials: list[dict[str, Any]]) -> list[dict[str, Any]]:
    ends = [("search", t["trial_id"], t["epochs"], t["val_error"] or 0.9) for t in trials]
    ends += [("refit", f"{role}-0-{seed}", 20, error) for role, error in ERRORS.items() for seed in range(3)]
    ends += [("pretrain", name, 30, error) for name, error in (("glyphs", 0.05), ("textures", 0.12))]
    return [row for stage, run, epochs, end in ends for row in _curve(rng, stage, run, epochs, end)]


def _curve(rng: np.random.Generator, stage: str, run: str, epochs: int, end: float) -> list[dict[str, Any]]:
    errors = end + (0.9 - end) * np.exp(-np.arange(epochs) / 3) + rng.normal(0, 0.008, epochs)
    rest = {"stage": stage, "run": run, "lr": 0.01, "seconds": 0.4, "images_per_s": 900.0}
    return [
        {**rest, "epoch": e, "val_error": float(x), "val_loss": float(2.4 * x), "train_loss": float(2 * x * 0.9**e)}
        for e, x in enumerate(errors)
    ]


def _sources() -> list[dict[str, Any]]:
    return [
        {**cost(), "name": n, "kind": k, "num_classes": c, "source_error": e, "fingerprint": f, "seconds": s}
        for n, k, c, e, f, s in (
            ("glyphs", "pretrain", 10, 0.05, "9f86d081884c7d659a2f", 81.0),
            ("textures", "pretrain", 10, 0.12, "60303ae22b998861bce3", 79.0),
            ("scratch", "scratch", None, None, None, 0.0),
        )
    ]


def _manifest(classes: list[str]) -> dict[str, Any]:
    counts = {split: dict.fromkeys(classes, num) for split, num in (("train", 3), ("val", 30), ("test", 120))}
    extra = {
        "num_quarantined": 2,
        "num_leaks": 1,
        "num_conflicts": 3,
        "fingerprint": "ab12" * 16,
        "source": "sklearn:digits",
    }
    extra |= {"notes": [{"what": "bad images, left out", "count": 2, "first": "a<b>.png does not exist"}]}
    return {"classes": classes, "counts": counts, **extra}


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render(study()), encoding="utf-8")
