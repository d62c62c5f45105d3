"""A study file and what it says. Its every fault is found at once, before anything expensive starts."""

from translearn.config.check import parse_spec
from translearn.config.file import load_spec
from translearn.config.study import (
    SCRATCH,
    ClusterSpec,
    IngestSpec,
    PretrainSpec,
    RankSpec,
    RefitSpec,
    SearchSpec,
    SourceSpec,
    StudySpec,
    TargetSpec,
    TrainSpec,
)

__all__ = [
    "SCRATCH",
    "ClusterSpec",
    "IngestSpec",
    "PretrainSpec",
    "RankSpec",
    "RefitSpec",
    "SearchSpec",
    "SourceSpec",
    "StudySpec",
    "TargetSpec",
    "TrainSpec",
    "load_spec",
    "parse_spec",
]
