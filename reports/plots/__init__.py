"""The plots of a report as inline SVG, drawn with matplotlib.

A pure function of the report, equal to the byte wherever it is drawn. matplotlib is imported where
it is used only: a report in the terminal does not wait for it.
"""

from stagelift.reports.plots.accuracy import accuracy_plot
from stagelift.reports.plots.costs import costs_plot
from stagelift.reports.plots.gains import gains_plot
from stagelift.reports.plots.length_correctness import length_correctness_plot
from stagelift.reports.plots.lengths import lengths_plot
from stagelift.reports.plots.plot import Plot
from stagelift.reports.plots.style import plain_style
from stagelift.reports.plots.tradeoff import tradeoff_plot
from stagelift.reports.plots.training import training_plot
from stagelift.reports.plots.trajectory import trajectory_plot
from stagelift.reports.plots.win_rates import win_rates_plot
from stagelift.reports.report import Report

__all__ = ["Plot", "plots"]


def plots(report: Report) -> list[Plot]:
    """Draw what the report has data for, in the order of a page."""
    draw_functions = (
        tradeoff_plot,
        trajectory_plot,
        accuracy_plot,
        gains_plot,
        lengths_plot,
        length_correctness_plot,
        win_rates_plot,
        training_plot,
        costs_plot,
    )
    with plain_style():
        drawn = [draw(report) for draw in draw_functions]
    return [plot for plot in drawn if plot is not None]
