"""Images made to do harm: each is decoded or set aside with its reason, in bounded time, memory and log."""

from __future__ import annotations

import struct
import subprocess
import sys
import time
import warnings
import zlib
from contextlib import suppress
from pathlib import Path

import pytest
from hostile_images import OTHERS, chunk, png, saved, tags
from hypothesis import given, settings
from hypothesis import strategies as st
from sources import image, write_files

from translearn.data.images.pixels import FORMATS, Decoding, open_rgb
from translearn.data.ingest.options import IngestOptions
from translearn.data.ingest.plan import inspected, plan_ingest


@pytest.mark.parametrize("kind", OTHERS)
def test_other_formats_are_set_aside_and_no_program_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    for name in ("Popen", "run", "check_call", "check_output"):
        monkeypatch.setattr(subprocess, name, lambda *_, **__: pytest.fail("a program was started"))
    files = {f"{name}/{n}.png": image(n + 10 * (name == "b")) for name in "ab" for n in range(8)}
    write_files(tmp_path, {**files, "a/other.png": OTHERS[kind], "a/other.eps": OTHERS[kind]})
    plan = plan_ingest(str(tmp_path), IngestOptions(max_bad_fraction=0.5))
    rows = [row for table in inspected(plan) for row in table.to_pylist() if row["reason"]]
    reason = "is not an image in one of the formats BMP, GIF, JPEG, PNG, PPM, TIFF, WEBP"
    assert {row["id"]: row["reason"] for row in rows} == {"a/other.eps": reason, "a/other.png": reason}


@pytest.mark.parametrize("kind", FORMATS)
def test_the_known_formats_are_read(kind: str) -> None:
    assert open_rgb(saved(kind)).size == (9, 7)


def test_a_jpeg_of_several_pictures_is_read() -> None:
    assert open_rgb(saved("MPO", pages=3)).size == (9, 7)


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_compressed_text_without_end_is_not_unpacked(kind: bytes) -> None:
    packed = zlib.compress(bytes(50_000_000))
    content = b"k\0" + {b"iTXt": b"\1\0\0\0"}.get(kind, b"\0") + packed
    with pytest.raises(ValueError, match="Decompressed data too large"):
        open_rgb(png(chunk(kind, content)))


def test_many_compressed_texts_are_not_unpacked_either() -> None:
    packed = zlib.compress(bytes(1_000_000))
    texts = [chunk(b"zTXt", b"k%d\0\0" % n + packed) for n in range(100)]
    with pytest.raises(ValueError, match="Too much memory used in text chunks"):
        open_rgb(png(*texts))


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP", "PNG"])
def test_of_many_pictures_the_first_is_read(kind: str) -> None:
    content, started = saved(kind, pages=200), time.process_time()
    assert open_rgb(content).size == (9, 7)
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    "exif",
    [
        tags((0x8769, 4, 1, 8), (0x0112, 3, 1, 1)),  # its inner directory is itself
        tags(*((tag, 1, 2**31, 8) for tag in range(0xFFFF))),  # 65,535 values of 2 GB
    ],
    ids=["loop", "counts"],
)
@pytest.mark.parametrize("place", ["PNG", "JPEG", "TIFF"])
def test_metadata_without_end_costs_little(exif: bytes, place: str) -> None:
    segment = b"Exif\0\0" + exif[:65_000]
    start, rest = saved("JPEG")[:2], saved("JPEG")[2:]
    contents = {
        "PNG": png(chunk(b"eXIf", exif)),
        "JPEG": start + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + rest,
        "TIFF": exif,
    }
    started = time.process_time()
    with warnings.catch_warnings(), suppress(ValueError):
        warnings.simplefilter("ignore")
        open_rgb(contents[place])
    assert time.process_time() - started < 5


def test_what_a_damaged_image_warns_of_is_not_logged(tmp_path: Path) -> None:
    """In a process of its own, because pytest has its own filter of warnings."""
    content = png(chunk(b"eXIf", tags(*((tag, 1, 2**31, 8) for tag in range(100)))))
    (tmp_path / "a.png").write_bytes(content)
    program = (
        "import sys, pathlib, translearn.data.images.pixels as p; p.open_rgb(pathlib.Path(sys.argv[1]).read_bytes())"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "a.png")], capture_output=True, check=True)
    assert done.stderr == b""


def test_a_jpeg_that_repaints_itself_without_end_is_refused() -> None:
    content = saved("JPEG", progressive=True)
    scan = content[content.rindex(b"\xff\xda") : -2]
    assert open_rgb(content[:-2] + scan * 100 + content[-2:]).size == (9, 7)
    with pytest.raises(ValueError, match=r"^has 20\d\d scans, more than 1000$"):
        open_rgb(content[:-2] + scan * 2000 + content[-2:])


SEEDS = [*map(saved, FORMATS), saved("MPO", 2), saved("JPEG", progressive=True), saved("TIFF", compression="tiff_lzw")]
EDITS = st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 40), st.binary(max_size=8)), min_size=1, max_size=6)


@settings(max_examples=300, deadline=5000)
@given(st.sampled_from([*SEEDS, png(chunk(b"tEXt", b"k\0v")), png(interlace=1)]), EDITS)
def test_a_changed_image_is_decoded_or_raises_an_ordinary_error(
    content: bytes, edits: list[tuple[int, int, bytes]]
) -> None:
    for place, length, new in edits:
        at = place % len(content)
        content = content[:at] + new + content[at + length :] or b"\0"
    with warnings.catch_warnings(), suppress(Exception):  # of which ingest makes the reason
        warnings.simplefilter("ignore")
        open_rgb(content, Decoding(max_pixels=10**6))
