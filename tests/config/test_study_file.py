"""The study file: every fault at once and in these words, overrides, and nothing but SpecError."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from translearn.config import SearchSpec, StudySpec, load_spec, parse_spec
from translearn.errors import InputError, SpecError

SMALLEST: dict[str, Any] = {
    "name": "pets",
    "target": {"data": "data/pets"},
    "sources": [{"name": "imagenet", "arch": "resnet50", "weights": "IMAGENET1K_V2"}],
}
BAD = """
name: "a b"
seed: true
storag: x
target: {image_size: 8, ingest: {split: [0.5, 0.1, 0.1], drop-leaks: yes}}
sources:
  - {name: a, arch: ResNet/5}
  - {name: a, arch: resnet18, weights: X, checkpoint: y}
  - {name: scratch, arch: vgg11_bn, pretrain: {epochs: 0, lr: -1}}
search: {trials: 8.0, freeze_depth: [0, 6, 7], lr: [1e-1, 1e-3], sampler: optun}
train: {optimizer: adam, warmup_epochs: .nan, momentum: 1}
cluster: {gpus_per_worker: foo, refit_workers: 0, refits_at_once: 0, workers_per_trial: "2"}
refit: {seeds: null}
"""
FAULTS = """\
name: must match pattern '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$', but got 'a b'.
seed: must be a valid integer, but got True.
target.data: is required, but is missing. Add it; see workflows/configs for an example.
target.image_size: must be greater than or equal to 16, but got 8.
target.ingest.split: must sum to 1, but got [0.5, 0.1, 0.1]. For example [0.7, 0.15, 0.15].
target.ingest.drop-leaks: is not a known key. Did you mean 'drop_leaks'?
sources.0.arch: must match pattern '^(timm/)?[a-z0-9_]{1,100}$', but got 'ResNet/5'.
sources.2.name: must not be the baseline's name, but got 'scratch'. Scratch is always added.
sources.2.pretrain.data: is required, but is missing. Add it; see workflows/configs for an example.
sources.2.pretrain.epochs: must be greater than or equal to 1, but got 0.
sources.2.pretrain.lr: must be greater than 0, but got -1.
search.trials: must be a valid integer, but got 8.0.
search.lr: must be [lowest, highest], but got [0.1, 0.001]. Swap them.
search.sampler: must be 'optuna' or 'random', but got 'optun'. Did you mean 'optuna'?
train.optimizer: must be 'sgd' or 'adamw', but got 'adam'. Did you mean 'adamw'?
train.momentum: must be less than 1, but got 1.
train.warmup_epochs: must be a finite number, but got nan.
cluster.workers_per_trial: must be a valid integer, but got '2'.
cluster.gpus_per_worker: must be 'auto' or a valid number, but got 'foo'.
cluster.refit_workers: must be 'auto', a whole number of at least 1, or two of them, [lowest, highest], but got 0. \
For example 2, or [1, 4].
cluster.refits_at_once: must be 'auto' or greater than or equal to 1, but got 0.
refit.seeds: must be a valid integer, but got None.
storag: is not a known key. Did you mean 'storage'?
sources.0: must have exactly one of weights, checkpoint and pretrain, but got none of them. \
Scratch needs no entry: it is always added.
sources.1: must have exactly one of weights, checkpoint and pretrain, but got weights and checkpoint. \
Scratch needs no entry: it is always added.
sources: must have different names, but got 'a' 2 times. Rename all but one."""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(text)
    return path


def with_value(path: str, value: Any) -> dict[str, Any]:
    tree = copy.deepcopy(SMALLEST)
    *parents, last = path.split(".")
    node: Any = tree
    for parent in parents:
        node = node[int(parent)] if isinstance(node, list) else node.setdefault(parent, {})
    node[last] = value
    return tree


def test_every_fault_comes_at_once_with_path_rule_value_and_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load_spec(written(tmp_path, BAD))
    assert str(caught.value) == FAULTS
    assert isinstance(caught.value, InputError)  # exit code 2


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        ("search.limits.mb", 0, "must be greater than 0, but got 0."),
        ("search.limits.params", 5, "is not a known key. Did you mean 'params_millions'?"),
        ("cluster.gpus_per_worker", -1, "must be 'auto' or greater than or equal to 0, but got -1."),
        ("cluster.gpus_per_worker", "aut", "must be 'auto' or a valid number, but got 'aut'. Did you mean 'auto'?"),
        ("cluster.gpus_per_worker", {"int": 1}, "must be 'auto' or a valid number, but got {'int': 1}."),
        ("cluster.gpus_per_worker", [1], "must be 'auto' or a valid number, but got [1]."),
        (
            "cluster.gpus_per_worker",
            1.5,
            "must be 'auto' or a whole number where it is more than 1, but got 1.5. Ray divides single GPUs only.",
        ),
        ("search.epochs", 0, "must be 'auto' or a whole number of at least 1, but got 0. Leave it out for 'auto'."),
        (
            "refit.epochs",
            None,
            "must be 'auto' or a whole number of at least 1, but got None. Leave it out for 'auto'.",
        ),
        ("search.lr", [0.1], None),
        ("search.lr", [0.1, 0.2, 0.3], "must have at most 2 items, but got [0.1, 0.2, 0.3]."),
        ("search.freeze_depth", [], "must have at least 1 item, but got []."),
        ("sources", [], "must have at least 1 item, but got []."),
        ("sources.0.arch", "a b", None),
        (
            "sources.0.int",
            3,
            "is not a known key. Known here: arch, checkpoint, data, name, prefix, preprocessing, pretrain, weights.",
        ),
        ("train.momentum", True, "must be a valid number, but got True."),
        ("train.augment", "flip", None),
        ("storage", "x" * 300, ""),
        ("target", 3, "must be an object, but got 3."),
        ("target.image_size", 15, "must be greater than or equal to 16, but got 15."),
    ],
)
def test_a_fault_is_one_line(path: str, value: Any, line: str | None) -> None:
    tree = with_value(path, value)
    if line == "":
        assert parse_spec(tree).storage == value
        return
    with pytest.raises(SpecError) as caught:
        parse_spec(tree)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(path)
    if line is not None:
        assert str(caught.value) == f"{path}: {line}"


@pytest.mark.parametrize(
    "value", ["aut", 0, 2.0, True, None, [], [1], [0, 2], [1, 2, 3], [1.0, 2], ["1", "2"], [1, None], {"min": 1}]
)
def test_a_number_of_refit_workers_has_three_forms_and_one_fault(value: Any) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(with_value("cluster.refit_workers", value))
    assert str(caught.value) == (
        "cluster.refit_workers: must be 'auto', a whole number of at least 1, or two of them, [lowest, highest], "
        f"but got {value!r}. For example 2, or [1, 4]."
    )


def test_a_range_of_refit_workers_ascends_and_comes_back_from_its_file() -> None:
    for value, expected in ([1, 4], (1, 4)), ([2, 2], (2, 2)), (3, 3), ("auto", "auto"):
        spec = parse_spec(with_value("cluster.refit_workers", value))
        assert spec.cluster.refit_workers == expected
        assert parse_spec(spec.model_dump(mode="json")) == spec
    with pytest.raises(SpecError) as caught:
        parse_spec(with_value("cluster.refit_workers", [3, 2]) | {"seed": -1})
    assert str(caught.value).splitlines() == [
        "seed: must be greater than or equal to 0, but got -1.",
        "cluster.refit_workers: must be [lowest, highest], but got [3, 2]. Swap them.",
    ]


def test_what_tells_how_a_checkpoint_is_read_needs_a_checkpoint() -> None:
    source = {**SMALLEST["sources"][0], "prefix": "module.", "preprocessing": {}}
    with pytest.raises(SpecError) as raised:
        parse_spec({**SMALLEST, "sources": [source]})
    assert str(raised.value) == (
        "sources.0.prefix: must be left out of a source without a checkpoint, but got 'module.'. "
        "It tells how a checkpoint is read.\n"
        "sources.0.preprocessing: must be left out of a source without a checkpoint, but got {}. "
        "It tells how a checkpoint is read."
    )


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"mean": [123.7, 116.3, 103.5]}, "mean.0: must be less than or equal to 1, but got 123.7."),
        ({"std": [0.5, 0, 0.5]}, "std.1: must be greater than 0, but got 0."),
        ({"mean": [0.5]}, "mean.1: is required, but is missing."),
        ({"means": [0, 0, 0]}, "means: is not a known key. Did you mean 'mean'?"),
    ],
)
def test_normalisation_is_of_pixels_from_0_to_1(given: dict[str, Any], line: str) -> None:
    source = {"name": "a", "arch": "resnet18", "checkpoint": "a.pth", "preprocessing": given}
    with pytest.raises(SpecError) as raised:
        parse_spec({**SMALLEST, "sources": [source]})
    assert f"sources.0.preprocessing.{line}" in str(raised.value)


def test_every_source_and_scratch_get_a_trial() -> None:
    sources = [
        {"name": "a", "arch": "resnet18", "weights": "DEFAULT"},
        {"name": "b", "arch": "resnet34", "weights": "DEFAULT"},
    ]
    with pytest.raises(SpecError) as error:
        parse_spec({"name": "x", "target": {"data": "d"}, "sources": sources, "search": {"trials": 3}})
    assert str(error.value) == (
        "search.trials: must be at least 4, one for each source and one for scratch of each architecture, of as many "
        "as refit.candidates (2) at most, but got 3. Use 4 or more."
    )
    tree = {"name": "x", "target": {"data": "d"}, "sources": sources}
    assert parse_spec({**tree, "search": {"trials": 3}, "refit": {"candidates": 1}}).search.trials == 3


def test_batches_of_one_small_image_are_refused() -> None:
    source = {"name": "a", "arch": "resnet18", "pretrain": {"data": "procedural:glyphs", "batch_size": 1}}
    changes = {"target": {"data": "d", "image_size": 32}, "sources": [source], "train": {"batch_size": 1}}
    with pytest.raises(SpecError) as caught:
        parse_spec({**SMALLEST, **changes})
    rule = "batch_size: must be at least 2 where target.image_size is at most 32, but got 1."
    remedy = "Use 2 or more: BatchNorm has no variance over one value."
    assert str(caught.value).splitlines() == [f"{at}.{rule} {remedy}" for at in ("sources.0.pretrain", "train")]
    parse_spec({**SMALLEST, **changes, "target": {"data": "d", "image_size": 33}})


def test_workers_of_a_trial_can_not_share_a_gpu() -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec({**SMALLEST, "cluster": {"gpus_per_worker": 0.5, "workers_per_trial": 2}})
    rule = "must be a whole number where workers_per_trial is more than 1"
    assert str(caught.value) == (
        f"cluster.gpus_per_worker: {rule}, but got 0.5. Workers of one trial can not share a GPU."
    )


def test_a_long_value_is_cut() -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec({**SMALLEST, "name": "x" * 10_000})
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("tree", [None, 3, "name: x", [SMALLEST]])
def test_a_study_is_a_mapping(tree: object) -> None:
    with pytest.raises(SpecError, match=r"^study: must be a mapping of keys to values, but got \w+. See the README.$"):
        parse_spec(tree)


@pytest.mark.parametrize("value", [{1, 2}, object(), "\ud800", 10**5000], ids=["set", "object", "surrogate", "huge"])
def test_what_is_not_plain_data_is_refused(value: object) -> None:
    with pytest.raises(SpecError, match=r"^study: must be plain data \(mappings, lists, text, numbers\), but got"):
        parse_spec({**SMALLEST, "storage": value})


def test_defaults_are_those_of_the_smallest_file() -> None:
    spec = parse_spec(SMALLEST)
    assert spec.archs == ("resnet50",)
    assert spec.scratch_name("resnet50") == "scratch"
    assert spec.default_lr == 1e-2
    assert parse_spec({**SMALLEST, "search": {"lr": [0.02, 0.1]}}).default_lr == 0.02
    assert parse_spec({**SMALLEST, "search": {"lr": [1e-5, 1e-4]}, "train": {"optimizer": "adamw"}}).default_lr == 1e-4


def test_adamw_has_defaults_of_its_own() -> None:
    sources = [{"name": "a", "arch": "resnet50", "pretrain": {"data": "x"}}, *SMALLEST["sources"]]
    spec = parse_spec({**SMALLEST, "sources": sources, "train": {"optimizer": "adamw"}})
    assert (spec.train.weight_decay, spec.search.lr, spec.default_lr) == (0.05, (1e-5, 1e-2), 3e-4)
    assert spec.sources[0].pretrain
    assert spec.sources[0].pretrain.lr == 1e-3
    assert parse_spec(spec.model_dump(mode="json")) == spec
    sgd = parse_spec({**SMALLEST, "sources": sources})
    assert (sgd.train.weight_decay, sgd.search.lr) == (1e-4, (1e-4, 1e-1))
    given = parse_spec({**SMALLEST, "train": {"optimizer": "adamw", "weight_decay": 0.1}, "search": {"lr": [0.1, 0.2]}})
    assert (given.train.weight_decay, given.search.lr) == (0.1, (0.1, 0.2))


def test_the_defaults_of_adamw_hide_no_fault() -> None:
    tree = {**SMALLEST, "train": {"optimizer": "adamw"}, "search": [], "sources": [3, {"name": "b", "pretrain": None}]}
    with pytest.raises(SpecError) as raised:
        parse_spec(tree)
    assert {line.split(":")[0] for line in str(raised.value).splitlines()} == {
        "search",
        "sources.0",
        "sources.1",
        "sources.1.arch",
    }


def test_several_architectures_have_a_scratch_each() -> None:
    sources = [*SMALLEST["sources"], {"name": "b", "arch": "resnet18", "weights": "DEFAULT"}]
    spec = parse_spec({**SMALLEST, "sources": sources})
    assert [spec.scratch_name(arch) for arch in spec.archs] == ["scratch-resnet50", "scratch-resnet18"]
    assert spec.scratch_name("timm/resnet18") == "scratch-timm-resnet18"


def test_overrides_change_nested_values_list_items_and_absent_sections(tmp_path: Path) -> None:
    path = written(tmp_path, yaml.safe_dump(SMALLEST))
    overrides = ["search.trials=8", "sources.0.arch=resnet18", "search.freeze_depth=[0, 5]", "search.lr=[1e-5, 1E-1]"]
    spec = load_spec(path, [*overrides, "storage=s3://b/x=y", "train.clip_norm=1"])
    assert (spec.search.trials, spec.sources[0].arch, spec.search.freeze_depth) == (8, "resnet18", (0, 5))
    assert spec.search.lr == (1e-5, 0.1)
    assert (spec.storage, spec.train.clip_norm) == ("s3://b/x=y", 1.0)


def test_every_faulty_override_is_reported(tmp_path: Path) -> None:
    overrides = ["search.trials", "=3", "name.x.y=1", "sources.4.arch=x", "sources.4=x", "seed=[1", "seed={a: 1, a: 2}"]
    with pytest.raises(SpecError) as caught:
        load_spec(written(tmp_path, yaml.safe_dump(SMALLEST)), overrides)
    lines = str(caught.value).splitlines()
    form = "--set: must have the form path=value, but got"
    assert lines[0] == f"{form} 'search.trials'. For example search.trials=8."
    assert lines[1] == f"{form} '=3'. For example search.trials=8."
    assert lines[2] == "--set name.x.y=1: name.x has no item 'y'. See the study file."
    assert lines[3] == "--set sources.4.arch=x: sources.4 has no item 'arch'. See the study file."
    assert lines[4] == "--set sources.4=x: sources has no item '4'. See the study file."
    assert lines[5].startswith("--set seed=[1: the value is not YAML (")
    assert lines[-1].startswith("--set seed={a: 1, a: 2}: the value is not YAML (line 1: the key 'a' stands twice.")


def test_an_unknown_override_is_a_fault_of_the_study(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load_spec(written(tmp_path, yaml.safe_dump(SMALLEST)), ["serch.trials=8", "train.batch_sise=3"])
    assert str(caught.value).splitlines() == [
        "train.batch_sise: is not a known key. Did you mean 'batch_size'?",
        "serch: is not a known key. Did you mean 'search'?",
    ]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("name: a\nseed: 1\nname: b\n", r"study.yaml: line 1: the key 'name' stands twice. Keep one of them.$"),
        ("a:\n  b: 1\n  b: 2\n", r"line 2: the key 'b' stands twice"),
        ("name: !!python/object/apply:os.system ['true']", "is not plain YAML"),
        ("name: !!binary aGk=", "is not plain YAML"),
        ("name: !!set {a, b}", "is not plain YAML"),
        ("name: !mine x", "is not plain YAML"),
        ("name: [", "is not plain YAML"),
        ("seed: " + "9" * 5000, "is not plain YAML"),
        ("a: " + "[" * 3000, "is not plain YAML"),
        (
            "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40)),
            "more than 10,000 val",
        ),
        ("a: " + "x" * 1_000_000, "has 1,000,003 bytes, more than 1,000,000. Give the path of a study file"),
        ("- a\n- b\n", "must hold keys and values, but got list. See workflows/configs.$"),
        ("", "must hold keys and values, but got NoneType"),
    ],
)
def test_what_is_no_study_file_is_refused(tmp_path: Path, text: str, rule: str) -> None:
    with pytest.raises(SpecError, match=rule) as caught:
        load_spec(written(tmp_path, text))
    assert str(caught.value).startswith(str(tmp_path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    assert str(caught.value) == f"{path}: cannot be read (No such file or directory). Give the path of a study file."


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_bytes(b"\xff\xfe\x00name")
    with pytest.raises(SpecError, match="is not plain YAML"):
        load_spec(path)


@pytest.mark.parametrize("lr", ["1e-5", "1E-5", "+1e-5", "1.0e-5", "1.e-5", "0.00001"])
def test_a_number_in_scientific_notation_is_a_number(tmp_path: Path, lr: str) -> None:
    spec = load_spec(written(tmp_path, yaml.safe_dump(SMALLEST)), [f"search.lr=[{lr}, 1e0]"])
    assert spec.search.lr == (1e-5, 1.0)


@pytest.mark.parametrize("text", ["off", "'off'", "auto"])
def test_off_is_a_word_also_without_quotes(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, f"{yaml.safe_dump(SMALLEST)}search: {{prior: {text}}}\n")
    assert load_spec(path).search.prior == text.strip("'")
    assert load_spec(path, [f"search.prior={text}"]).search.prior == text.strip("'")


@pytest.mark.parametrize("text", ["true", "False"])
def test_true_and_false_are_no_words(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, f"{yaml.safe_dump(SMALLEST)}train: {{sync_batchnorm: {text}}}\n")
    assert load_spec(path).train.sync_batchnorm is (text == "true")


@pytest.mark.parametrize("name", ["2024-01-31", "2024-13-45"])
def test_a_date_is_text(tmp_path: Path, name: str) -> None:
    assert load_spec(written(tmp_path, yaml.safe_dump(SMALLEST)), [f"name={name}"]).name == name


def test_anchors_and_merge_keys_work(tmp_path: Path) -> None:
    text = """
name: pets
target: {data: data/pets}
sources:
  - &first {name: a, arch: resnet18, weights: DEFAULT}
  - {<<: *first, name: b}
"""
    first, second = load_spec(written(tmp_path, text)).sources
    assert second == first.model_copy(update={"name": "b"})


def test_a_spec_survives_json_and_yaml() -> None:
    spec = parse_spec(with_value("search.lr", [1e-5, 1e-1]))
    assert parse_spec(json.loads(spec.model_dump_json())) == spec
    assert parse_spec(yaml.safe_load(yaml.safe_dump(spec.model_dump(mode="json")))) == spec


KEYS = st.sampled_from([*StudySpec.model_fields, "data", "arch", "weights", "pretrain", "lr", "freeze_depth", "int"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["auto", "sgd"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


def outcome(load: Callable[..., StudySpec], *arguments: object) -> StudySpec | SpecError:
    try:
        return load(*arguments)
    except SpecError as error:
        return error


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(KEYS | st.text(max_size=3), VALUES, max_size=6), st.booleans())
def test_any_tree_loads_or_raises_a_spec_error_with_a_line_a_fault(tree: dict[str, Any], whole: bool) -> None:
    found = outcome(parse_spec, {**SMALLEST, **tree} if whole else tree)
    if isinstance(found, SpecError):
        assert all(": " in line for line in str(found).split("\n"))
    else:
        assert parse_spec(json.loads(found.model_dump_json())) == found


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="abc.=[]{}:&*!|>-'\"0129 \nésearchtrn²", max_size=25))
def test_any_override_loads_or_raises_a_spec_error(override: str) -> None:
    path = Path(__file__).parents[2] / "workflows/configs/demo.yaml"
    assert str(outcome(load_spec, path, [override]))


YAML = [b"&a ", b"*a", b"<<: ", b"!!str ", b"!x ", b"{", b"[", b"? ", b": ", b"- ", b"|\n", b"---\n", b"\t", b"%YAML 9"]
CONFIGS = [path.read_bytes() for path in sorted((Path(__file__).parents[2] / "workflows/configs").glob("*.yaml"))]
EDITS = st.lists(
    st.tuples(st.integers(0, 5000), st.integers(0, 20), st.binary(max_size=6) | st.sampled_from(YAML)), max_size=6
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(CONFIGS), EDITS)
def test_any_changed_file_loads_or_raises_a_spec_error(content: bytes, edits: list[tuple[int, int, bytes]]) -> None:
    for place, length, new in edits:
        at = place % (len(content) + 1)
        content = content[:at] + new + content[at + length :]
    with tempfile.NamedTemporaryFile(suffix=".yaml") as file:
        Path(file.name).write_bytes(content)
        assert len(str(outcome(load_spec, file.name))) < 20_000


@pytest.mark.parametrize(
    ("epochs", "grace", "first"), [(20, 2, 3), (9, 2, 3), (6, 2, 2), (27, 1, 1), (1, 2, 1), (4, 5, 4), (3, 1, 1)]
)
def test_the_first_rung_is_a_part_of_the_epochs_and_not_before_the_grace_period(
    epochs: int, grace: int, first: int
) -> None:
    assert SearchSpec(epochs=epochs, grace_epochs=grace).first_rung == first
