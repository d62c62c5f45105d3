"""The commands on a study file."""

from __future__ import annotations

import argparse
import shlex
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from translearn.cli.options import Commands, add_common, add_study, add_time, quiet, time_override
from translearn.config import StudySpec, load_spec
from translearn.errors import fault, raise_faults

if TYPE_CHECKING:
    from translearn.study.opening import Study
    from translearn.study.planning.look import Size

_STUDY_COMMANDS = {
    "run": "the whole study: sources, search, refit, evaluation, report",
    "pretrain": "pre-train the study's sources, or one of them",
    "rank": "which source to start from, and how much of it to freeze, before any trial",
    "finetune": "one source, freeze depth and learning rate on the target",
    "search": "trials over source, freeze depth and learning rate",
    "evaluate": "everything up to the figures on test",
    "report": "write report.html from what the study has",
    "matrix": "every source of the study on every one of several targets",
}


def add(commands: Commands) -> None:
    """Add the commands."""
    for name, help_text in _STUDY_COMMANDS.items():
        command = commands.add_parser(name, help=help_text)
        command.set_defaults(do=_study)
        add_study(command, help_text="a study file; or images, for which one is written")
        command.add_argument("--no-dashboard", action="store_true", help="start a local Ray without its dashboard")
        add_common(command)
        if name == "run":
            add_time(command)
        if name == "pretrain":
            command.add_argument("--source", metavar="NAME", help="only this source")
        if name == "finetune":
            command.add_argument("--source", required=True, metavar="NAME", help="a source of the study, or scratch")
            command.add_argument("--freeze-depth", type=int, default=0, metavar="D")
            command.add_argument("--lr", type=float, required=True, metavar="LR")
        if name == "matrix":
            command.add_argument("--targets", metavar="DIR", help="a directory: each data set in it is a target")
            command.add_argument("--target", action="append", default=[], metavar="NAME=DATA", help="one more target")


def _study(options: argparse.Namespace) -> dict[str, Any]:
    options.began = time.monotonic()
    options.set += time_override(options)
    options.study = _study_file(options.study)
    spec = load_spec(options.study, options.set)
    _check_pretrain(options, spec)
    _check_finetune(options, spec)
    _check_matrix(options, spec)
    sizes, told = _looked(options, spec)
    if told:
        return told
    quiet()  # heavy imports wait until all is known to be good that a look at local files can tell
    from translearn.cluster.session import session

    dashboard = not (options.no_dashboard or options.dry_run)
    with session(options.address, dashboard=dashboard) as url:  # torch is imported meanwhile
        return _at_work(options, spec, sizes, url)


def _study_file(given: str) -> str:
    """Return a study file as it is given, and that of a source of images, which is written where there is none."""
    from translearn.study.start.file import found_or_init, names_images

    if not names_images(given):
        return given
    path, said = found_or_init(given)
    print(said, flush=True)
    return str(path)


def _at_work(options: argparse.Namespace, spec: StudySpec, sizes: dict[str, Size], url: str) -> dict[str, Any]:
    """Do the work of a command; ``url`` is that of Ray's dashboard."""
    from translearn.cluster.start.ahead import import_ahead

    if options.command != "report":
        import_ahead()
    from translearn.cluster.tracking.console import say
    from translearn.study.opening import open_study
    from translearn.study.planning.dry_run import dry_run
    from translearn.study.run import run_study

    work = _work(options)
    if options.dry_run:
        dry_run(spec, run_study if options.command == "report" else work, sizes)
        return {"dry_run": True}
    if url:
        say(f"Ray dashboard: http://{url.removeprefix('http://')} (token: `ray get-auth-token`)")
    with open_study(spec, _command(options), known=sizes, began=options.began) as study:
        return work(study)


def _looked(options: argparse.Namespace, spec: StudySpec) -> tuple[dict[str, Size], dict[str, Any] | None]:
    """Return the sizes of the local data sets; where the study is done, also what it tells at its end."""
    from translearn.storage.folder import Folder
    from translearn.study.done import check_evaluated, ended
    from translearn.study.planning.look import look

    folder = Folder.open(spec.storage) / spec.name
    print(f"study: {folder.uri}", flush=True)
    if options.command == "run" and not options.dry_run and (told := ended(spec)):
        print(f"{spec.name} is done: report {told['report']}, model {told['model']}")
        return {}, told
    if options.command == "report" and not options.dry_run:
        check_evaluated(folder)
    return look(spec, alone=not options.dry_run), None


def _work(options: argparse.Namespace) -> Callable[[Study], dict[str, Any]]:
    from translearn.study import run
    from translearn.study.matrix import matrix

    return {
        "run": run.run_study,
        "rank": run.run_rank,
        "pretrain": lambda study: run.run_pretrain(study, options.source),
        "finetune": lambda study: run.run_finetune(study, options.source, options.freeze_depth, options.lr),
        "search": run.run_search,
        "evaluate": run.run_evaluate,
        "report": run.run_report,
        "matrix": lambda study: matrix.run_matrix(
            study, matrix.find_targets(study.spec, options.targets, options.target), _matrix_command(options)
        ),
    }[str(options.command)]


def _check_pretrain(options: argparse.Namespace, spec: StudySpec) -> None:
    names = [source.name for source in spec.sources]
    if options.command == "pretrain" and options.source not in (None, *names):
        rule = f"must be one of {', '.join(names)}"
        raise_faults([fault("--source", rule, repr(options.source), "See the study file.")])


def _check_finetune(options: argparse.Namespace, spec: StudySpec) -> None:
    if options.command != "finetune":
        return
    from translearn.models.backbones.stages import num_stages

    archs = {source.name: source.arch for source in spec.sources}
    archs |= {spec.scratch_name(arch): arch for arch in spec.archs}
    faults = []
    if options.source not in archs:
        faults.append(fault("--source", f"must be one of {', '.join(archs)}", repr(options.source), ""))
    elif not 0 <= options.freeze_depth <= num_stages(archs[options.source]):
        rule = f"must be from 0 to {num_stages(archs[options.source])}, the number of stages in {archs[options.source]}"
        faults.append(fault("--freeze-depth", rule, options.freeze_depth, "The highest is a linear probe."))
    if not options.lr > 0:
        faults.append(fault("--lr", "must be greater than 0", options.lr, ""))
    raise_faults(faults)


def _check_matrix(options: argparse.Namespace, spec: StudySpec) -> None:
    if options.command == "matrix" and spec.time_budget_s is not None:
        rule, remedy = "must be null for a matrix", "Lower search.trials, search.epochs and refit.epochs instead."
        raise_faults([fault("time_budget_s", rule, f"{spec.time_budget_s:g}", remedy)])


def _command(options: argparse.Namespace) -> str:
    """Return the command that repeats the whole study, whichever of its commands comes first."""
    sets = [part for override in options.set for part in ("--set", override)]
    return shlex.join(["translearn", "run", options.study, *sets])


def _matrix_command(options: argparse.Namespace) -> str:
    """Return the command that repeats the matrix."""
    directory = ["--targets", options.targets] if options.targets else []
    named = [part for target in options.target for part in ("--target", target)]
    return f"{_command(options).replace(' run ', ' matrix ', 1)} {shlex.join([*directory, *named])}"
