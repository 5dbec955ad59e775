"""The diagnostics of a run with known numbers, as `leakyflow diagnose` lays them down, in no time."""

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from leakyflow.diagnostics.plots.style import save_figure
from leakyflow.diagnostics.predictive import FEATURES
from leakyflow.diagnostics.suite import CHECKS, Suite

RMSE, FALLING = 2.718281828, "0.0123 nats"
FIGURES = ("convergence", "predictive", "typicality", "contraction", "sensitivity_stimuli", "sensitivity_dt")
HELD_OUT = ("recovery", "z_scores", "ranks", "ecdf")


@cache
def drawn(suffix: str) -> bytes:
    """A figure of no consequence."""
    figure = Figure(figsize=(2, 1))
    figure.add_subplot().plot([0, 1])
    with TemporaryDirectory() as folder:
        save_figure(figure, path := Path(folder, f"figure{suffix}"))
        return path.read_bytes()


def diagnose(folder: Path, out: Path, *, without: str = "", passed: bool = True) -> Path:
    """Write everything but the part that is to be left out."""
    suite = Suite(folder, out, n=100, seed=3)
    names, rng = suite.posterior.names, np.random.default_rng(1)
    out.mkdir(parents=True, exist_ok=True)
    tables = {
        "predictive": pd.DataFrame(rng.random((20, len(FEATURES))), columns=list(FEATURES)),
        "typicality": pd.DataFrame({"p": rng.random(100)}),
        "correction": pd.DataFrame({"k_hat": rng.normal(0.2, 0.1, 100), "efficiency": rng.random(100)}),
        "contraction_slopes": pd.DataFrame(
            {"parameter": names, "posterior": "amortized", "group": "spiking", "n": 5, "slope": -0.5, "error": 0.1}
        ),
    }
    conditions = pd.DataFrame({"parameter": names, "coverage90": 0.9})
    tables |= {f"sensitivity_{name}": conditions for name in ("stimuli", "dt")}
    for which in ("amortized", "corrected"):
        row = {"unit": "mV", "prior_sd": 6.0, "bias": 0.1, "rmse": RMSE, "contraction": 0.9}
        row |= {f"coverage{p}": p / 100 for p in (50, 80, 90, 95)} | {"verdict": "good"}
        tables[f"recovery_{which}"] = pd.DataFrame([{"parameter": name} | row for name in names])
        tables[f"calibration_{which}"] = pd.DataFrame(
            {"stratum": "all", "quantity": names, "n": 100, "chi2_p": 0.5, "ks_p": 0.25}
        )
    for name, table in tables.items():
        table.to_csv(out / f"{name}.csv", index=False)
    names = [f"{stem}_{which}" for stem in HELD_OUT for which in ("amortized", "corrected")]
    for name in (*FIGURES, "sensitivity_prior", *names):
        for suffix in (".png", ".svg"):
            (out / f"{name}{suffix}").write_bytes(drawn(suffix))
    parts = {part.name: [["a check", FALLING, "< 1", passed]] for part in suite.parts if part.name != without}
    kept = {"fingerprint": suite._fingerprint, "n": suite.n, "seed": suite.seed, "parts": parts}
    (out / CHECKS).write_text(json.dumps(kept))
    return out
