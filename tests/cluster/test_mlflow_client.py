"""Whether a study can be sent to MLflow, looked at before anything starts."""

from __future__ import annotations

import socket
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow_fake import FakeMlflow

from translearn.cluster import mlflow_client
from translearn.cluster.mlflow_client import mlflow_faults


def answering(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow_client, "connect", lambda address: server)


def test_without_an_address_nothing_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    assert mlflow_faults(None, "pets") == []


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    assert mlflow_faults("http://127.0.0.1:5000", "pets") == [
        "cluster.mlflow: needs the extra mlflow, but got an environment without it. Run `pip install -c "
        "constraints.txt 'translearn[mlflow]'`, or leave it out: --set cluster.mlflow=null."
    ]


def test_a_server_that_does_not_answer_is_one_fault() -> None:
    pytest.importorskip("mlflow", reason="an extra, which `make test-all` installs")
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        (line,) = mlflow_faults(address, "pets")
    assert line.startswith(f"cluster.mlflow: must be an MLflow server that answers, but got '{address}' (")
    assert line.endswith(
        "Start it, see to MLFLOW_TRACKING_USERNAME and _PASSWORD, or leave it out: --set cluster.mlflow=null."
    )
    assert "\n" not in line


def test_what_a_server_says_is_shown_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeMlflow()
    monkeypatch.setattr(
        server, "get_experiment_by_name", lambda name: (_ for _ in ()).throw(OSError("http://u:hidden@h is\nbusy"))
    )
    answering(server, monkeypatch)
    (line,) = mlflow_faults("http://h", "pets")
    assert "(http://***@h is busy)" in line


def test_an_experiment_in_the_trash_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeMlflow()
    answering(server, monkeypatch)
    assert mlflow_faults("http://h", "pets") == []
    server.experiments["pets"] = SimpleNamespace(experiment_id="7", lifecycle_stage="deleted")
    assert mlflow_faults("http://h", "pets") == [
        "cluster.mlflow: its experiment 'pets' must not be deleted, but got one in MLflow's trash. Restore it, as with "
        "`mlflow experiments restore -x 7`, or rename the study."
    ]
