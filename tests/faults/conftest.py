"""One simulated cluster for all faults, undisturbed studies to compare with, and the table of what they cost."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator

import pytest
from faults import Fault, mount
from outcome import differences, files
from scene import Scene, scene, shared_memory
from tiny_study import FaultError, TinyStudy

_GRACE_S = 20.0
_HEAD = "| Fault | Points, in turn | Equal | Epochs lost | Commands | Seconds | Leftovers |\n|{}".format("---|" * 7)


@pytest.fixture(scope="session")
def the_scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    with scene() as found:
        _tell(request, _HEAD)
        yield found


@pytest.fixture(scope="session")
def undisturbed(the_scene: Scene) -> Callable[[bool], TinyStudy]:
    """Return what gives the study that no fault met, the whole or the small one; each runs once."""
    kept: dict[bool, TinyStudy] = {}

    def study(whole: bool) -> TinyStudy:
        if whole not in kept:
            kept[whole] = TinyStudy(the_scene, the_scene.folder / f"undisturbed-{whole}", whole)
            kept[whole].finish()
            assert kept[whole].num_commands == 1, kept[whole].output
        return kept[whole]

    return study


@pytest.fixture
def meet(the_scene: Scene, undisturbed: Callable, request: pytest.FixtureRequest) -> Iterator[Callable]:
    """Return what lets a study meet a fault, and returns what is not as promised, a line each."""
    studies: list[TinyStudy] = []

    def met(fault: Fault) -> list[str]:
        reference = undisturbed(fault.whole)
        reference.settle()
        before = _left(reference)
        studies.append(study := TinyStudy(the_scene, the_scene.folder / fault.name, fault.whole))
        if fault.own_disk:
            try:
                mount(study)
            except (OSError, subprocess.CalledProcessError):
                pytest.skip("needs the right to mount disks")
        began = time.monotonic()
        problems, lost = _problems(fault, study, reference), study.lost()
        seconds, deadline = time.monotonic() - began, time.monotonic() + _GRACE_S
        while (left := _left(study) - before) and time.monotonic() < deadline:
            time.sleep(0.5)  # Ray ends what a driver leaves a little later
        points, num_lost = "; ".join(blow.point for blow in fault.blows), sum(one.total() for one in lost)
        figures = "NO" if problems else "yes", num_lost, study.num_commands, f"{seconds:.0f}", len(left)
        _tell(request, f"| {' | '.join(map(str, (fault.name, points, *figures)))} |")
        too_many = [one for one in lost if max(one.values(), default=0) > fault.may_repeat]
        return [*problems, *(f"trained again: {dict(one)}" for one in too_many), *(f"left: {one}" for one in left)]

    yield met
    for study in studies:
        study.remove()
        the_scene.cluster("mend")


def _problems(fault: Fault, study: TinyStudy, reference: TinyStudy) -> list[str]:
    """Let a study meet a fault; return what is not as it would be undisturbed, a line each."""
    try:
        for blow in fault.blows:
            study.reach(blow.pattern, blow.number)
            blow.strike(study)
        study.finish()
        return differences(reference.directory, study.directory)
    except FaultError as error:
        return [str(error)]


def _tell(request: pytest.FixtureRequest, line: str) -> None:
    """Print a line of the table at once: all faults take long."""
    plugins = request.config.pluginmanager
    with plugins.get_plugin("capturemanager").global_and_fixture_disabled():
        reporter = plugins.get_plugin("terminalreporter")
        reporter.ensure_newline()
        reporter.write_line(line)


def _left(study: TinyStudy) -> set[str]:
    """Actors, placement groups, processes, files of the study, temporary files, and shared memory that nobody has."""
    scene = study.scene
    return {*scene.leftovers(), *files(study.home), *files(scene.folder / "t"), *shared_memory()}
