"""Folders as people have them: split folders in other words, links, litter, files that are no images."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow.fs as pafs
import pytest
from sources import flat_folder, image, split_folder, write_files

from translearn.data.formats.folders.image_folder import ImageFolder
from translearn.data.formats.source import open_images, open_source
from translearn.data.ingest.plan import plan_ingest
from translearn.data.notes import notes_of
from translearn.errors import DataError
from translearn.storage.folder import Folder


def listed(root: Path) -> dict[str, tuple[str | None, str]]:
    """Id to label and split."""
    return {row["id"]: (row["label"], row["split"]) for row in open_source(str(root)).listing().to_pylist()}


def notes(root: Path) -> list[str]:
    return list(map(str, notes_of(open_source(str(root)).listing())))


def faults(root: Path) -> list[str]:
    with pytest.raises(DataError) as error:
        open_source(str(root)).listing()
    return [line.removeprefix(f"{root}: ") for line in str(error.value).splitlines()]


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("Training", "dev", "Testing"),
        ("Train", "Validation", "Test"),
        ("seg_train", "eval", "seg_test"),
        ("training_set", "valid-images", "test2017"),
    ],
)
def test_split_folders_in_other_words_are_splits(tmp_path, train, val, test):
    split_folder(tmp_path, {train: 2, val: 1, test: 1})
    found = listed(tmp_path)
    assert set(found.values()) == {(name, split) for name in ("cat", "dog") for split in ("train", "val", "test")}
    assert found[f"{train}/cat/1.png"] == ("cat", "train")
    taken = sorted(f"{name} as {split}" for name, split in ((train, "train"), (val, "val"), (test, "test")))
    assert notes(tmp_path) == [f"split folders of other names, taken: 3 (first: {taken[0]})"]


def test_usual_split_folders_need_no_word(tmp_path):
    assert notes(split_folder(tmp_path, {"train": 2, "valid": 1, "test": 1})) == []


def test_a_split_folder_in_a_folder_of_its_name_is_as_archives_unpack_it(tmp_path):
    write_files(tmp_path, {f"seg_{s}/seg_{s}/{c}/1.png": b"" for s in ("train", "test") for c in ("sea", "ice")})
    assert set(listed(tmp_path).values()) == {(c, s) for s in ("train", "test") for c in ("sea", "ice")}


@pytest.mark.parametrize("names", [("te", "tr"), ("part1", "part2"), ("patient1", "patient2")])
def test_folders_with_the_same_folders_in_them_are_never_classes(tmp_path, names):
    split_folder(tmp_path, dict.fromkeys(names, 2))
    assert faults(tmp_path) == [
        f"must have class folders that differ inside, but got {names[0]} and {names[1]}, both with cat, dog. Name them "
        "train, val and test if they are splits. If they are classes, put their images into them directly, or give a "
        "table of paths and labels."
    ]


def test_splits_below_the_classes_are_refused(tmp_path):
    split_folder(tmp_path, {"cat": 2, "dog": 2}, ("train", "test"))
    assert faults(tmp_path)[0].startswith(
        "must have class folders that differ inside, but got cat and dog, both with te"
    )


def test_class_folders_with_folders_of_their_own_are_classes(tmp_path):
    write_files(tmp_path, {"cat/images/1.png": b"", "dog/images/1.png": b"", "dog/old/2.png": b""})
    assert {label for label, _ in listed(tmp_path).values()} == {"cat", "dog"}


@pytest.mark.parametrize(
    "classes",
    [("train", "valid", "invalid"), ("valid", "invalid"), ("train", "bus", "tram"), ("bullet_train", "plane")],
)
def test_classes_that_are_called_as_splits(tmp_path, classes):
    flat_folder(tmp_path, 2, classes)
    assert {label for label, _ in listed(tmp_path).values()} == set(classes)
    within = tmp_path / "within"
    split_folder(within, {"train": 2, "test": 2}, classes)
    assert set(listed(within).values()) == {(name, split) for name in classes for split in ("train", "test")}


@pytest.mark.parametrize("names", [("train", "test"), ("Training", "Testing"), ("train",), ("seg_train", "seg_test")])
def test_splits_without_classes_are_never_classes(tmp_path, names):
    flat_folder(tmp_path, 2, names)
    assert faults(tmp_path) == [
        "must have a folder for each class in each split folder, "
        f"but got images directly in {', '.join(sorted(names))}. "
        "Put the images of each class into a folder that is named after it, or give a table of paths and labels."
    ]


@pytest.mark.parametrize("inside", ["", "unknown/", "test/", "test/images/"])
def test_a_test_split_without_labels_is_left_out_and_carved(tmp_path, inside):
    split_folder(tmp_path, {"train": 20, "val": 5})
    write_files(tmp_path, {f"test/{inside}{n}.png": image(900 + n) for n in range(3)})
    plan = plan_ingest(str(tmp_path))
    assert list(map(str, plan.notes)) == [
        f"images of test without labels, left out; test is carved from train: 3 (first: test/{inside}0.png)"
    ]
    tests = [row["id"] for row in plan.listing.to_pylist() if row["split"] == "test"]
    assert tests
    assert all(name.startswith("train/") for name in tests)


def test_images_beside_the_splits_are_refused(tmp_path):
    split_folder(tmp_path, {"seg_train": 2, "seg_test": 2})
    write_files(tmp_path, {"seg_pred/1.png": b"", "docs/about.txt": b""})
    assert faults(tmp_path) == [
        "must hold either split folders or class folders, but got both: seg_pred. Move the others elsewhere."
    ]


def test_a_folder_around_the_whole_is_named(tmp_path):
    flat_folder(tmp_path / "archive", 2)
    assert faults(tmp_path) == [
        "must hold the split folders or class folders themselves, but got one folder, archive. "
        f"Give {tmp_path}/archive."
    ]


def test_an_empty_class_folder_is_refused(tmp_path):
    flat_folder(tmp_path / "flat", 2)
    write_files(tmp_path / "flat", {"emu/.hidden/1.png": b"", "gnu/labels.json": b""})
    (tmp_path / "flat" / "ant" / "deep").mkdir(parents=True)
    assert faults(tmp_path / "flat") == [
        "must have an image in each class folder, but got none in 3: ant, emu, gnu. "
        "Fill these folders, or move them elsewhere."
    ]
    split_folder(tmp_path / "split", {"train": 2, "test": 2})
    (tmp_path / "split" / "train" / "emu").mkdir()
    assert faults(tmp_path / "split")[0].startswith(
        "must have an image in each class folder, but got none in 1: train/emu"
    )


def test_an_empty_split_folder_is_told(tmp_path):
    split_folder(tmp_path, {"train": 2, "val": 2})
    (tmp_path / "test").mkdir()
    assert notes(tmp_path) == ["split folders without an image, carved from train: 1 (first: test)"]


def test_links_to_what_is_listed_anyway_are_passed_over(tmp_path):
    root = flat_folder(tmp_path / "in", 2)
    expected = listed(root)
    links = {
        "cat/up": "..",
        "cat/all": "../..",
        "cat/self": "self",
        "cat/dogs": "../dog",
        "cat/d.png": "../dog/000.png",
    }
    for name, target in {**links, "dog/here": "."}.items():
        (root / name).symlink_to(target)
    assert listed(root) == expected
    assert notes(root) == [
        "links to what is listed anyway, passed over: 5 (first: cat/all)",
        "links that lead nowhere, pipes and devices, passed over: 1 (first: cat/self)",
    ]
    images = open_images([str(root)]).listing()["id"].to_pylist()
    assert images == sorted(expected)


def test_a_class_folder_that_is_a_link_to_another_is_an_empty_one(tmp_path):
    root = flat_folder(tmp_path, 2)
    (root / "wolf").symlink_to("dog")
    (root / "emu").symlink_to("/gone/emu")
    assert faults(root)[0].startswith("must have an image in each class folder, but got none in 2: emu, wolf.")


def test_links_out_of_the_folder_are_followed_once(tmp_path):
    store = flat_folder(tmp_path / "store", 2)
    write_files(tmp_path / "in", {"cat/own.png": b"", "dog/own.png": b""})
    (tmp_path / "in" / "cat" / "more").symlink_to(store / "cat")
    (tmp_path / "in" / "cat" / "same").symlink_to(store / "cat")
    (tmp_path / "in" / "dog" / "1.png").symlink_to(store / "dog" / "001.png")
    (store / "cat" / "back").symlink_to(tmp_path)
    (store / "cat" / "loop").symlink_to(".")
    assert sorted(listed(tmp_path / "in")) == [
        *("cat/more/000.png", "cat/more/001.png", "cat/own.png", "dog/1.png", "dog/own.png"),
    ]
    assert notes(tmp_path / "in") == ["links to what is listed anyway, passed over: 3 (first: cat/more/back)"]
    assert next(iter(open_source(str(tmp_path / "in")).read(["dog/1.png"]))) == (store / "dog/001.png").read_bytes()


def test_one_directory_as_two_classes_or_splits_is_refused(tmp_path):
    store, root = flat_folder(tmp_path / "store", 2), tmp_path / "in"
    root.mkdir()
    for name, target in (("cat", "cat"), ("dog", "dog"), ("wolf", "dog")):
        (root / name).symlink_to(store / target)
    rule, remedy = "must not reach one directory as two classes or splits", "Remove one of the links."
    assert faults(root)[-1] == f"{rule}, but got 1 so: wolf and dog. {remedy}"
    splits = tmp_path / "splits"
    splits.mkdir()
    for name in ("train", "test"):
        (splits / name).symlink_to(store)
    write_files(splits, {"val/cat/1.png": b"", "val/dog/1.png": b""})
    assert f"{rule}, but got 1 so: train and test. {remedy}" in faults(splits)


def test_a_link_to_an_image_that_is_gone_is_a_bad_image(tmp_path):
    root = flat_folder(tmp_path, 2)
    (root / "cat" / "gone.png").symlink_to("/gone/1.png")
    assert "cat/gone.png" in listed(root)
    assert list(open_source(str(root)).read(["cat/gone.png"])) == ["does not exist"]


def test_what_systems_and_devices_leave_behind_is_passed_over(tmp_path):
    root = flat_folder(tmp_path, 2)
    expected = listed(root)
    litter = ("cat/@eaDir/000.png/THUMB_M.png", "#recycle/1.png", "$RECYCLE.BIN/2.png", "lost+found/3.png")
    more = ("System Volume Information/4.png", "__MACOSX/cat/5.png", ".ipynb_checkpoints/6.png", "cat/._000.png")
    write_files(root, dict.fromkeys([*litter, *more, "Thumbs.db"], image(7)))
    assert listed(root) == expected
    assert notes(root) == ["hidden files and folders, and those of systems, passed over: 9 (first: #recycle)"]


def test_an_object_store_is_read_by_the_same_rules(tmp_path):
    root = split_folder(tmp_path / "in", {"Training": 2, "Testing": 1})
    litter = ("Training/cat/@eaDir/1.png", "#recycle/2.png", ".git/3.png", "Testing/dog/0.json", "Thumbs.db")
    write_files(root, dict.fromkeys(litter, b""))
    there = Folder(pafs.SubTreeFileSystem(str(tmp_path), pafs.LocalFileSystem()), "in", "store://in")
    assert not there.is_local
    listing = ImageFolder(there).listing()
    assert listing.equals(ImageFolder(Folder.open(root)).listing())
    assert [str(note).split(": ")[1] for note in notes_of(listing)] == ["2 (first", "1 (first", "4 (first"]
    assert notes_of(listing) == notes_of(ImageFolder(Folder.open(root)).listing())


def test_files_of_a_folder_that_are_not_predicted_are_told(tmp_path):
    write_files(flat_folder(tmp_path, 1), {"cat/1.heic": b"", "cat/photo": b"", ".hidden.png": b""})
    listing = open_images([str(tmp_path)]).listing()
    assert listing["id"].to_pylist() == ["cat/000.png", "dog/000.png"]
    assert list(map(str, notes_of(listing))) == [
        "files that are no images by their names (.heic), passed over: 2 (first: cat/1.heic)",
        "hidden files and folders, and those of systems, passed over: 1 (first: .hidden.png)",
    ]


def test_pipes_are_never_opened(tmp_path):
    root = flat_folder(tmp_path, 2)
    os.mkfifo(root / "cat" / "pipe.png")
    (root / "cat" / "null.png").symlink_to("/dev/null")
    assert "cat/pipe.png" not in listed(root)
    assert notes(root) == ["links that lead nowhere, pipes and devices, passed over: 2 (first: cat/null.png)"]


def test_what_cannot_be_an_image_is_passed_over_by_its_ending(tmp_path):
    root = flat_folder(tmp_path, 3)
    write_files(root, {f"cat/{n:03d}.{kind}": b"{}" for n in range(2) for kind in ("json", "XML", "txt")})
    write_files(root, {"cat/photo": image(50), "cat/4.heic": b"", "README.md": b"", "classes": b""})
    plan = plan_ingest(str(root))
    assert [str(note) for note in plan.notes] == [
        "files that are no images by their names (.json, .md, .txt, .xml), passed over: 8 (first: README.md)"
    ]
    names = plan.listing["id"].to_pylist()
    assert len(names) == 8
    assert {"cat/photo", "cat/4.heic"} < set(names)  # without an ending, or in a format that is not read: bytes decide


def test_names_that_are_no_utf8_are_told_with_all_other_faults(tmp_path):
    root = flat_folder(tmp_path, 2)
    (root / "emu").mkdir()
    for name in (b"cat/caf\xe9.png", b"dog/\xff.png", b"dog/\xff.txt"):
        Path(os.fsdecode(bytes(root) + b"/" + name)).write_bytes(b"")
    assert faults(root) == [
        r"must have names of files and folders in UTF-8, but got 2 others: cat/caf\xe9.png, dog/\xff.png. "
        "Rename them, for example with convmv.",
        "must have an image in each class folder, but got none in 1: emu. Fill these folders, or move them elsewhere.",
    ]
    with pytest.raises(DataError, match="must have names of files and folders in UTF-8"):
        open_images([str(root)]).listing()


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    root, scandir = flat_folder(tmp_path, 2), os.scandir

    def denied(path):
        if str(path).endswith("dog"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", denied)
    rule, remedy = "must have folders that can be read", "Change their permissions."
    assert faults(root)[0] == f"{rule}, but got 1 others: dog (Permission denied). {remedy}"


def test_a_letter_in_the_bytes_of_a_mac_makes_no_other_class(tmp_path):
    split_folder(tmp_path, {"train": 2}, ("caf\u00e9", "bar"))
    split_folder(tmp_path, {"test": 2}, ("cafe\u0301", "bar"))
    assert {label for label, _ in listed(tmp_path).values()} == {"caf\u00e9", "bar"}
