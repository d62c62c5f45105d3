"""A study file and what it says. Its every fault is found at once, before anything expensive starts."""

from translearn.config.check import parse_spec
from translearn.config.file import load_spec
from translearn.config.study import (
    SCRATCH,
    ClusterSpec,
    IngestSpec,
    MlflowSpec,
    PretrainSpec,
    RankSpec,
    RefitSpec,
    SearchSpec,
    SourceSpec,
    StudySpec,
    TargetSpec,
    TrackersSpec,
    TrainSpec,
    WandbSpec,
)

__all__ = [
    "SCRATCH",
    "ClusterSpec",
    "IngestSpec",
    "MlflowSpec",
    "PretrainSpec",
    "RankSpec",
    "RefitSpec",
    "SearchSpec",
    "SourceSpec",
    "StudySpec",
    "TargetSpec",
    "TrackersSpec",
    "TrainSpec",
    "WandbSpec",
    "load_spec",
    "parse_spec",
]
