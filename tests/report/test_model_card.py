"""The card of a model: what it says, and that names are data."""

from __future__ import annotations

import re

from report_cases import DIGITS, study

from translearn.models.model_info import ModelInfo
from translearn.models.preprocessing import Preprocessing, with_steps
from translearn.report.model_card import labels, model_card

MADE = {
    "translearn": "0.1.0",
    "study": "demo",
    "source": "glyphs",
    "freeze_depth": 2,
    "lr": 0.01,
    "epochs": 50,
    "refit_seed": 7,
    "data_fingerprint": "ab" * 32,
}


def info(classes: list[str]) -> ModelInfo:
    fields = Preprocessing(
        image_size=64, mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.1), formats=("JPEG", "PNG"), max_pixels=1000
    )
    return ModelInfo(
        arch="resnet18",
        classes=tuple(classes),
        preprocessing=with_steps(fields),
        temperature=1.25,
        provenance=MADE,
    )


def test_a_card_says_task_errors_licence_and_limits():
    evaluation = study().evaluation
    card = model_card(info(DIGITS), evaluation, "pets", "imagenet", "unknown")
    assert card.startswith(
        "# demo: images of 10 classes\n\nA resnet18 that translearn 0.1.0 trained in the study demo. "
    )
    deployed = evaluation["deployed"]
    ends = f"{100 * deployed['low']:.1f} to {100 * deployed['high']:.1f} %"
    assert f"| Error on test | {100 * deployed['error']:.1f} % (95 % interval {ends}; 1,200 images) |" in card
    rows = re.findall(r"^\| (\d) \| ([\d,]+) \| ([\d.]+) % \| [\d.]+ to [\d.]+ % \| [\d.]+ % \|$", card, re.M)
    shown = [
        (row["class"], f"{row['num']:,}", f"{100 * row['error']:.1f}")
        for row in evaluation["classification"]["per_class"]
    ]
    assert rows == shown
    assert "- Of the source weights: unknown.\n" in card
    assert "softmax(logits / 1.25), in fp32" in card
    assert "2. A JPEG file may be decoded by libjpeg's scaling at 1/8, 1/4 or 1/2 of its size" in card
    assert "at least 192 pixels" in card
    assert evaluation["verdict"]["sentence"].replace("_", r"\_") in card
    assert "Fewer than 30 test images" not in card


def test_names_are_data():
    names = ["<script>alert(1)</script>", "a|b", "![x](y)", "line\nbreak", "`x`", "{{ 7 * 7 }}"]
    card = model_card(info(names), study(classes=names).evaluation, "pets", "imagenet", "unknown")
    rows = [line for line in card.split("## Errors by class")[1].splitlines() if line.startswith("| ")][1:7]
    firsts = [r"&lt;script&gt;alert(1)&lt;/script&gt;", r"a\|b", r"!\[x\](y)", "line break", r"\`x\`", r"{{ 7 \* 7 }}"]
    assert [row.split(" | ")[0] for row in rows] == [f"| {first}" for first in firsts]
    assert "<script>" not in card
    assert labels(info(names)).splitlines()[3] == "line break"


def test_few_test_images_are_a_limit():
    evaluation = study().evaluation
    rows = evaluation["classification"]["per_class"]
    rows[3]["num"] = 12
    card = model_card(info(DIGITS), evaluation, "pets", "imagenet", "unknown")
    assert "- Fewer than 30 test images show the error of 3: its interval is wide.\n" in card
