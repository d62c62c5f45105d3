"""The file of a first study: written where there is none, and never over another one."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from translearn.config import load_spec
from translearn.config.names import as_name
from translearn.config.paths import with_absolute_paths
from translearn.errors import InputError, fault
from translearn.storage.uris import is_remote
from translearn.study.datasets.names import is_place
from translearn.study.start.facts import Facts, facts_of
from translearn.study.start.text import study_text
from translearn.study.start.weights import Weights, chosen_weights


def names_images(text: str) -> bool:
    """Return whether a STUDY on the command line is a source of images instead of a study file."""
    if text.endswith((".yaml", ".yml")):
        return False
    is_table = text.endswith((".csv", ".parquet"))
    return not is_place(text) or is_remote(text) or is_table or Path(text).expanduser().is_dir()


def init(source: str) -> tuple[Path, str]:
    """Write the study file of a source of images into the current folder.

    Returns:
        Its path, and what was done in a sentence.

    Raises:
        DataError: The source is none.
        InputError: There is another file of that name.
    """
    path, text, said = _drafted(source)
    if not path.exists():
        return _written(path, text, said)
    if path.read_text(encoding="utf-8") != text:
        rule, remedy = "must not be there, or be what is written now", "Delete it, or move it away."
        raise InputError(fault(str(path), rule, "another file", remedy))
    return path, f"{path} is there already"


def found_or_init(source: str) -> tuple[Path, str]:
    """Return the study file of a source of images in the current folder as it is; write it where there is none.

    Raises:
        DataError: The source is none.
        InputError: The file of that name is one of another source.
    """
    path = _path(source)
    if not path.exists():
        return init(source)
    there, wanted = load_spec(path).target.data, _absolute(source)
    if there != wanted:
        remedy = f"`translearn run {path}` runs that one; move it away to have one written of {source}."
        raise InputError(fault(str(path), f"must be a study of {wanted}", f"one of {there}", remedy))
    return path, f"{path} is there already, and is used as it is"


def _drafted(source: str) -> tuple[Path, str, str]:
    facts = facts_of(source)
    weights = chosen_weights(facts.has_gpu)
    path = _path(source)
    return path, study_text(path.stem, facts, weights), _said(facts, weights)


def _said(facts: Facts, weights: tuple[Weights, ...]) -> str:
    found = f"{facts.num_images:,} images of {facts.num_classes} classes, {facts.image_size} pixels a side"
    if weights:
        return f"{found}, from {' and '.join(dict.fromkeys(f'{one.arch} {one.name}' for one in weights))}"
    return f"{found}; without weights of torchvision, which are not here: the file says how to get them"


def _written(path: Path, text: str, said: str) -> tuple[Path, str]:
    with open(path, "x", encoding="utf-8") as file:
        file.write(text)
    return path, f"wrote {path}: {said}"


def _path(source: str) -> Path:
    """Return where the study file of a source lies: called like its last part, in the current folder."""
    place = source if is_place(source) else source.partition(":")[2]
    place = place.partition("?")[0].rstrip("/")
    place = place if is_remote(place) or not is_place(source) else str(Path(place).expanduser().absolute())
    last = PurePosixPath(place)
    name = last.stem if last.suffix in (".csv", ".parquet") else last.name
    return Path(f"{as_name(name) or 'study'}.yaml")


def _absolute(source: str) -> str:
    return str(with_absolute_paths({"target": {"data": source}}, Path.cwd())["target"]["data"])
