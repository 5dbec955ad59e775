"""Networks of earlier versions give the densities that they gave, or are refused with the reason and a cure."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import leakyflow as lf
from leakyflow.errors import LeakyflowError
from leakyflow.revision import REVISIONS
from leakyflow.training.config import load_config, presets
from leakyflow.training.run import CONFIG, RECORD, settings_digest

from .keep import DENSITIES, FOLDER, N_KEPT, kept_cells

# What becomes of each; whoever raises a formula's revision writes here that a network is refused from then on.
LOADS = {
    # The records of version 0.1.0 name no formulas, its settings have another form; densities are those that it gave.
    "0.1.0/lstm": False,
    "0.1.0/recording": False,
    "0.1.0/standard": False,
    "0.2.0.dev/cell": True,
    "0.2.0.dev/quick": True,
}
SAME = 1e-4  # nats; single precision and another order of additions give less


def densities(folder: Path) -> np.ndarray:
    """Of the parameters that were kept, by the network that was kept."""
    posterior = lf.load_posterior(folder)
    parameters = {name: np.array(values)[:, None] for name, values in kept(folder)["parameters"].items()}
    return posterior.log_prob(kept_cells(folder), parameters)[:, 0]


def kept(folder: Path) -> dict:
    return json.loads((folder / DENSITIES).read_text())


def test_every_kept_network_is_expected_to_load_or_not():
    assert {path.parent.relative_to(FOLDER).as_posix() for path in FOLDER.rglob(CONFIG)} == LOADS.keys()


@pytest.mark.parametrize("version", [version for version, loads in LOADS.items() if loads])
def test_a_network_that_loads_gives_the_densities_that_it_gave(version):
    np.testing.assert_allclose(densities(FOLDER / version), kept(FOLDER / version)["log_prob"], rtol=0, atol=SAME)


@pytest.mark.parametrize("version", [version for version, loads in LOADS.items() if not loads])
def test_a_network_that_does_not_says_why_and_which_command_retrains_it(version):
    with pytest.raises(LeakyflowError, match="trained by other formulas") as caught:
        lf.load_posterior(FOLDER / version)
    command = str(caught.value).split("leakyflow train --config ")[1].split()
    assert command[1:3] == ["--out", "FOLDER"]
    assert load_config(command[0]).simulator.prior.inferred


@pytest.mark.parametrize("version", LOADS)
def test_each_network_is_kept_with_finite_densities_of_parameters_that_can_be(version):
    found = kept(FOLDER / version)
    assert np.isfinite(found["log_prob"]).all()
    assert len(found["log_prob"]) == N_KEPT == len(set(found["log_prob"]))
    assert all(np.shape(values) == (N_KEPT,) for values in found["parameters"].values())
    assert min(found["parameters"]["tau"]) > 0


def changed(to: Path, **record) -> Path:
    """The kept network with another record."""
    folder = Path(shutil.copytree(FOLDER / "0.2.0.dev" / "quick", to / "net"))
    (folder / RECORD).write_text(json.dumps(json.loads((folder / RECORD).read_text()) | record))
    return folder


def test_another_density_would_be_seen(tmp_path):
    folder = changed(tmp_path)
    text = (folder / CONFIG).read_text()
    (folder / CONFIG).write_text(text.replace("median = 17.0", "median = 17.01"))
    record = json.loads((folder / RECORD).read_text()) | {"settings": settings_digest(folder)}
    (folder / RECORD).write_text(json.dumps(record))
    assert np.abs(densities(folder) - kept(folder)["log_prob"]).max() > SAME


def test_a_network_of_other_formulas_is_retrained_by_its_own_settings(tmp_path):
    folder = changed(tmp_path, revisions=REVISIONS | {"coordinates": 0})
    with pytest.raises(LeakyflowError, match=rf"leakyflow train --config {folder / CONFIG} --out FOLDER"):
        lf.load_posterior(folder)


@pytest.mark.parametrize(("name", "advised"), [("recording", "lif"), ("standard", "standard"), ("mine", "mine.toml")])
def test_settings_of_another_form_are_replaced_by_the_preset_of_that_name(tmp_path, name, advised):
    folder = changed(tmp_path, revisions={}, name=name)
    (folder / CONFIG).write_text('[simulator.parameters.tau]\nkind = "lognormal"\n')
    with pytest.raises(LeakyflowError, match=rf"leakyflow train --config {advised} --out FOLDER"):
        lf.load_posterior(folder)
    assert advised in presets() or advised.endswith(".toml")
