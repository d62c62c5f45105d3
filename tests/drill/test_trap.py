"""A trap springs once, at its match, in whichever of its processes comes there."""

from __future__ import annotations

import json
import multiprocessing
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from translearn.drill.hook import epoch_name
from translearn.drill.trap import HIT, Snare, Trap

THIRD = Trap("placed", r"\.json$", "ask", 3)


def snare(folder: Path, *traps: Trap) -> Snare:
    made = Snare(traps, str(folder))
    return Snare.read(made.write())


def springs(made: Snare, *paths: str) -> list[bool]:
    """Which of the paths spring a trap; all questions are answered."""
    for index in range(len(made.traps)):
        made.answer(index)
    return [_springs(made, path) for path in paths]


def _springs(made: Snare, path: str) -> bool:
    before = made.told.count(HIT)
    made.step("placed", path)
    return made.told.count(HIT) > before


def test_it_springs_at_the_match_that_it_is_for_and_not_at_others(tmp_path: Path) -> None:
    made = snare(tmp_path, THIRD)
    assert made.traps == (THIRD,)
    made.step("opened", "a.json")  # another event
    assert springs(made, "a.json", "b.parquet", "b.json", "c.json", "d.json") == [False, False, False, True, False]


def test_one_that_lasts_springs_at_all_later_ones(tmp_path: Path) -> None:
    lasting = Trap("placed", r"\.json$", "ask", 2, lasts=True)
    assert springs(snare(tmp_path, lasting), *["a.json"] * 4) == [False, True, True, True]


def test_a_trap_counts_its_matches_when_the_one_before_it_has_sprung(tmp_path: Path) -> None:
    made = snare(tmp_path, THIRD, Trap("placed", "b", "ask", 2))
    assert springs(made, "a.json", "b.json", "c.json") == [False, False, True]
    assert springs(made, "b", "b") == [False, True]
    assert set(made.victims) == {0, 1}
    assert made.told == [HIT, HIT]


def _step(made: Snare) -> None:
    springs(made, *["a.json"] * 50)


def test_matches_are_counted_over_all_processes(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    made = snare(tmp_path, Trap("placed", "a", "ask", 77))
    processes = [context.Process(target=_step, args=(made,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert made.told == [HIT]
    assert len(list(tmp_path.glob("match-0-*"))) == 100


def test_who_asks_waits_for_the_answer(tmp_path: Path) -> None:
    made, gone_on = snare(tmp_path, Trap("epoch", "^search/", "ask")), threading.Event()
    name = epoch_name("search", "a", 1, 0, 2)
    thread = threading.Thread(target=lambda: (made.step("epoch", name), gone_on.set()))
    thread.start()
    while not made.victims:
        time.sleep(0.01)
    assert not gone_on.is_set()
    made.answer()
    thread.join(10)
    assert gone_on.is_set()


def test_the_answer_to_one_is_not_the_answer_to_the_next(tmp_path: Path) -> None:
    asking = Trap("epoch", "^search/", "ask")
    made, gone_on = snare(tmp_path, asking, asking), threading.Event()
    name = epoch_name("search", "a", 1, 0, 1)

    def train() -> None:
        made.step("epoch", name)
        gone_on.set()

    thread = threading.Thread(target=train)
    thread.start()
    while 0 not in made.victims:
        time.sleep(0.01)
    made.answer(0)
    while 1 not in made.victims:
        time.sleep(0.01)
    assert not gone_on.wait(0.2)
    made.answer(1)
    thread.join(10)
    assert gone_on.is_set()


def test_epochs_are_written_down_in_their_order(tmp_path: Path) -> None:
    made = snare(tmp_path)
    assert made.told == []
    for epoch in (1, 2):
        made.tell(epoch_name("refit", "a", epoch, 0, 1))
        made.step("epoch", epoch_name("refit", "a", epoch, 0, 1))
    assert made.told == ["refit/a/1/rank0/of1", "refit/a/2/rank0/of1"]
    assert made.victims == {}


# The process in which a trap is set is a new one: audit hooks stay.
PLACE = """
import sys
from pathlib import Path
from translearn.drill.hook import install
from translearn.drill.trap import Snare
from translearn.storage.folder import Folder
install(Snare.read(Path(sys.argv[1])))
for name in sys.argv[3:]:
    Folder.open(sys.argv[2]).write_bytes(name, b"whole")
"""


def placed(tmp_path: Path, trap: Trap, *names: str) -> tuple[int, list[str], str]:
    file = Snare((trap,), str(tmp_path / "snare")).write()
    command = [sys.executable, "-c", PLACE, str(file), str(tmp_path / "out"), *names]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    left = sorted(path.name for path in (tmp_path / "out").iterdir())
    return done.returncode, left, done.stderr


def test_a_process_dies_with_its_file_written_and_not_yet_in_place(tmp_path: Path) -> None:
    code, left, _ = placed(tmp_path, Trap("placed", r"/b\.json$"), "a.json", "b.json", "c.json")
    assert code == -signal.SIGKILL
    assert left[1:] == ["a.json"]
    assert left[0].startswith(".b.json.")
    assert (tmp_path / "out" / left[0]).read_bytes() == b"whole"


COUNT = """
import sys
from pathlib import Path
from types import SimpleNamespace as Some
from translearn.drill.hook import install
from translearn.drill.trap import Snare
install(Snare.read(Path(sys.argv[1])))
import translearn.cluster.heat as heat
heat._row.__wrapped__.__code__ = (lambda order, place, result, marks, team: {"run": "a", "epoch": result}).__code__
order = Some(heat=Some(is_replay=False, contestants=(1, 2)))
for rank in (0, 1):
    heat._row(order, 0, 7, None, Some(rank=rank))
"""


def test_an_epoch_is_counted_once_though_each_worker_has_it(tmp_path: Path) -> None:
    file = Snare((Trap("epoch", "^search/a/7/rank1/of2$"),), str(tmp_path)).write()
    done = subprocess.run([sys.executable, "-c", COUNT, str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert Snare.read(tmp_path / "snare.json").told == ["search/a/7/rank0/of2", HIT]
    assert json.loads((tmp_path / "snare.json").read_text())["traps"][0]["pattern"] == "^search/a/7/rank1/of2$"
