"""MLflow's client, which is an extra, and whether its server is there."""

from __future__ import annotations

import os
from typing import Any

from translearn.cluster.outbox import one_line
from translearn.errors import fault
from translearn.storage.uris import masked

# By default a request is tried for minutes, and MLflow's makers are told that it is used.
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_FIELD = "cluster.mlflow"
_EXTRA = "Run `pip install -c constraints.txt 'translearn[mlflow]'`, or leave it out: --set cluster.mlflow=null."
_START = "Start it, see to MLFLOW_TRACKING_USERNAME and _PASSWORD, or leave it out: --set cluster.mlflow=null."


def connect(address: str) -> Any:
    """MLflow's client of a tracking address. Raises ImportError without the package."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient  # takes seconds to import

    return MlflowClient(tracking_uri=address)


def mlflow_faults(address: str | None, experiment: str) -> list[str]:
    """A line where a study could not be sent: no package, no server, or its experiment is in the trash."""
    if address is None:
        return []
    try:
        found = connect(address).get_experiment_by_name(experiment)
    except ImportError:
        return [fault(_FIELD, "needs the extra mlflow", "an environment without it", _EXTRA)]
    except Exception as error:  # its own, its libraries', its databases'
        shown = f"{masked(repr(address))} ({masked(one_line(error))})"
        return [fault(_FIELD, "must be an MLflow server that answers", shown, _START)]
    if found and found.lifecycle_stage == "deleted":
        remedy = f"Restore it, as with `mlflow experiments restore -x {found.experiment_id}`, or rename the study."
        return [fault(_FIELD, f"its experiment {experiment!r} must not be deleted", "one in MLflow's trash", remedy)]
    return []
