"""The study file: its models, rules and loading. All faults are reported at once, before anything expensive starts."""

from translearn.config.check import parse_spec
from translearn.config.file import load_spec
from translearn.config.study import (
    SCRATCH,
    ClusterSpec,
    IngestSpec,
    LimitsSpec,
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
    "LimitsSpec",
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
