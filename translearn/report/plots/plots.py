"""All plots of a study's record. This module loads matplotlib, so only a report imports it."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from translearn.report.plots import curve_plots, error_plots, gain_plots
from translearn.report.plots.cost_plot import cost_plot
from translearn.report.plots.figure import INK, MUTED, PROBE_COLOUR, colours, is_scratch
from translearn.report.plots.forgetting_plot import forgetting_plot
from translearn.report.plots.ranking_plot import ranking_plot
from translearn.report.plots.trial_plot import trial_plot
from translearn.report.record import StudyRecord
from translearn.report.words import role as role_words

PROBE = "probe"
_OWN_COLOURS = {PROBE: PROBE_COLOUR, "converged": INK}


def plots(study: StudyRecord) -> dict[str, Markup]:
    """Return ``<svg>`` elements by name; leave out plots without content."""
    trials, curves = study.trials.to_pylist(), study.curves.to_pylist()
    by_source = colours([row["name"] for row in study.sources.to_pylist()] + [t["source"] for t in trials])
    found = _error_plots(study.evaluation, by_source) | _curve_plots(study.evaluation, trials, curves, by_source)
    if ranking := study.evaluation.get("ranking"):
        found["ranking"] = ranking_plot(ranking, by_source)
    if by_depth := study.evaluation.get("forgetting_by_depth"):
        found["forgetting"] = forgetting_plot(by_depth, by_source.get(by_depth["source"], MUTED))
    found["cost"] = cost_plot(study.sources.to_pylist(), trials, by_source)
    if trials:
        used = {name: colour for name, colour in by_source.items() if name in {t["source"] for t in trials}}
        found["trials"] = trial_plot(trials, used, study.evaluation["winner"].get("trial_id"))
    return {name: plot for name, plot in found.items() if plot is not None}


def _error_plots(evaluation: dict[str, Any], by_source: dict[str, str]) -> dict[str, Markup | None]:
    rows = {_label(role, made): made for role, made in evaluation["configurations"].items()}
    of_rows = dict(zip(rows, _role_colours(evaluation, by_source).values(), strict=True))
    confusion, calibration = evaluation["classification"]["confusion"], evaluation["calibration"]
    labels = evaluation.get("labels")
    pair = {role: of_role for role, of_role in _role_colours(evaluation, by_source).items() if role != PROBE}
    return {
        "intervals": error_plots.interval_plot(rows, of_rows),
        "confusion": error_plots.confusion_plot(confusion, evaluation["classes"]) if confusion else None,
        "reliability": error_plots.reliability_plot("reliability", calibration["before"]["bins"]),
        "reliability_after": error_plots.reliability_plot("reliability-after", calibration["after"]["bins"]),
        "class_gains": gain_plots.class_gain_plot(evaluation["class_gains"]),
        "labels": gain_plots.label_plot(labels["curves"], pair) if labels else None,
    }


def _curve_plots(
    evaluation: dict[str, Any],
    trials: list[dict[str, Any]],
    curves: list[dict[str, Any]],
    by_source: dict[str, str],
) -> dict[str, Markup | None]:
    source_of = {trial["trial_id"]: trial["source"] for trial in trials}
    search = [row for row in curves if row["stage"] == "search" and row["run"] in source_of]
    pretrain = [row for row in curves if row["stage"] == "pretrain"]
    refit = _chosen_refits(evaluation, curves)
    roles = {role: of_role for role, of_role in _role_colours(evaluation, by_source).items() if role in refit}
    threshold = evaluation["dynamics"]["threshold"] if evaluation.get("dynamics") else None
    return {
        "search": curve_plots.search_plot(search, source_of, by_source) if search else None,
        "refit_error": curve_plots.refit_error_plot(refit, roles, threshold) if roles else None,
        "refit_loss": curve_plots.refit_loss_plot(refit, roles) if roles else None,
        "pretrain": curve_plots.pretrain_plot(pretrain, by_source) if pretrain else None,
    }


def _chosen_refits(evaluation: dict[str, Any], curves: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of the refits of each role's chosen candidate; leave out roles without any."""
    names = {role: made["trial"].get("candidate") for role, made in evaluation["configurations"].items()}
    rows = [row for row in curves if row["stage"] == "refit"]
    found = {role: [row for row in rows if row["run"].rpartition("-")[0] == name] for role, name in names.items()}
    return {role: of_role for role, of_role in found.items() if of_role}


def _role_colours(evaluation: dict[str, Any], by_source: dict[str, str]) -> dict[str, str]:
    """Return the colour of each role: that of its source, or its own where it often has that of another role."""
    made = evaluation["configurations"]
    return {role: _OWN_COLOURS.get(role) or by_source.get(made[role]["trial"]["source"], MUTED) for role in made}


def _label(role: str, configuration: dict[str, Any]) -> str:
    source = configuration["trial"]["source"]
    return source if source == role else role_words(role) + ("" if is_scratch(source) else f" ({source})")
