"""Every command, defined once: ``translearn <command>`` and ``python workflows/<command>.py`` are the same."""

from __future__ import annotations

import argparse
import json
import logging
import os
import shlex
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from translearn.config import IngestSpec, StudySpec, load_spec
from translearn.config.archs import num_stages
from translearn.errors import EXIT_BAD_INPUT, EXIT_DONE, EXIT_FAILED, InputError, TranslearnError, fault, raise_faults
from translearn.storage.uris import masked

if TYPE_CHECKING:
    from translearn.study.run import Study

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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return 0 when it is done, 1 when it failed, 2 when its input is bad."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "submit":
            return _submit(options)
        result = _ingest(options) if options.command == "ingest" else _study(options)
    except TranslearnError as error:
        return _failed(options, str(error), EXIT_BAD_INPUT if isinstance(error, InputError) else EXIT_FAILED)
    except Exception as error:  # a fault of ours or of Ray's: all of it is shown, and a script gets its line
        traceback.print_exc()
        return _failed(options, f"{type(error).__name__}: {error}", EXIT_FAILED)
    except KeyboardInterrupt:
        return _failed(options, "interrupted. Run the same command again to go on.", EXIT_FAILED)
    if options.json:
        print(json.dumps({"command": options.command, "status": "done", **result}))
    return EXIT_DONE


def _failed(options: argparse.Namespace, message: str, code: int) -> int:
    message = masked(message)  # an address that was mistyped may hold a password
    print(f"error: {message}", file=sys.stderr)
    if options.json:
        faults = message.splitlines()
        status = "bad input" if code == EXIT_BAD_INPUT else "failed"
        print(json.dumps({"command": options.command, "status": status, "faults": faults}))
    return code


def _ingest(options: argparse.Namespace) -> dict[str, Any]:
    _quiet()
    from translearn.cluster.session import session
    from translearn.data.ingest.options import IngestOptions
    from translearn.study.ingest import check_ingest, dry_run_ingest, run_ingest

    chosen = IngestOptions(
        split=tuple(options.split),
        max_bad_fraction=options.max_bad_fraction,
        drop_leaks=options.drop_leaks,
        limit_per_class=options.limit_per_class,
    )
    check_ingest(options.source, options.out, chosen)
    with session(options.address, dashboard=False):
        if not options.dry_run:
            return run_ingest(options.source, options.out, chosen)
        dry_run_ingest(options.source, chosen)
        return {"dry_run": True}


def _study(options: argparse.Namespace) -> dict[str, Any]:
    spec = load_spec(options.study, options.set)
    _check_finetune(options, spec)
    _quiet()  # heavy imports wait until the file is known to be good
    from translearn.cluster.session import session
    from translearn.cluster.tracking.console import say
    from translearn.study.planning.dry_run import dry_run
    from translearn.study.run import open_study, run_study

    work = _work(options)
    dashboard = not (options.no_dashboard or options.dry_run)
    with session(options.address, dashboard=dashboard) as url:
        if options.dry_run:
            dry_run(spec, run_study if options.command == "report" else work)
            return {"dry_run": True}
        if url:
            say(f"Ray dashboard: http://{url.removeprefix('http://')} (token: `ray get-auth-token`)")
        with open_study(spec, _command(options)) as study:
            return work(study)


def _submit(options: argparse.Namespace) -> int:
    """Pass the job's output through, its line of JSON too; print one of ours where the job has none."""
    from translearn.cluster.jobs.submit import address_of, submit
    from translearn.cluster.jobs.watch import how_to_attach, tell, watch

    if (options.study is None) == (options.attach is None):
        raise InputError("submit: must have either a study file or --attach JOB_ID. Give one of them.")
    logging.disable(logging.INFO)  # Ray tells of every upload
    job_id = options.attach
    if job_id is None:
        flags = [f"--{name.replace('_', '-')}" for name in ("dry_run", "json") if getattr(options, name)]
        where = address_of(options.address)
        job_id = submit(
            options.study,
            options.set,
            where,
            flags,
            announce=lambda job: tell(f"Job {job}. {how_to_attach(job, where)}"),
        )
    watched = watch(job_id, options.address)
    if watched.message:
        tell(watched.message)
    if options.json and not watched.last_line.startswith('{"command"'):
        print(json.dumps({"command": "submit", "status": watched.status, "job": job_id, "faults": [watched.message]}))
    return watched.code


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


def _check_finetune(options: argparse.Namespace, spec: StudySpec) -> None:
    if options.command != "finetune":
        return
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


def _command(options: argparse.Namespace) -> str:
    """Return the command that repeats the whole study, whichever of its commands comes first."""
    sets = [part for override in options.set for part in ("--set", override)]
    return shlex.join(["translearn", "run", options.study, *sets])


def _matrix_command(options: argparse.Namespace) -> str:
    """Return the command that repeats the matrix."""
    directory = ["--targets", options.targets] if options.targets else []
    named = [part for target in options.target for part in ("--target", target)]
    return f"{_command(options).replace(' run ', ' matrix ', 1)} {shlex.join([*directory, *named])}"


def _quiet() -> None:
    """Keep notices of libraries that no user can act on out of the output."""
    os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
    warnings.filterwarnings("ignore", category=FutureWarning, module="ray")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="translearn", description=sys.modules["translearn"].__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    ingest = commands.add_parser("ingest", help="make a data set of images")
    ingest.add_argument("source", metavar="SRC", help="a folder, a manifest, sklearn:digits, torchvision:NAME, ...")
    ingest.add_argument("out", metavar="OUT", help="the new data set's directory")
    defaults = IngestSpec()
    ingest.add_argument("--split", type=float, nargs=3, default=defaults.split, metavar=("TRAIN", "VAL", "TEST"))
    ingest.add_argument("--max-bad-fraction", type=float, default=defaults.max_bad_fraction, metavar="F")
    ingest.add_argument("--drop-leaks", action="store_true", help="leave out training images that val or test has too")
    ingest.add_argument("--limit-per-class", type=int, metavar="N", help="at most N images of each class and split")
    _common(ingest)
    for name, help_text in _STUDY_COMMANDS.items():
        command = commands.add_parser(name, help=help_text)
        command.add_argument("study", metavar="STUDY.yaml")
        command.add_argument("--set", action="append", default=[], metavar="a.b=c", help="override a field")
        command.add_argument("--no-dashboard", action="store_true", help="start a local Ray without its dashboard")
        _common(command)
        if name == "pretrain":
            command.add_argument("--source", metavar="NAME", help="only this source")
        if name == "finetune":
            command.add_argument("--source", required=True, metavar="NAME", help="a source of the study, or scratch")
            command.add_argument("--freeze-depth", type=int, default=0, metavar="D")
            command.add_argument("--lr", type=float, required=True, metavar="LR")
        if name == "matrix":
            command.add_argument("--targets", metavar="DIR", help="a directory: each data set in it is a target")
            command.add_argument("--target", action="append", default=[], metavar="NAME=DATA", help="one more target")
    submit = commands.add_parser("submit", help="the whole study as a job of a Ray cluster, watched until it ends")
    submit.add_argument("study", metavar="STUDY.yaml", nargs="?")
    submit.add_argument("--set", action="append", default=[], metavar="a.b=c", help="override a field")
    submit.add_argument("--attach", metavar="JOB_ID", help="watch a job that was submitted before")
    _common(submit)
    return parser


def _common(command: argparse.ArgumentParser) -> None:
    command.add_argument("--dry-run", action="store_true", help="check everything, then try it on a tiny sample")
    command.add_argument("--json", action="store_true", help="end with one line of JSON")
    command.add_argument("--address", metavar="ADDRESS", help="a Ray cluster; default: RAY_ADDRESS, else a local Ray")


if __name__ == "__main__":
    sys.exit(main())
