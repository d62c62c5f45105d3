"""Files of weights made to do harm: each is read as tensors or refused in short words, quickly; nothing is written."""

from __future__ import annotations

import io
import pickle
import struct
import tarfile
import tempfile
import time
import zipfile
from argparse import Namespace
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from translearn.errors import WeightsError
from translearn.models.checkpoints.files import parse_content, read_content
from translearn.models.checkpoints.scan import MOST_VALUES

STATE = {"conv.weight": torch.arange(6.0).reshape(2, 3), "bn.num_batches_tracked": torch.tensor(7)}
LONGEST_MESSAGE = 500


def saved(content: object, legacy: bool = False) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream, _use_new_zipfile_serialization=not legacy)
    return stream.getvalue()


def edited(content: bytes, edit: Callable[[bytes], bytes], rename: Callable[[str], str] = str) -> bytes:
    """An archive of torch's with its pickle edited, and its members renamed."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(stream, "w") as target:
        for entry in source.infolist():
            inner = source.read(entry)
            target.writestr(rename(entry.filename), edit(inner) if entry.filename.endswith("data.pkl") else inner)
    return stream.getvalue()


def archive(program: bytes) -> bytes:
    """An archive of torch's whose pickle is this."""
    return edited(saved(STATE), lambda _: b"\x80\x02" + program + b".")


def refusal(content: bytes, name: str = "a.pth") -> str:
    """Why it is refused: shortly, and at once."""
    started = time.process_time()
    with pytest.raises(WeightsError) as caught:
        parse_content(content, name)
    assert time.process_time() - started < 20
    assert len(str(caught.value)) < LONGEST_MESSAGE
    return str(caught.value)


def nested(depth: int) -> bytes:
    """A tuple of one tuple twice, and so on: when it is hashed, 2 ** depth of them."""
    return b")" + b"".join(b"q%ch%c\x86" % (n, n) for n in range(depth))


@pytest.mark.parametrize("depth", [22, 200])
@pytest.mark.parametrize("legacy", [False, True])
def test_a_tuple_that_grows_without_end_is_refused_before_it_is_hashed(depth: int, legacy: bool) -> None:
    program = b"}" + nested(depth) + b"Ns"
    content = saved(STATE, legacy=True)
    first = content[: content.index(b"}")]  # magic number, version, machine
    bomb = first + program + b"." if legacy else archive(program)
    assert f"a.pth: must hold at most {MOST_VALUES:,} values, but got more. Save it with" in refusal(bomb)


def test_a_tuple_as_a_name_is_not_repeated_in_the_message() -> None:
    assert "NoneType under a name of type tuple." in refusal(archive(b"}" + nested(10) + b"Ns"))


def test_a_list_that_is_copied_again_and_again_is_refused() -> None:
    program = b"]q\x00(" + b"NN\x86" * 9999 + b"e" + b"ccollections\nOrderedDict\nh\x00\x85R" * 300
    assert "must hold at most 1,000,000 values" in refusal(archive(program))


def test_a_mapping_that_holds_itself_is_refused() -> None:
    program = b"}q\x00X\x0a\x00\x00\x00state_dicth\x00s"
    assert "but got dict under 'state_dict'" in refusal(archive(program))


@pytest.mark.parametrize("method", ["get", "keys", "items"])
def test_a_mapping_whose_methods_are_replaced_is_refused(method: str) -> None:
    name = struct.pack("<I", len(method)) + method.encode()
    program = b"ccollections\nOrderedDict\n)R(X\x01\x00\x00\x00aNu}X" + name + b"K\x01sb"
    assert "but got NoneType under 'a'" in refusal(archive(program))


@pytest.mark.parametrize("name", ["module." * 2000, "x" * 10**6])
@pytest.mark.parametrize("kind", ["a.pth", "a.safetensors"])
def test_names_without_end_are_refused(name: str, kind: str) -> None:
    state = {name: torch.zeros(1)}
    assert "must have names of at most 1,000 characters, but got one of" in refusal(
        saved(state) if kind == "a.pth" else save(state), kind
    )


@pytest.mark.parametrize("extra", [3, torch.zeros(1).to(torch.complex64).conj(), ["x" * 10**6]])
def test_what_a_message_repeats_is_cut(extra: object) -> None:
    assert len(refusal(saved({"y" * 10**6: extra}))) < LONGEST_MESSAGE
    refusal(archive(b"c" + b"m" * 10**6 + b"\n" + b"n" * 10**6 + b"\n"))
    header = b'{"a": {"dtype": "' + b"X" * 10**5 + b'", "shape": [], "data_offsets": [0, 0]}}'
    refusal(struct.pack("<Q", len(header)) + header, "a.safetensors")


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (b"ctorch\nTensor\nJ\x00\x00\x00\x40\x85R", "torch.Tensor"),
        (b"ctorch.storage\nUntypedStorage\nJ\x00\x00\x00\x40\x85R", "torch.storage.UntypedStorage"),
        (b"c__builtin__\nbytearray\nJ\x00\x00\x00\x40\x85R", "__builtin__.bytearray"),
    ],
)
def test_calls_that_only_take_memory_are_refused(call: bytes, named: str) -> None:
    assert f"but got the Python object {named}." in refusal(archive(call * 100))


class Trap:
    """Building it, or giving it its state, creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __new__(cls, path: Path = Path("new")) -> Trap:
        path.touch()
        return super().__new__(cls)

    def __setstate__(self, state: dict[str, Path]) -> None:
        state["path"].touch()


@pytest.mark.parametrize("protocol", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("legacy", [False, True])
def test_an_object_beside_tensors_is_not_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: int, legacy: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    trap, stream = Trap(tmp_path / "trap"), io.BytesIO()
    torch.save(
        {"state_dict": STATE, "args": trap}, stream, pickle_protocol=protocol, _use_new_zipfile_serialization=not legacy
    )
    (tmp_path / "trap").unlink()
    found = parse_content(stream.getvalue(), "a.pth")
    assert found.tensors.keys() == {f"state_dict.{name}" for name in STATE}
    assert found.others == ("args",)
    assert f"{__name__}.Trap" in found.objects
    assert not list(tmp_path.iterdir())
    stream.seek(0)
    torch.load(stream, weights_only=False)
    assert list(tmp_path.iterdir()), "the trap itself does not work"


@pytest.mark.parametrize(
    "call",
    [
        b"\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R",  # by the opcode of protocol 4
        b"\x8c\x02os\x94\x8c\x06system\x94h\x00h\x01\x93\x8c\x04true\x85R",  # by names from before
        b"cbuiltins\ngetattr\ncos\n_Environ\nX\x06\x00\x00\x00system\x86R",
        b"cargparse\nNamespace\n)\x81)R",  # calls an object
        b"ctorch.storage\n_load_from_bytes\nC\x04aaaa\x85R",
        b"(cos\nsystem\nX\x04\x00\x00\x00trueo",
        b"(X\x04\x00\x00\x00trueios\nsystem\n",
    ],
)
def test_a_call_is_refused_in_whatever_words(call: bytes) -> None:
    assert "must hold plain tensors only, but got" in refusal(archive(b"}X\x01\x00\x00\x00a" + call + b"s"))


def test_a_tensor_with_a_state_is_refused() -> None:
    assert "must hold plain tensors only" in refusal(
        edited(saved({"a": torch.zeros(1)}), lambda program: program[:-2] + b"(K\x00K\x01K\x01tbs.")
    )


def test_a_name_that_hides_a_mark_does_not_hide_values() -> None:
    program = b"]\x94(\x8c\x01a(\x8c\x01b\x93" + b"h\x00h\x00\x86" * 30 + b"e"
    assert "must be a whole PyTorch file, but got" in refusal(archive(program))


def test_names_that_are_cut_out_and_wanted_again_take_no_time() -> None:
    text = b"X" + struct.pack("<I", 400) + b"a" * 400
    again = b"h\x00h\x01\x93" + b"h\x00h\x01"
    found = refusal(archive(b"](" + text + b"\x94" + text + b"\x94\x93" + again * 5_000 + b"e"))
    assert "must hold plain tensors only, but got the Python object aaaa" in found
    kept = b"".join(b"r" + struct.pack("<I", key) for key in range(2, 100_000))
    assert "a pickle of something else" in refusal(archive(b"X\x01\x00\x00\x00a" + kept + b"h\x02\x93"))


def test_a_storage_longer_than_its_file_is_refused_before_memory_is_taken() -> None:
    content = saved({"a": torch.arange(200)}, legacy=True)
    for large in (b"J\x00\x00\x00\x7f", b"\x8a\x08" + (2**50).to_bytes(8, "little")):
        assert "must hold plain tensors only" in refusal(content.replace(b"K\xc8N", large + b"N"))


def test_checkpoints_as_training_leaves_them_are_read() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    adam = {"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"betas": (0.9, 0.999), "params": [0, 1]}]}
    schedule = {"milestones": Counter([1, 2]), "last_epoch": 1, "device": torch.device("cpu"), "names": {"a", "b"}}
    rest = {"optimizer": adam, "lr_scheduler": schedule, "classes": ("ant",) * 1000, "shape": torch.Size([1])}
    for legacy in (False, True):
        content = saved({"model": model.state_dict(), "epoch": 3, "dtype": torch.float32, **rest}, legacy)
        assert parse_content(content, "a.pth").tensors.keys() == {f"model.{name}" for name in model.state_dict()}
        assert parse_content(saved(dict(model.named_parameters()), legacy), "a.pth").tensors


@pytest.mark.parametrize("prefix", ["../", "../../../../tmp/", "/tmp/", "..\\"])
def test_members_of_an_archive_outside_of_it_are_written_nowhere(tmp_path: Path, prefix: str) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (inner / "a.pth").write_bytes(edited(saved(STATE), bytes, lambda name: f"{prefix}{name}"))
    assert_nothing_is_written(inner, tmp_path)


def test_a_tar_file_as_weights_is_refused_and_written_nowhere(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    with tarfile.open(inner / "a.pth", "w") as tar:
        for name in ("storages", "tensors", "pickle", "../up", "/tmp/translearn-up"):
            tar.addfile(tarfile.TarInfo(name))
    assert_nothing_is_written(inner, tmp_path)
    with pytest.raises(WeightsError, match="must be a whole PyTorch file"):
        read_content(inner / "a.pth")


def assert_nothing_is_written(folder: Path, root: Path) -> None:
    """Reads ``a.pth`` in the folder, and looks for new files there, above, and in the temporary folder."""

    def files() -> set[str]:
        return {*map(str, root.rglob("*")), *map(str, Path(tempfile.gettempdir()).iterdir())}

    before = files()
    with pytest.MonkeyPatch.context() as environment, suppress(WeightsError):
        environment.chdir(folder)
        read_content(folder / "a.pth")
    assert not [name for name in files() - before if "data" in name or "up" in name or "version" in name]
    assert {path.name for path in root.rglob("*")} == {"a", "b", "a.pth"}


def test_an_archive_that_could_be_read_in_two_ways_is_refused() -> None:
    stream = io.BytesIO(saved(STATE))
    with zipfile.ZipFile(stream, "a") as again:
        again.comment = b"PK"
    assert "must be a whole PyTorch file, but got" in refusal(stream.getvalue())


def training() -> bytes:
    """A checkpoint with objects, in a newer protocol."""
    stream, rest = io.BytesIO(), {"args": Namespace(lr=0.1), "best": np.float64(1), "names": {"a"}}
    torch.save({"model": STATE, **rest}, stream, pickle_protocol=4)
    return stream.getvalue()


SEEDS = {
    "training.pth": training(),
    "zip.pth": saved({"state_dict": STATE, "epoch": 3}),
    "legacy.pth": saved(STATE, legacy=True),
    "bare.pth": pickle.dumps({"a": [1, (2.5, None)], "b": ("x", True)}, protocol=2),
    "a.safetensors": save(STATE),
}
EDITS = st.lists(st.tuples(st.sampled_from(["flip", "set", "cut", "copy"]), *[st.integers(0, 2**16)] * 3), max_size=6)


def mutated(content: bytes, edits: list[tuple[str, int, int, int]]) -> bytes:
    """A file with bytes flipped, set, cut out, or copied to elsewhere."""
    for kind, place, length, value in edits:
        at, num = place % (len(content) + 1), length % 64
        inside = {"flip": bytes(b ^ (1 << value % 8) for b in content[at : at + 1]), "set": bytes([value % 256])}
        copied = content[value % (len(content) + 1) :][:num]
        end = {"cut": num, "copy": 0}.get(kind, 1)
        content = content[:at] + inside.get(kind, copied if kind == "copy" else b"") + content[at + end :]
    return content


def loaded_or_refused(content: bytes, name: str) -> None:
    message = ""
    try:
        parse_content(content, name)
    except WeightsError as error:
        message = str(error)
    assert len(message) < LONGEST_MESSAGE


@settings(max_examples=300, deadline=5000)
@given(st.sampled_from(sorted(SEEDS)), EDITS)
def test_a_changed_file_is_read_or_refused(name: str, edits: list[tuple[str, int, int, int]]) -> None:
    loaded_or_refused(mutated(SEEDS[name], edits), name)


@settings(max_examples=300, deadline=5000)
@given(st.sampled_from(["zip.pth", "training.pth"]), EDITS)
def test_a_changed_pickle_in_a_whole_archive_is_read_or_refused(
    name: str, edits: list[tuple[str, int, int, int]]
) -> None:
    loaded_or_refused(edited(SEEDS[name], lambda program: mutated(program, edits)), "a.pth")


@settings(max_examples=200, deadline=5000)
@given(EDITS)
def test_a_changed_header_of_safetensors_is_read_or_refused(edits: list[tuple[str, int, int, int]]) -> None:
    content = SEEDS["a.safetensors"]
    end = 8 + struct.unpack("<Q", content[:8])[0]
    header = mutated(content[8:end], edits)
    loaded_or_refused(struct.pack("<Q", len(header)) + header + content[end:], "a.safetensors")
