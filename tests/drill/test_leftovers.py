"""What is left behind is found: files, processes that hold one, shared memory that nobody has open."""

from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path

from translearn.drill.leftovers import files, shared_memory, stray_files, stray_memory, stray_processes


def made(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_files_that_the_undisturbed_study_has_not_are_strays(tmp_path: Path) -> None:
    reference = made(tmp_path / "a", "s/trials.parquet", "s/tensorboard/x/events.out.tfevents.1.host")
    other = made(
        tmp_path / "b",
        *("s/trials.parquet", "s/.model.json.0a1b.part", "s/search/states/1.pt"),
        *("s/tensorboard/x/events.out.tfevents.1.host", "s/tensorboard/x/events.out.tfevents.2.host"),
    )
    assert files(reference) == {"s/trials.parquet", "s/tensorboard/x/events"}
    assert stray_files(reference, files(reference)) == []
    assert stray_files(other, files(reference)) == ["file b/s/.model.json.0a1b.part", "file b/s/search/states/1.pt"]


def test_a_process_that_holds_a_file_is_found_and_gone_when_it_ends(tmp_path: Path) -> None:
    script = "import sys; file = open(sys.argv[1], 'w'); print('ready', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", script, str(tmp_path / "log")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdin
        process.stdout.readline()
        found = stray_processes(tmp_path)
        assert len(found) == 1
        assert found[0].startswith(f"process {process.pid} {sys.executable} -c")
        process.stdin.close()
    assert stray_processes(tmp_path) == []


def test_shared_memory_is_stray_when_it_is_new_and_nobody_has_it_open() -> None:
    before, file = shared_memory(), Path("/dev/shm") / f"drill-test-{uuid.uuid4().hex}"
    try:
        with file.open("wb"):
            assert f"shared memory {file.name}" not in stray_memory(before)
        assert f"shared memory {file.name}" in stray_memory(before)
        assert f"shared memory {file.name}" not in stray_memory(shared_memory())
    finally:
        file.unlink()
