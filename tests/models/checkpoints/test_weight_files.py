"""Files of tensors: round trips, and files that are damaged or hostile."""

from __future__ import annotations

import argparse
import io
import json
import pickle
import re
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save, save_file
from torch import Tensor

from translearn.errors import WeightsError
from translearn.models.checkpoints.files import parse_content, read_content

STATE = {"conv.weight": torch.arange(6.0).reshape(2, 3), "bn.num_batches_tracked": torch.tensor(7)}


class CreatesFile:
    """Unpickling it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (open, (str(self.path), "w"))


def _same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) and a[name].dtype == b[name].dtype for name in a)


@pytest.mark.parametrize("name", ["a.safetensors", "a.pth", "a.pt"])
def test_a_state_survives_a_file(tmp_path: Path, name: str) -> None:
    if name.endswith("safetensors"):
        save_file(STATE, tmp_path / name)
    else:
        torch.save(STATE, tmp_path / name)
    assert _same(read_content(tmp_path / name).tensors, STATE)
    assert _same(read_content(f"file://{tmp_path}/{name}").tensors, STATE)


@pytest.mark.parametrize("ending", ["pth", "pt", "ckpt", "pth.tar", "bin"])
def test_pytorchs_files_have_many_endings(tmp_path: Path, ending: str) -> None:
    torch.save(STATE, tmp_path / f"a.{ending}")
    assert _same(read_content(tmp_path / f"a.{ending}").tensors, STATE)


@pytest.mark.parametrize("protocol", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("legacy", [False, True])
def test_tensors_are_read_whatever_pickles_protocol(protocol: int, legacy: bool) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    half = {f"half.{n}": t.half() for n, t in STATE.items()} | {"brain": torch.ones(2, dtype=torch.bfloat16)}
    plain = {"collections": torch.zeros(1), "OrderedDict": torch.ones(1)}  # names that newer protocols share
    content = {"model": model.state_dict(), **half, **plain, "epoch": 2**70, "done": True}
    stream = io.BytesIO()
    torch.save(content, stream, pickle_protocol=protocol, _use_new_zipfile_serialization=not legacy)
    found = parse_content(stream.getvalue(), "a.pth")
    assert _same(found.tensors, {**{f"model.{n}": t for n, t in model.state_dict().items()}, **half, **plain})
    assert found.others == ("epoch", "done")


def test_a_tensor_of_pytorch_0_3_is_read() -> None:
    """As Python 2 wrote it: texts of bytes, and a function for tensors without gradient."""
    storage = b"(U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x02NtQ"
    tensor = b"ctorch._utils\n_rebuild_tensor\n(" + storage + b"K\x00(K\x02t(K\x01ttR"
    parts = [torch.serialization.MAGIC_NUMBER, torch.serialization.PROTOCOL_VERSION, {"little_endian": True}]
    head = b"".join(pickle.dumps(part, 2) for part in parts)
    numbers = struct.pack("<q2f", 2, 1.5, -2.0)
    content = head + b"\x80\x02}(U\x06weight" + tensor + b"u." + pickle.dumps(["0"], 2) + numbers
    assert _same(parse_content(content, "a.pth").tensors, {"weight": torch.tensor([1.5, -2.0])})


@pytest.mark.parametrize("ending", ["safetensors", "bin"])
def test_tensors_in_several_files_are_read_by_their_index(tmp_path: Path, ending: str) -> None:
    write = save_file if ending == "safetensors" else torch.save
    parts = {f"model-{n}-of-2.{ending}": {name: tensor} for n, (name, tensor) in enumerate(STATE.items(), 1)}
    for file, part in parts.items():
        write(part, tmp_path / file)
    names = {name: file for file, part in parts.items() for name in part}
    index = tmp_path / f"model.{ending}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 32}, "weight_map": names}))
    assert _same(read_content(index).tensors, STATE)
    (tmp_path / f"model-2-of-2.{ending}").unlink()
    with pytest.raises(WeightsError, match=rf"model-2-of-2\.{ending}: must be a readable file"):
        read_content(index)


@pytest.mark.parametrize(
    ("index", "fault"),
    [
        ("{", "must be an index of weights in several files, but got JSONDecodeError."),
        ("[" * 10**5, "must be an index of weights in several files, but got RecursionError."),
        ('{"weight_map": {}}', "must be an index of weights in several files, but got no files by tensor."),
        ('{"weight_map": {"a": 3}}', "must be an index of weights in several files, but got no files by tensor."),
        ('{"weight_map": {"a": "../a.bin"}}', "must name files in its own folder, but got '../a.bin'."),
        ('{"weight_map": {"a": "/etc/a.bin"}}', "must name files in its own folder, but got '/etc/a.bin'."),
        ('{"weight_map": {"a": "http:a.bin"}}', "must name files in its own folder, but got 'http:a.bin'."),
        ('{"weight_map": {"a": "b.index.json"}}', "must name files in its own folder, but got 'b.index.json'."),
        ('{"weight_map": {"a": "b.bin"}}', "must name tensors that its files hold, but got 'a' in b.bin."),
    ],
)
def test_an_index_that_is_none_is_refused(tmp_path: Path, index: str, fault: str) -> None:
    torch.save(STATE, tmp_path / "b.bin")
    (tmp_path / "a.index.json").write_text(index)
    with pytest.raises(WeightsError, match=re.escape(f"a.index.json: {fault} Copy or download all files again")):
        read_content(tmp_path / "a.index.json")


def test_tensors_in_mappings_have_the_names_of_all_of_them(tmp_path: Path) -> None:
    inner = {"module.a": torch.zeros(1), "sizes": [1, 2], 7: torch.zeros(1)}
    torch.save({"model": inner, "ema": inner, "best": None, "b": torch.ones(1)}, tmp_path / "a.ckpt")
    found = read_content(tmp_path / "a.ckpt")
    assert list(found.tensors) == ["model.module.a", "b"], "a mapping under two names counts once"
    assert found.others == ("model.sizes", "best")


def test_a_name_of_two_tensors_is_refused(tmp_path: Path) -> None:
    torch.save({"a": {"b": torch.zeros(1)}, "a.b": torch.zeros(1)}, tmp_path / "a.pt")
    with pytest.raises(WeightsError, match=r"a\.pt: must have each name once, but got 'a\.b' twice"):
        read_content(tmp_path / "a.pt")


@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_checkpoint_is_refused_and_not_executed(tmp_path: Path, legacy: bool) -> None:
    trap = tmp_path / "trap"
    content = {"conv.weight": torch.zeros(1), "extra": CreatesFile(trap)}
    torch.save(content, tmp_path / "a.pth", _use_new_zipfile_serialization=not legacy)
    with pytest.raises(WeightsError) as raised:
        read_content(tmp_path / "a.pth")
    assert str(raised.value) == (
        f"{tmp_path}/a.pth: must hold plain tensors only, but got the Python object io.open. "
        "Save it with safetensors: safetensors.torch.save_file(model.state_dict(), 'model.safetensors')."
    )
    assert not trap.exists()


def test_a_bare_hostile_pickle_is_refused_and_not_executed(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        (tmp_path / "a.pth").write_bytes(pickle.dumps(CreatesFile(trap), protocol))
        with pytest.raises(WeightsError, match="must hold plain tensors only"):
            read_content(tmp_path / "a.pth")
    assert not trap.exists()
    pickle.loads(pickle.dumps(CreatesFile(trap))).close()
    assert trap.exists(), "the trap itself does not work"


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (torch.nn.Linear(2, 2), "the Python object torch.nn.modules.linear.Linear"),
        ({"args": argparse.Namespace(lr=1)}, "the Python object argparse.Namespace"),
        ({"a": np.float32(1)}, "the Python object numpy._core.multiarray.scalar"),
        ({"epoch": 3, "a": [torch.zeros(1)]}, "int under 'epoch'"),
        ({3: torch.zeros(1)}, "Tensor under 3"),
        ({"a": torch.zeros(2, 2).to_sparse()}, "the Python object torch._utils._rebuild_sparse_tensor"),
        ({"a": bytearray(9)}, "the Python object __builtin__.bytearray"),
        ([torch.zeros(1)], "one list"),
        ({}, "an empty mapping"),
        ({"state_dict": {}}, "dict under 'state_dict'"),
    ],
)
def test_what_is_not_plain_named_tensors_is_refused(tmp_path: Path, content: object, got: str) -> None:
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(WeightsError) as raised:
        read_content(tmp_path / "a.pth")
    assert f"must hold plain tensors only, but got {got}. Save it with safetensors" in str(raised.value)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_truncated_file_is_refused(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["a.safetensors", "a.pth"]))
    whole = _file_content(name)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(WeightsError, match=rf"^{name}: must (be a whole|hold plain)"):
        parse_content(whole[:cut], name)


@settings(max_examples=50, deadline=None)
@given(content=st.binary(max_size=200), name=st.sampled_from(["a.safetensors", "a.pth"]))
def test_arbitrary_bytes_are_refused(content: bytes, name: str) -> None:
    with pytest.raises(WeightsError, match=rf"^{name}: must (be a whole|hold plain)"):
        parse_content(content, name)


def test_a_number_that_is_repeated_without_end_is_refused() -> None:
    content = io.BytesIO()
    torch.save({"a": torch.zeros(1).expand(10**11)}, content)
    with pytest.raises(WeightsError) as caught:
        parse_content(content.getvalue(), "bomb.pth")
    assert str(caught.value) == (
        f"bomb.pth: must unpack to at most 2 times its size, but got {len(content.getvalue()):,} bytes that become "
        "400,000,000,000. Save it with safetensors: safetensors.torch.save_file(model.state_dict(), "
        "'model.safetensors')."
    )


def test_an_archive_of_compressed_zeros_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, packed = io.BytesIO(), io.BytesIO()
    torch.save({"a": torch.zeros(250_000)}, plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as bomb:
        for entry in source.infolist():
            bomb.writestr(entry.filename, source.read(entry))
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was unpacked"))
    with pytest.raises(WeightsError, match=r"must unpack to at most 2 times its size, but got .* that become 1,0"):
        parse_content(packed.getvalue(), "bomb.pth")


def test_a_tensor_under_two_names_is_no_bomb() -> None:
    tensor, content = torch.arange(1000.0), io.BytesIO()
    torch.save({"a": tensor, "b": tensor}, content)
    assert set(parse_content(content.getvalue(), "tied.pth").tensors) == {"a", "b"}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"none\.pth: must be a readable file, but got none .*Check the path"):
        read_content(tmp_path / "none.pth")


def test_a_file_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        WeightsError,
        match=r"Give a file that ends in one of \.safetensors, \.pth, \.pt, \.ckpt, \.bin, \.pth\.tar, \.index\.json,",
    ):
        read_content(tmp_path / "a.h5")


def _file_content(name: str) -> bytes:
    if name.endswith(".safetensors"):
        return save(STATE)
    buffer = io.BytesIO()
    torch.save(STATE, buffer)
    return buffer.getvalue()
