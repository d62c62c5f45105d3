"""Files of tensors: round trips, and files that are damaged or hostile."""

from __future__ import annotations

import argparse
import io
import pickle
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
from translearn.models.weights import fingerprint, parse_state, read_state

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
    assert _same(read_state(tmp_path / name), STATE)
    assert _same(read_state(f"file://{tmp_path}/{name}"), STATE)


@pytest.mark.parametrize("wrapper", ["state_dict", "model_state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module.", "model.", "module._orig_mod."])
def test_usual_wrappers_and_prefixes_are_taken_off(tmp_path: Path, wrapper: str, prefix: str) -> None:
    inner = {f"{prefix}{name}": tensor for name, tensor in STATE.items()}
    torch.save({wrapper: inner, "epoch": 3, "optimizer": {"lr": 0.1}}, tmp_path / "a.pth")
    assert _same(read_state(tmp_path / "a.pth"), STATE)


def test_a_prefix_that_not_all_names_have_stays() -> None:
    state = {"module.a": torch.zeros(1), "b": torch.zeros(1)}
    assert _same(parse_state(save(state), "a.safetensors"), state)


@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_checkpoint_is_refused_and_not_executed(tmp_path: Path, legacy: bool) -> None:
    trap = tmp_path / "trap"
    content = {"conv.weight": torch.zeros(1), "extra": CreatesFile(trap)}
    torch.save(content, tmp_path / "a.pth", _use_new_zipfile_serialization=not legacy)
    with pytest.raises(WeightsError) as raised:
        read_state(tmp_path / "a.pth")
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
            read_state(tmp_path / "a.pth")
    assert not trap.exists()
    pickle.loads(pickle.dumps(CreatesFile(trap))).close()
    assert trap.exists(), "the trap itself does not work"


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (torch.nn.Linear(2, 2), "the Python object torch.nn.modules.linear.Linear"),
        ({"args": argparse.Namespace(lr=1)}, "the Python object argparse.Namespace"),
        ({"a": np.float32(1)}, "the Python object numpy._core.multiarray.scalar"),
        ({"a": torch.zeros(1), "epoch": 3}, "int under 'epoch'"),
        ({3: torch.zeros(1)}, "Tensor under 3"),
        ({"a": torch.zeros(2, 2).to_sparse()}, "the Python object torch._utils._rebuild_sparse_tensor"),
        ({"a": bytearray(9)}, "the Python object __builtin__.bytearray"),
        ([torch.zeros(1)], "one list"),
        ({}, "an empty mapping"),
        ({"state_dict": {}}, "an empty mapping"),
    ],
)
def test_what_is_not_plain_named_tensors_is_refused(tmp_path: Path, content: object, got: str) -> None:
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(WeightsError) as raised:
        read_state(tmp_path / "a.pth")
    assert f"must hold plain tensors only, but got {got}. Save it with safetensors" in str(raised.value)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_truncated_file_is_refused(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["a.safetensors", "a.pth"]))
    whole = _file_content(name)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(WeightsError, match=rf"^{name}: must (be a whole|hold plain)"):
        parse_state(whole[:cut], name)


@settings(max_examples=50, deadline=None)
@given(content=st.binary(max_size=200), name=st.sampled_from(["a.safetensors", "a.pth"]))
def test_arbitrary_bytes_are_refused(content: bytes, name: str) -> None:
    with pytest.raises(WeightsError, match=rf"^{name}: must (be a whole|hold plain)"):
        parse_state(content, name)


def test_a_number_that_is_repeated_without_end_is_refused() -> None:
    content = io.BytesIO()
    torch.save({"a": torch.zeros(1).expand(10**11)}, content)
    with pytest.raises(WeightsError) as caught:
        parse_state(content.getvalue(), "bomb.pth")
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
        parse_state(packed.getvalue(), "bomb.pth")


def test_a_tensor_under_two_names_is_no_bomb() -> None:
    tensor, content = torch.arange(1000.0), io.BytesIO()
    torch.save({"a": tensor, "b": tensor}, content)
    assert set(parse_state(content.getvalue(), "tied.pth")) == {"a", "b"}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"none\.pth: must be a readable file, but got none .*Check the path"):
        read_state(tmp_path / "none.pth")


def test_a_file_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"Give a file that ends in one of \.safetensors, \.pth, \.pt"):
        read_state(tmp_path / "a.h5")


def test_the_fingerprint_depends_on_content_alone() -> None:
    images = torch.arange(24.0).reshape(1, 2, 3, 4)
    one = {"a": images, "b": torch.tensor(1)}
    other = {"b": torch.tensor(1), "a": images.to(memory_format=torch.channels_last)}
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(
    "changed",
    [
        {"a": torch.zeros(2, 3), "b": torch.ones(1)},
        {"a": torch.zeros(3, 2), "c": torch.ones(1)},
        {"a": torch.zeros(3, 2, dtype=torch.int32), "b": torch.ones(1)},
        {"a": -torch.zeros(3, 2), "b": torch.ones(1)},
        {"a": torch.zeros(3, 2)},
    ],
)
def test_the_fingerprint_sees_every_change(changed: dict[str, Tensor]) -> None:
    assert fingerprint(changed) != fingerprint({"a": torch.zeros(3, 2), "b": torch.ones(1)})


def _file_content(name: str) -> bytes:
    if name.endswith(".safetensors"):
        return save(STATE)
    buffer = io.BytesIO()
    torch.save(STATE, buffer)
    return buffer.getvalue()
