from __future__ import annotations

import base64
from dataclasses import replace
from html.parser import HTMLParser

import pyarrow as pa
import pytest
from ranking_cases import leaks, ranking
from report_cases import DIGITS, cost, study, target_check

from translearn.report.page import render
from translearn.study.tables import CURVE_SCHEMA, MISTAKE_SCHEMA, SOURCE_WITH_COST_SCHEMA, TRIAL_SCHEMA

WICKED = ["<script>alert(1)</script>", "a$b$", "漢字", '"quoted" & <b>bold</b>', *DIGITS[4:]]


class Page(HTMLParser):
    """The tags, attributes, headings and plain text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.headings: list[str] = []
        self.labels: list[str | None] = []
        self.text: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self.labels += [value for name, value in attrs if name == "aria-label" and tag == "figure"]

    def handle_data(self, data):
        if data.strip():
            self.text.append(data.strip())
            if self.tags[-1] in ("h1", "h2"):
                self.headings.append(data.strip())

    @property
    def plain(self) -> str:
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def html() -> str:
    return render(study())


@pytest.fixture(scope="module")
def page(html) -> Page:
    return Page(html)


def test_the_verdict_comes_first_and_sections_follow_in_order(page):
    assert page.headings[0] == "Transfer helped"
    assert page.headings[1:4] == ["Target error", "Gain at convergence", "Always “0”"]
    sections = [
        "What transfer brought",
        "What the source is worth in labels",
        "Choosing the source",
        "Leaks",
        "Trials",
        "Learning curves",
        "Models",
        "Errors",
        "Calibration",
        "Forgetting",
        "Sources",
        "Data",
    ]
    assert page.headings[4:] == [*sections, "Repeat it"]


def test_figures_agree_with_the_evaluation(page):
    found = study().evaluation
    assert found["verdict"]["sentence"].removeprefix("Transfer helped: its ") in page.plain
    assert f"{100 * found['target']['error']:.1f} %" in page.text
    assert f"{100 * found['gain_at_convergence']['gain']:+.1f}" in page.text
    assert f"{100 * found['transfer']['gain']:+.1f}" in page.text
    assert found["next_steps"][0] in page.text
    assert f"{100 * found['most_frequent']['error']:.1f} %" in page.text
    assert "1,200 test images, 1,100 of them different" in page.plain
    assert "120 (110)" in page.text
    assert page.plain.count("the loss became NaN in epoch 1") == 3
    assert "24 done, 13 stopped early, 3 failed." in page.plain
    assert "translearn run workflows/configs/demo.yaml" in page.text


def test_how_the_source_was_chosen_and_how_well_is_told(page):
    found = study().evaluation["ranking"]
    assert found["card"]["sentence"] not in page.plain  # of fewer than 4 sources it says nothing
    assert found["sources"][1]["why"] in page.plain
    assert "scored on 300 of 320 training images, in 12 s; their order is the mean rank by knn, logme" in page.plain
    assert "1.23" in page.text  # proxy A-distance
    assert "the expected lowest of 4 trials after 7 epochs" in page.plain
    assert f"textures had no trials: {found['sources'][1]['why']}." in page.plain
    assert any("Scores after each stage" in (label or "") for label in page.labels)


def test_leaks_are_warned_of_and_clean_differs_from_unchecked(page):
    assert "Of the target's 1,200 test images, textures was trained on 0 exact and 2 near duplicates." in page.plain
    assert "Not checked: imagenet, whose data is not at hand." in page.plain
    evaluation = {**study().evaluation, "leaks": leaks(num_near=0), "ranking": None}
    without = Page(render(study(evaluation=evaluation)))
    assert "was found among the images that textures was trained on." in without.plain
    assert "Not checked: imagenet" in without.plain
    assert "Choosing the source" not in without.headings
    assert "Its figures may be too good" not in without.plain


def test_what_was_left_out_of_a_data_set_is_told_and_escaped(page):
    assert page.text.count("bad images, left out: 2 (first: a<b>.png does not exist)") == 2  # target and source


def test_one_near_duplicate_is_no_plural():
    evaluation = {**study().evaluation, "leaks": leaks(num_near=1)}
    assert "0 exact and 1 near duplicate." in Page(render(study(evaluation=evaluation))).plain


def test_warnings_of_the_target_and_of_its_data_are_on_the_page():
    check = target_check("of the target's 300 test images 1 exact", name=WICKED[0])
    record = study(evaluation={**study().evaluation, "target_check": check}, warnings=("target: pets has changed",))
    html = render(record)
    found = Page(html)
    for line in ("Of the target's 300 test images 1 exact", "target: pets has changed"):
        assert line in found.plain
    assert "Test images and their duplicates in train: 1 exact and 1 near duplicate of 300" in found.plain
    assert "Validation images and their duplicates" not in found.plain
    assert "Pictures under several labels: 3." in found.plain
    assert WICKED[0] not in html


def test_names_of_a_ranking_and_of_leaks_are_escaped():
    evaluation = {**study().evaluation, "ranking": ranking((WICKED[0], "b")), "leaks": leaks(name=WICKED[0])}
    html = render(study(evaluation=evaluation))
    assert WICKED[0] not in html


def test_both_comparisons_are_told_with_what_they_rest_on(page):
    found = study().evaluation
    for gain in (found["transfer"], found["gain_at_convergence"], found["over_probe"]):
        ends = f"{100 * gain['family_low']:+.1f} to {100 * gain['family_high']:+.1f}"
        assert ends in page.plain
    assert "the linear probe" in page.text
    assert (
        "A verdict rests on the 97.5 % interval, corrected so that those over scratch and over the probe together"
        in page.plain
    )
    assert "(an exact one can give no p below 0.25 with 3 seeds)" in page.plain


def test_without_a_probe_one_interval_is_enough():
    plain = Page(render(study(errors={"transfer": 0.15, "scratch": 0.31}))).plain
    assert "A verdict rests on the 95.0 % interval. p-values are two-sided: over examples" in plain
    assert "97.5 %" not in plain


def test_the_rankers_report_card_needs_four_tried_sources():
    evaluation = {**study().evaluation, "ranking": ranking(tuple("abcd"))}
    plain = Page(render(study(evaluation=evaluation))).plain
    assert f"at the last stage. {evaluation['ranking']['card']['sentence']}" in plain
    assert "intervals are bootstraps over 4 sources" in plain


def test_learning_speed_and_labels_are_told(page):
    found = study().evaluation
    assert f"{100 * found['dynamics']['threshold']:.1f} %" in page.plain
    assert f"with about {found['labels']['worth']['labels']:.0f} (" in page.plain
    assert "with more than 320." in page.plain


def test_the_worst_mistakes_are_shown_with_their_pictures(page):
    pictures = [value or "" for name, value in page.attributes if name == "src"]
    rows = study().mistakes.to_pylist()
    assert [base64.b64decode(p.removeprefix("data:image/png;base64,")) for p in pictures] == [r["image"] for r in rows]
    assert "taken for 3, 99.0 %" in page.plain


@pytest.mark.parametrize(("reads", "words"), [(1, "read once;"), (3, "Test was read 3 times")])
def test_every_further_reading_of_test_is_told(reads, words):
    record = study()
    plain = Page(render(replace(record, evaluation={**record.evaluation, "test_reads": reads}))).plain
    assert words in plain
    assert ("Test was read" in plain) == (reads > 1)


def test_every_plot_is_there_and_inline(page):
    assert page.tags.count("svg") == len(page.labels) == 13


def test_nothing_is_loaded_from_elsewhere(page, html):
    links = [value or "" for name, value in page.attributes if name in ("src", "href", "xlink:href", "srcset")]
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in links)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert "@import" not in html
    assert html.count("url(") == html.count("url(#") > 0


def test_equal_records_give_equal_pages(html):
    assert render(study()) == html


@pytest.mark.parametrize(
    ("errors", "heading", "words"),
    [
        ({"transfer": 0.5, "scratch": 0.3}, "Transfer hurt", ") than that of scratch with as many steps; longer"),
        ({"transfer": 0.3, "scratch": 0.3}, "No difference shown", "No difference shown between transfer, with an"),
        ({"transfer": 0.5, "scratch": 0.3}, "Transfer hurt", "The winner: scratch, freeze depth 0"),
        ({"transfer": 0.1, "scratch": 0.9}, "Scratch did not learn", "So nothing can be said of transfer."),
        (
            {"transfer": 0.2, "scratch": 0.4, "converged": 0.2},
            "Transfer saves training, not error",
            "not shown to differ when scratch trains 4 times as long",
        ),
    ],
)
def test_what_did_not_help_is_said_as_plainly(errors, heading, words):
    page = Page(render(study(errors=errors)))
    assert page.headings[0] == heading
    assert words in page.plain
    assert ("not measured: refit.baseline_cap is 1" in page.plain) == (
        heading in ("Transfer hurt", "No difference shown")
    )
    if heading == "Scratch did not learn":
        assert "helped" not in page.text
        assert not any(str(label).startswith("Transfer gain") for label in page.labels)


def test_what_users_name_is_escaped():
    record = study(classes=WICKED)
    name = "<img src=x onerror=alert(2)>"
    mistakes = [{**row, "id": f'{name}"'} for row in record.mistakes.to_pylist()]
    trials = [{**row, "source": name} for row in record.trials.to_pylist()]
    sources = [{**record.sources.to_pylist()[0], "name": name}]
    wicked = replace(
        record,
        spec={"name": name, "notes": [name]},
        provenance={"command": name, "path": name},
        evaluation={**record.evaluation, "winner": {"role": "transfer", "source": name, "freeze_depth": 0, "lr": 0.1}},
        sources=pa.Table.from_pylist(sources, SOURCE_WITH_COST_SCHEMA),
        trials=pa.Table.from_pylist(trials, TRIAL_SCHEMA),
        mistakes=pa.Table.from_pylist(mistakes, MISTAKE_SCHEMA),
    )
    page = Page(render(wicked))
    assert "script" not in page.tags
    assert page.tags.count("img") == page.tags.count("b") == 24  # the worst mistakes
    assert set(WICKED) <= set(page.text)
    assert page.text.count(name) >= 4


def test_missing_parts_leave_their_section_out():
    record = study()
    bare = replace(
        record,
        provenance={},
        evaluation={
            **record.evaluation,
            **dict.fromkeys(
                (
                    "forgetting",
                    "forgetting_by_depth",
                    "labels",
                    "dynamics",
                    "candidates",
                    "ranking",
                    "leaks",
                    "pictures",
                )
            ),
        },
        mistakes=MISTAKE_SCHEMA.empty_table(),
        sources=SOURCE_WITH_COST_SCHEMA.empty_table(),
        trials=TRIAL_SCHEMA.empty_table(),
        curves=CURVE_SCHEMA.empty_table(),
        datasets={},
    )
    headings = Page(render(bare)).headings
    assert headings[4:] == ["What transfer brought", "Models", "Errors", "Calibration", "Repeat it"]


def test_refits_without_scratch_and_errors_that_are_missing():
    record = study()
    rows = [r for r in record.curves.to_pylist() if not r["run"].startswith("scratch")]
    curves = [{**row, "val_error": None, "val_loss": None} for row in rows]
    trials = [{**row, "val_error": None, "status": "failed"} for row in record.trials.to_pylist()]
    some = replace(
        record, curves=pa.Table.from_pylist(curves, CURVE_SCHEMA), trials=pa.Table.from_pylist(trials, TRIAL_SCHEMA)
    )
    page = Page(render(some))
    assert "0 done, 0 stopped early, 40 failed." in page.plain
    assert "The first 10 of 40." in page.plain
    assert "fixed augmented copies" not in page.plain
    assert {"Refits: loss, mean over seeds."} <= set(page.labels)


def test_very_many_classes_are_cut_and_it_says_so():
    classes = [f"class {index}" for index in range(250)]
    page = Page(render(study(classes=classes)))
    assert "The first 200 of 250 classes; evaluation.json has all." in page.plain
    assert not any(str(label).startswith("Confusion") for label in page.labels)


def test_what_sources_cost_and_which_limits_left_out_is_said():
    rows = study().sources.to_pylist()
    rows[1] |= cost("mobilenet_v2", latency_ms=3.0)
    line = "search.limits leave out 1 of 3 sources: dino (85.23 > 50 MB)"
    page = Page(render(study(sources=pa.Table.from_pylist(rows, SOURCE_WITH_COST_SCHEMA), left_out=line)))
    assert f"{line}." in page.plain
    assert "measured on one thread of Some CPU." in page.plain
    assert "Its cost: resnet18, 11.2 million parameters, 44.8 MB; 7.12 ms an image alone" in page.plain
    assert any(str(label).startswith("Validation error of each source's best trial") for label in page.labels)
