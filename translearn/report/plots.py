"""Which plots a study's record has content for. Here matplotlib is loaded, so only a report imports it."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from translearn.report import curve_plots, error_plots
from translearn.report.figure import MUTED, colours
from translearn.report.record import StudyRecord
from translearn.report.trial_plot import trial_plot


def plots(study: StudyRecord) -> dict[str, Markup]:
    """Name to ``<svg>``; a plot without content is left out."""
    trials, curves = study.trials.to_pylist(), study.curves.to_pylist()
    by_source = colours([row["name"] for row in study.sources.to_pylist()] + [t["source"] for t in trials])
    found = _error_plots(study.evaluation, by_source) | _curve_plots(study.evaluation, trials, curves, by_source)
    if trials:
        used = {name: colour for name, colour in by_source.items() if name in {t["source"] for t in trials}}
        found["trials"] = trial_plot(trials, used, study.evaluation["winner"].get("trial_id"))
    return {name: plot for name, plot in found.items() if plot is not None}


def _error_plots(evaluation: dict[str, Any], by_source: dict[str, str]) -> dict[str, Markup | None]:
    rows = {_label(role, made): made for role, made in evaluation["configurations"].items()}
    of_rows = {label: by_source.get(made["trial"]["source"], MUTED) for label, made in rows.items()}
    confusion = evaluation["classification"]["confusion"]
    return {
        "intervals": error_plots.interval_plot(rows, of_rows),
        "confusion": error_plots.confusion_plot(confusion, evaluation["classes"]) if confusion else None,
        "reliability": error_plots.reliability_plot(evaluation["calibration"]["bins"]),
    }


def _curve_plots(
    evaluation: dict[str, Any],
    trials: list[dict[str, Any]],
    curves: list[dict[str, Any]],
    by_source: dict[str, str],
) -> dict[str, Markup | None]:
    source_of = {trial["trial_id"]: trial["source"] for trial in trials}
    search = [row for row in curves if row["stage"] == "search" and row["run"] in source_of]
    refit = [row for row in curves if row["stage"] == "refit"]
    pretrain = [row for row in curves if row["stage"] == "pretrain"]
    made = evaluation["configurations"]
    of_roles = {role: by_source.get(made[role]["trial"]["source"], MUTED) for role in made}
    roles = {role: of_roles[role] for role in of_roles if role in {curve_plots.role_of(row["run"]) for row in refit}}
    return {
        "search": curve_plots.search_plot(search, source_of, by_source) if search else None,
        "refit_error": curve_plots.refit_error_plot(refit, roles) if roles else None,
        "refit_loss": curve_plots.refit_loss_plot(refit, roles) if roles else None,
        "pretrain": curve_plots.pretrain_plot(pretrain, by_source) if pretrain else None,
    }


def _label(role: str, configuration: dict[str, Any]) -> str:
    source = configuration["trial"]["source"]
    return role if source == role else f"{role} ({source})"
