"""Figures of recovery and calibration."""

import numpy as np
import scipy.stats
from matplotlib.figure import Figure

from leakyflow.diagnostics.calibration import BAND, GRID, Ranks
from leakyflow.diagnostics.plots.style import BLACK, BLUE, GREY, ORANGE, label, new_panels, symbol, unit
from leakyflow.diagnostics.recovery import Recovery

__all__ = ["plot_ecdf", "plot_ranks", "plot_recovery", "plot_z_scores"]

N_POINTS = 300  # recordings shown in a recovery plot


def plot_recovery(recovery: Recovery) -> Figure:
    r"""Draw posterior mean and 90 % interval against the true value, one panel per parameter.

    Example:
        >>> import leakyflow as lf
        >>> posterior, config = lf.load_posterior("standard"), lf.load_config("standard")
        >>> dataset = lf.make_dataset(config, 100, seed=7)
        >>> found = lf.diagnose(posterior, dataset, n_draws=50, seed=0)
        >>> plot_recovery(found.recovery).axes[1].get_xlabel()
        'true $V_{\\mathrm{rest}}$ (mV)'
    """
    table = recovery.table()
    shown = slice(N_POINTS)
    with new_panels(recovery.names) as (figure, panels):
        for i, (name, axes) in enumerate(panels):
            truth, mean = recovery.truth[shown, i], recovery.mean[shown, i]
            ends = np.stack([mean - recovery.low[shown, i], recovery.high[shown, i] - mean]).clip(min=0.0)
            axes.errorbar(truth, mean, ends, fmt="none", ecolor=BLUE, elinewidth=0.7, alpha=0.3)
            axes.plot(truth, mean, ".", color=BLUE, markersize=3)
            axes.axline((truth[0], truth[0]), slope=1.0, color=BLACK, linewidth=0.8, linestyle="--")
            row = table.loc[name]
            axes.set_title(
                f"RMSE {row.rmse:.2g} {unit(name)}, prior SD {row.prior_sd:.2g}\n"
                f"{100 * row.coverage90:.0f} % in 90 % intervals:\n{row.verdict}"
            )
            axes.set(xlabel=f"true {label(name)}", ylabel=f"inferred {label(name)}")
    return figure


def plot_ranks(ranks: Ranks) -> Figure:
    """Draw the histogram of ranks of each parameter, with the band that an exact posterior keeps to.

    Example:
        >>> import leakyflow as lf
        >>> posterior, config = lf.load_posterior("standard"), lf.load_config("standard")
        >>> dataset = lf.make_dataset(config, 100, seed=7)
        >>> found = lf.diagnose(posterior, dataset, n_draws=50, seed=0)
        >>> plot_ranks(found.ranks).axes[0].get_xlabel()
        'rank of the true value'
    """
    counts, p_values = ranks.counts(), ranks.p_values()
    n_bins = len(counts)
    low, high = scipy.stats.binom.interval(BAND, len(ranks.ranks), 1.0 / n_bins)
    edges = np.linspace(0.0, 1.0, n_bins + 1)
    with new_panels(ranks.names) as (figure, panels):
        for i, (name, axes) in enumerate(panels):
            axes.axhspan(low, high, color=GREY, alpha=0.3, linewidth=0, label=f"{100 * BAND:.0f} % of bins, if exact")
            axes.stairs(counts[:, i], edges, fill=True, color=BLUE, alpha=0.6)
            axes.axhline(len(ranks.ranks) / n_bins, color=BLACK, linewidth=0.8, linestyle="--")
            axes.set_title(f"{symbol(name)}:  $\\chi^2$ p = {p_values.chi2_p[name]:.2g}")
            axes.set(xlabel="rank of the true value", ylabel="recordings", xlim=(0, 1), ylim=(0, None))
        figure.legend(*panels[0][1].get_legend_handles_labels(), loc="outside lower left")
    return figure


def plot_ecdf(ranks: Ranks) -> Figure:
    """Draw how far the ECDF of the ranks strays, with the band that an exact posterior keeps to everywhere.

    Example:
        >>> import leakyflow as lf
        >>> posterior, config = lf.load_posterior("standard"), lf.load_config("standard")
        >>> dataset = lf.make_dataset(config, 100, seed=7)
        >>> found = lf.diagnose(posterior, dataset, n_draws=50, seed=0)
        >>> len(plot_ecdf(found.ranks).axes)  # the parameters, and the log likelihood
        6
    """
    low, high = ranks.ecdf_band()
    inside, difference = ranks.inside_band(), ranks.ecdf_difference()
    with new_panels(ranks.names) as (figure, panels):
        for i, (name, axes) in enumerate(panels):
            axes.fill_between(
                GRID, low, high, color=GREY, alpha=0.3, linewidth=0, label=f"all, in {100 * BAND:.0f} of 100, if exact"
            )
            axes.plot(GRID, difference[:, i], color=BLUE if inside[i] else ORANGE)
            axes.axhline(0.0, color=BLACK, linewidth=0.8, linestyle="--")
            axes.set_title(f"{symbol(name)}:  {'inside' if inside[i] else 'outside'}")
            axes.set(xlabel="rank of the true value", ylabel="ECDF less uniform", xlim=(0, 1))
        figure.legend(*panels[0][1].get_legend_handles_labels(), loc="outside lower left")
    return figure


def plot_z_scores(recovery: Recovery) -> Figure:
    """Draw the error of each posterior mean, in posterior SDs, against what the recording told of the parameter.

    Example:
        >>> import leakyflow as lf
        >>> posterior, config = lf.load_posterior("standard"), lf.load_config("standard")
        >>> dataset = lf.make_dataset(config, 100, seed=7)
        >>> found = lf.diagnose(posterior, dataset, n_draws=50, seed=0)
        >>> plot_z_scores(found.recovery).axes[0].get_ylabel()
        'posterior z-score'
    """
    contraction = 1.0 - (recovery.sd / recovery.prior_sd) ** 2
    with new_panels(recovery.names) as (figure, panels):
        for i, (name, axes) in enumerate(panels):
            axes.axhspan(-2.0, 2.0, color=GREY, alpha=0.2, linewidth=0)
            axes.plot(contraction[:, i], recovery.z_score[:, i], ".", color=BLUE, markersize=3, alpha=0.5)
            spread = recovery.z_score[:, i].std()
            axes.set_title(f"{symbol(name)}:  SD of z {spread:.2f}")
            axes.set(xlabel="contraction of the variance", ylabel="posterior z-score")
            axes.set_xlim(min(0.0, float(np.quantile(contraction[:, i], 0.01))), 1.02)
    return figure
