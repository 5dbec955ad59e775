import json

import numpy as np
import pytest

from leakyflow.diagnostics.typicality import TYPICALITY, Typicality
from leakyflow.models.network import Network
from leakyflow.models.posterior import Posterior
from leakyflow.simulator.dataset import Dataset, make_dataset
from leakyflow.training.config import load_config
from leakyflow.training.run import CONFIG, NETWORK, SHIPPED, load_posterior, read_record, shipped, trained

NAMES = ("lstm", "recording", "standard")
N = 2000


@pytest.fixture(scope="module", params=NAMES)
def posterior(request):
    return load_posterior(request.param)


def losses(posterior: Posterior, dataset: Dataset) -> np.ndarray:
    """Negative log densities of the true normal scores."""
    prior, truth = posterior.prior, dataset.parameters()
    columns = {name: np.asarray(getattr(truth, name))[:, None] for name in posterior.names}
    log_q = posterior.log_prob(dataset.recordings(), columns)[:, 0]
    return -(log_q + prior.log_det_jacobian(prior.to_unconstrained(truth)))


def test_networks_that_ship_are_named():
    assert shipped() == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_network_was_made_by_its_preset(name):
    record, config = read_record(SHIPPED / name), load_config(SHIPPED / name / CONFIG)
    assert record["state"] == "finished"
    assert record["config"] == config.hash == load_config(name).hash
    assert (record["name"], record["seed"]) == (name, config.training.seed)


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_network_is_small_and_has_a_card(name):
    folder = SHIPPED / name
    assert sum(path.stat().st_size for path in folder.iterdir()) < 3e6
    card = (folder / "README.md").read_text()
    for words in ("## When not to use it", "## How it was made", read_record(folder)["config"], "raw"):
        assert words in card


def test_a_shipped_network_reaches_its_recorded_density(posterior):
    config, recorded = load_config(posterior.name), read_record(SHIPPED / posterior.name)["held_out"]
    dataset = make_dataset(config, N, seed=6_000_000)  # that nobody has seen
    loss = losses(posterior, dataset)
    error = np.hypot(recorded["sd"] / np.sqrt(recorded["n"]), loss.std() / np.sqrt(N))
    assert abs(loss.mean() - recorded["nll"]) < 4.0 * error
    # Beside the untrained network little is left to chance, and what was recorded is not what that one reaches.
    untrained = Posterior(Network(config.network, config.simulator, seed=config.training.seed), name="untrained")
    gain = np.clip(losses(untrained, dataset) - loss, -1.0, 1.0)
    error = np.hypot(recorded["gain_sd"] / np.sqrt(recorded["n"]), gain.std() / np.sqrt(N))
    assert abs(gain.mean() - recorded["gain"]) < 4.0 * error
    assert recorded["gain"] > 4.0 * error


def test_a_shipped_network_knows_what_is_typical(posterior):
    typicality = Typicality.load(SHIPPED / posterior.name / TYPICALITY, posterior)
    assert typicality.n_calibration > 1000


def test_a_run_of_that_name_comes_first_but_not_any_folder(tiny_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recording").mkdir()
    (tmp_path / "standard").symlink_to(tiny_run.folder)
    assert load_posterior("standard").name == "quick"
    assert trained("recording") == SHIPPED / "recording"


def test_an_unknown_name_lists_the_known():
    with pytest.raises(FileNotFoundError, match="lstm, recording, standard"):
        load_posterior("recordings")


def test_weights_of_another_preset_would_be_seen(tmp_path):
    for name in (CONFIG, NETWORK):
        source = "standard" if name == CONFIG else "recording"
        (tmp_path / name).write_bytes((SHIPPED / source / name).read_bytes())
    with pytest.raises(ValueError, match="do not fit"):
        load_posterior(tmp_path)


def test_the_record_holds_what_the_card_says(posterior):
    held_out = json.loads((SHIPPED / posterior.name / "run.json").read_text())["held_out"]
    assert f"{held_out['nll']:.3f} nats" in (SHIPPED / posterior.name / "README.md").read_text()
