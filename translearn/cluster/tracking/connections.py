"""The connections to MLflow and Weights & Biases that a command of a study has; no failure of theirs ends the study."""

from __future__ import annotations

import hashlib
import http.client
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from typing import Any, Protocol

from translearn.cluster.tracking.background import Background, one_line
from translearn.cluster.tracking.console import say
from translearn.config import MlflowSpec, StudySpec, WandbSpec
from translearn.errors import fault
from translearn.storage.uris import masked

_REACH_TIMEOUT_S, _CLOSE_TIMEOUT_S, _INTERRUPTED_TIMEOUT_S = 5.0, 60.0, 10.0
_NAMES = {"mlflow": "MLflow", "wandb": "W&B"}
# By default MLflow tries a request for minutes, and tells its makers that it is used.
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


class Tracker(Protocol):
    """The part of a logger callback of Ray that is used, and what ours add."""

    def setup(self) -> None:
        """Connect to the server."""

    def log_trial_start(self, trial: Any) -> None:
        """Begin a run."""

    def log_trial_result(self, iteration: int, trial: Any, result: dict[str, Any]) -> None:
        """Log figures of an epoch; ``training_iteration`` is among them."""

    def log_trial_end(self, trial: Any, failed: bool = False) -> None:
        """End a run."""

    def add_texts(self, trial: Any, texts: Mapping[str, str]) -> None:
        """Add texts to a run that has begun."""

    def interrupt(self) -> None:
        """End the runs that have not ended as killed."""


_study = ""
_connected: list[tuple[Tracker, Background]] = []


def submit(study: str, call: Callable[[Tracker], object]) -> None:
    """Make a call to each tracker in the background; do nothing where no command of this study is connected."""
    for tracker, background in _connected if study == _study else ():
        background.submit(partial(call, tracker))


@contextmanager
def tracking(spec: StudySpec, folder: str, started: str) -> Iterator[None]:
    """Connect a study to its trackers as long as the block runs.

    A server that does not answer is named in a warning, and the study goes on without it.

    Args:
        spec: The study.
        folder: Where its directory is.
        started: When it began; with ``folder`` this distinguishes the study from others of the same name.
    """
    global _study
    identity = hashlib.sha256(f"{folder} {started}".encode()).hexdigest()[:16]
    _study, _connected[:] = spec.name, _connections(spec, identity)
    try:
        yield
    except BaseException:
        submit(spec.name, lambda tracker: tracker.interrupt())
        _close(_INTERRUPTED_TIMEOUT_S)
        raise
    else:
        _close(_CLOSE_TIMEOUT_S)
    finally:
        _connected.clear()


def tracker_faults(spec: StudySpec) -> list[str]:
    """Return a line for each tracker whose extra is not installed, and for W&B without an API key."""
    missing = [name for name in _asked(spec) if not _is_installed(name)]
    faults = [
        fault(
            f"cluster.trackers.{name}",
            f"needs the extra {name}",
            "an environment without it",
            f"Run `pip install -c constraints.txt 'translearn[{name}]'`, or leave it out: "
            f"--set cluster.trackers.{name}=null.",
        )
        for name in missing
    ]
    wandb = spec.cluster.trackers.wandb
    return faults + (_key_faults(wandb) if wandb and "wandb" not in missing else [])


def _asked(spec: StudySpec) -> list[str]:
    return [name for name in _NAMES if getattr(spec.cluster.trackers, name) is not None]


def _is_installed(name: str) -> bool:
    found = find_spec(name)
    return found is not None and found.origin is not None  # a folder `wandb` of old runs has no origin


def _key_faults(spec: WandbSpec) -> list[str]:
    import wandb

    got = "none"
    try:
        if not _is_online(spec) or wandb.login(prompt=False, verify=False):
            return []
    except wandb.Error as error:
        got = f"a bad one ({one_line(error)})"
    remedy = "Run `wandb login`, set WANDB_API_KEY, or set cluster.trackers.wandb.mode=offline."
    return [fault("cluster.trackers.wandb", "needs an API key", got, remedy)]


def _is_online(spec: WandbSpec) -> bool:
    import wandb

    return (spec.mode or wandb.setup().settings.mode) not in ("offline", "dryrun", "disabled")


def _connections(spec: StudySpec, identity: str) -> list[tuple[Tracker, Background]]:
    found = []
    for name in _asked(spec):
        own = getattr(spec.cluster.trackers, name)
        server, what = _mlflow_place(own, spec.name) if name == "mlflow" else _wandb_place(own, spec.name)
        if server.startswith("http") and (why := _unreachable(server)):
            _warn(name, f"{server} does not answer ({why})")
            continue
        say(f"{_NAMES[name]}: {what}")
        tracker, background = _tracker(own, spec.name, identity), Background(partial(_warn, name))
        background.submit(tracker.setup)
        found.append((tracker, background))
    return found


def _mlflow_place(spec: MlflowSpec, study: str) -> tuple[str, str]:
    return spec.tracking_uri, f"experiment {spec.experiment or study} at {spec.tracking_uri}"


def _wandb_place(spec: WandbSpec, study: str) -> tuple[str, str]:
    import wandb

    server = wandb.setup().settings.base_url if _is_online(spec) else "files of this machine, for `wandb sync`"
    return server, f"project {spec.project or study} at {server}"


def _tracker(spec: MlflowSpec | WandbSpec, study: str, identity: str) -> Tracker:
    """Return a tracker; its library takes seconds to import."""
    if isinstance(spec, MlflowSpec):
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        from translearn.cluster.tracking.mlflow_tracker import MlflowTracker

        return MlflowTracker(spec, study, identity)
    from translearn.cluster.tracking.wandb_tracker import WandbTracker

    return WandbTracker(spec, study, identity)


def _unreachable(server: str) -> str:
    """Return why a server does not answer; empty where it does, be it with an error."""
    try:
        urllib.request.urlopen(server, timeout=_REACH_TIMEOUT_S).close()
    except urllib.error.HTTPError:
        return ""
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        return "" if isinstance(reason, ssl.SSLError) else one_line(reason)  # a library may know other certificates
    return ""


def _close(timeout_s: float) -> None:
    for _, background in _connected:
        background.close(timeout_s)


def _warn(name: str, why: str) -> None:
    say(f"warning: {_NAMES[name]}: {masked(why).rstrip('.')}. Nothing more is sent to it; the study goes on.")
