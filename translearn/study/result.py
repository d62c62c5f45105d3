"""The result of a study that is done, read from its directory."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import pyarrow as pa

from translearn.deploy.model import Model, load_model
from translearn.errors import InputError, fault
from translearn.report.brief import render_brief
from translearn.storage.folder import Folder
from translearn.study import directory


class Result:
    """The result of a study; in a notebook it shows its summary.

    Attributes:
        uri: The study's directory.
        evaluation: Every figure with its interval: the content of ``evaluation.json`` (docs/evaluation.md).
    """

    uri: str
    evaluation: dict[str, Any]

    def __init__(self, folder: Folder) -> None:
        """Open a study's directory. Raises InputError where there is no study that is done."""
        if not folder.exists(directory.EVALUATION):
            rule = f"must be the directory of a study that is done, with {directory.EVALUATION}"
            raise InputError(fault(folder.uri, rule, "none", "Run the study, or name <storage>/<name>."))
        self._folder, self.uri = folder, folder.uri
        self.evaluation = folder.read_json(directory.EVALUATION)

    @property
    def verdict(self) -> str:
        """The verdict on transfer, for example ``helped``, ``hurt`` or ``no difference shown``."""
        return str(self.evaluation["verdict"]["verdict"])

    @property
    def summary(self) -> list[str]:
        """The closing lines of the command; the last is the verdict."""
        return [str(line) for line in self.evaluation["summary"]]

    @cached_property
    def trials(self) -> pa.Table:
        """A row a trial of the search; ``.to_pandas()`` makes it a data frame."""
        return self._folder.read_table(directory.TRIALS)

    @cached_property
    def curves(self) -> pa.Table:
        """A row an epoch of every trial, refit and pre-training."""
        return self._folder.read_table(directory.CURVES)

    @cached_property
    def model(self) -> Model:
        """The model of the winner, loaded when it is first asked for."""
        return load_model((self._folder / directory.MODEL).uri)

    @property
    def report(self) -> str:
        """The place of ``report.html``."""
        return self._folder.address(directory.REPORT)

    def __repr__(self) -> str:
        return f"<Result of {self.uri}: {self.verdict}>"

    def _repr_html_(self) -> str:
        return render_brief(self.evaluation, {"Report": self.report, "Model": (self._folder / directory.MODEL).uri})
