"""``translearn submit``."""

from __future__ import annotations

import argparse
import json
import logging

from translearn.cli.options import Commands, add_common, add_study, add_time, time_override
from translearn.cluster.jobs.reach import check_reachable
from translearn.config import load_spec
from translearn.errors import InputError


def add(commands: Commands) -> None:
    """Add the command."""
    submit = commands.add_parser("submit", help="the whole study as a job of a Ray cluster, watched until it ends")
    submit.set_defaults(do=_submit)
    add_study(submit, nargs="?")
    submit.add_argument("--attach", metavar="JOB_ID", help="watch a job that was submitted before")
    add_common(submit)
    add_time(submit)


def _submit(options: argparse.Namespace) -> int:
    """Pass the job's output through, its line of JSON too; print one of ours where the job has none."""
    if (options.study is None) == (options.attach is None):
        raise InputError("submit: must have either a study file or --attach JOB_ID. Give one of them.")
    options.set += time_override(options)
    if options.study:
        spec = load_spec(options.study, options.set, as_written=True)
        check_reachable(spec)  # before Ray is imported, which takes seconds
    from translearn.cluster.jobs.connection import address_of
    from translearn.cluster.jobs.submit import submit
    from translearn.cluster.jobs.watch import how_to_attach, tell, watch

    logging.disable(logging.INFO)  # Ray tells of every upload
    job_id = options.attach
    if job_id is None:
        flags = [f"--{name.replace('_', '-')}" for name in ("dry_run", "json") if getattr(options, name)]
        where = address_of(options.address)
        job_id = submit(
            options.study,
            options.set,
            options.address,
            flags,
            announce=lambda job: tell(f"Job {job}. {how_to_attach(job, where)}"),
        )
    watched = watch(job_id, options.address)
    if watched.message:
        tell(watched.message)
    if options.json and not watched.last_line.startswith('{"command"'):
        print(json.dumps({"command": "submit", "status": watched.status, "job": job_id, "faults": [watched.message]}))
    return watched.code
