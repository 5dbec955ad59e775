import io
import pickle
import shutil
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats

from leakyflow.diagnostics import typicality as module
from leakyflow.diagnostics.cloud import Cloud
from leakyflow.diagnostics.features import features_of
from leakyflow.diagnostics.typicality import Typicality, typicality_of
from leakyflow.errors import LeakyflowError
from leakyflow.models.posterior import Posterior
from leakyflow.recordings.batch import Batch
from leakyflow.revision import REVISIONS
from leakyflow.simulator.dataset import make_dataset
from leakyflow.training.config import load_config
from leakyflow.training.run import load_posterior
from tests.cases import recorded, stimulated
from tests.diagnostics.test_checks import DEGENERATE

N, N_HELD_OUT = 2000, 1000


@pytest.fixture(scope="module")
def posterior(tiny_run):
    return tiny_run.posterior


@pytest.fixture(scope="module")
def typicality(posterior, tiny_config):
    return Typicality.fit(posterior, make_dataset(tiny_config, N, seed=71))


@pytest.fixture(scope="module")
def held_out(tiny_config):
    return make_dataset(tiny_config, N_HELD_OUT, seed=72).recordings()


@pytest.fixture(scope="module")
def p(typicality, held_out):
    return typicality.p_value(held_out)


def tolerance(level: float, n: int, n_calibration: int) -> float:
    """Four standard errors of a share below a level: of those tested, and of the level that calibration found."""
    return 4.0 * np.sqrt(level * (1.0 - level) * (1.0 / n + 1.0 / n_calibration))


def humming(recordings: Batch, amplitude: float) -> Batch:
    t = np.arange(recordings.V.shape[1]) * recordings.dt
    hum = amplitude * np.sin(2e-3 * np.pi * 50.0 * t) * ~(recordings.spikes | recordings.refractory)
    return replace(recordings, V=(recordings.V + hum).astype(np.float32))


# --- one recording


def test_p_values_are_uniform_on_held_out_simulations(p):
    # Two samples: the recordings, and the simulations that calibrate.
    n = N_HELD_OUT * (N / 2) / (N_HELD_OUT + N / 2)
    assert scipy.stats.kstwobign.sf(scipy.stats.kstest(p, "uniform").statistic * np.sqrt(n)) > 1e-3


@pytest.mark.parametrize("level", [0.05, 0.2])
def test_false_alarms_are_nominal(p, level):
    assert abs((p < level).mean() - level) < tolerance(level, N_HELD_OUT, N // 2)


def test_false_alarms_are_nominal_among_silent_and_among_spiking_recordings(typicality, held_out, p):
    stratum = np.searchsorted(typicality.edges, held_out.n_spikes, side="right")
    assert len(typicality.clouds) > 1
    for i, cloud in enumerate(typicality.clouds):
        found = p[stratum == i]
        assert abs((found < 0.05).mean() - 0.05) < tolerance(0.05, len(found), len(cloud.calibration))


def test_a_typicality_calibrated_on_what_it_was_fitted_on_would_raise_false_alarms(posterior, held_out):
    features = features_of(posterior, held_out)
    fitted, new = features[:300], features[300:]
    cloud = Cloud.fit(fitted, fitted, fitted)
    assert (cloud.p_value(cloud.score(new)) < 0.05).mean() > 0.05 + tolerance(0.05, len(new), 300)


def test_misspecified_recordings_are_seen(typicality, held_out):
    assert (typicality.p_value(humming(held_out[:200], 1.0)) < 0.05).mean() > 0.9


def test_the_verdict_names_what_is_atypical(typicality, held_out):
    silent = held_out.take(np.flatnonzero(held_out.n_spikes == 0)[:1])
    verdict = typicality.check(humming(silent, 2.0)[0])
    assert not verdict.typical
    assert verdict.p < 0.005
    assert verdict.note.startswith("Very atypical")
    assert "hum of 50 or 60 Hz" in verdict.note.replace("Hum", "hum")


def test_the_verdict_has_the_p_value_and_its_word(typicality, held_out, p):
    for i in (int(p.argmax()), int(np.argmin(abs(p - 0.03)))):
        verdict = typicality.check(held_out[i])
        # Alone a recording is padded to the same shape; sums may be in another order.
        assert verdict.p == pytest.approx(p[i], abs=0.005)
        assert verdict.typical == (verdict.p >= 0.05)
        assert verdict.note.startswith("Typical" if verdict.typical else "Atypical")


# 100 ms, and the network of `quick` takes no shorter ones.
@pytest.mark.parametrize("name", DEGENERATE)
def test_every_recording_has_a_verdict(typicality, name):
    verdict = typicality.check(DEGENERATE[name])
    assert 0.0 < verdict.p <= 1.0
    assert np.isfinite(typicality.projection(DEGENERATE[name]).points).all()
    assert 0.0 < typicality.set_p_value([DEGENERATE[name]]) <= 1.0


def test_a_flat_electrode_is_very_atypical(typicality):
    assert typicality.check(recorded(np.full(800, -70.0))).note.startswith("Very atypical")


# --- sets


@pytest.mark.parametrize(("n", "n_sets"), [(1, 500), (10, 100), (100, 10)])
def test_false_alarms_of_sets_are_nominal(typicality, posterior, held_out, n, n_sets):
    sets = typicality.sets
    embedded = sets.embedding(sets.points(features_of(posterior, held_out[: n * n_sets])))
    found, null = sets.distance(embedded.reshape(n_sets, n, -1).mean(1)), sets.null(n)
    # Few large sets: a coarse level.
    level = 0.05 if n < 100 else 0.3
    share = np.mean(found > np.quantile(null, 1.0 - level))
    assert abs(share - level) < tolerance(level, n_sets, N / 2 / n)


def test_a_set_shows_what_no_recording_does(typicality, held_out):
    faint = humming(held_out[:100], 0.2)
    assert (typicality.p_value(faint) < 0.05).mean() < 0.6
    assert typicality.set_p_value(faint) < 0.005


# --- integration


def test_save_and_load_give_the_same_verdicts(typicality, posterior, held_out, p, tmp_path):
    typicality.save(tmp_path / "typicality.npz")
    assert (tmp_path / "typicality.npz").stat().st_size < 1_000_000
    loaded = Typicality.load(tmp_path / "typicality.npz", posterior)
    np.testing.assert_array_equal(loaded.p_value(held_out), p)
    assert loaded.set_p_value(held_out[:10]) == typicality.set_p_value(held_out[:10])
    assert loaded.check(held_out[0]) == typicality.check(held_out[0])


def test_projection_lays_recordings_on_the_cloud(typicality, held_out, p):
    projection = typicality.projection(held_out[:300])
    np.testing.assert_array_equal(projection.p, p[:300])
    assert 0.0 < projection.share[1] <= projection.share[0] < 1.0
    for axis in range(2):
        assert scipy.stats.ks_2samp(projection.cloud[:, axis], projection.points[:, axis]).pvalue > 1e-3


def test_what_is_typical_is_kept_in_the_run(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "N_SIMULATIONS", 800)
    posterior = load_posterior(shutil.copytree(tiny_run.folder, tmp_path / "run"))
    made = typicality_of(posterior)
    assert (tmp_path / "run" / module.TYPICALITY).is_file()
    monkeypatch.setattr(module, "make_dataset", None)  # it is not simulated again
    recording = stimulated(100.0)
    assert typicality_of(posterior).check(recording) == made.check(recording)


def test_nothing_is_written_among_the_networks_that_ship(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "N_SIMULATIONS", 800)
    monkeypatch.setattr(module, "SHIPPED", tmp_path)
    without = shutil.ignore_patterns(module.TYPICALITY)  # that another test may have left in the shared folder
    typicality_of(load_posterior(shutil.copytree(tiny_run.folder, tmp_path / "run", ignore=without)))
    assert not (tmp_path / "run" / module.TYPICALITY).exists()


# --- errors


def test_simulations_under_other_settings_are_refused(posterior):
    with pytest.raises(ValueError, match="other settings"):
        Typicality.fit(posterior, make_dataset(load_config("lif"), 2, seed=1))


def test_few_simulations_are_refused(posterior, tiny_config):
    with pytest.raises(ValueError, match="at least 800"):
        Typicality.fit(posterior, make_dataset(tiny_config, 50, seed=1))


def test_large_sets_are_refused(typicality, held_out):
    with pytest.raises(ValueError, match="at most 200"):
        typicality.set_p_value(held_out[:201])


def test_recordings_of_another_sampling_interval_are_refused(typicality):
    with pytest.raises(ValueError, match=r"takes recordings at dt=0\.2"):
        typicality.check(replace(stimulated(0.0), dt=0.1))


def test_no_file_is_a_clear_error(posterior, tmp_path):
    with pytest.raises(FileNotFoundError):
        Typicality.load(tmp_path / "none.npz", posterior)


def test_what_is_typical_of_another_network_is_refused(typicality, posterior, tmp_path):
    typicality.save(tmp_path / "typicality.npz")
    from leakyflow.models.network import Network

    config = posterior.network.config
    other = Posterior(Network(config, posterior.network.simulator, seed=9), name="other")
    with pytest.raises(ValueError, match="another network"):
        Typicality.load(tmp_path / "typicality.npz", other)


@pytest.mark.parametrize("formula", ["checks", "statistics", "typicality", "neuron"])
def test_what_was_typical_by_other_formulas_is_refused(typicality, posterior, tmp_path, monkeypatch, formula):
    typicality.save(tmp_path / "typicality.npz")
    monkeypatch.setitem(REVISIONS, formula, 99)
    with pytest.raises(LeakyflowError, match="it is of another network or version"):
        Typicality.load(tmp_path / "typicality.npz", posterior)


def test_what_was_typical_by_other_formulas_is_made_anew(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "N_SIMULATIONS", 800)
    posterior = load_posterior(shutil.copytree(tiny_run.folder, tmp_path / "run"))
    typicality_of(posterior)
    made = []
    monkeypatch.setattr(module, "make_dataset", lambda *a, **b: made.append(1) or make_dataset(*a, **b))
    typicality_of(posterior)
    assert not made
    monkeypatch.setitem(REVISIONS, "checks", 99)
    typicality_of(posterior)
    assert made
    assert Typicality.load(tmp_path / "run" / module.TYPICALITY, posterior)


@pytest.mark.parametrize("content", [b"no archive", pickle.dumps({"edges": 1}), b""])
def test_a_damaged_file_is_refused(posterior, tmp_path, content):
    (tmp_path / "typicality.npz").write_bytes(content)
    with pytest.raises(LeakyflowError, match="does not say what is typical"):
        Typicality.load(tmp_path / "typicality.npz", posterior)


CHANGES = {
    "edges, a number": {"edges": np.int64(3)},
    "edges, a cube": {"edges": np.zeros((2, 2, 2), np.int64)},
    "edges, too many": {"edges": np.arange(1, 50)},
    "edges, falling": {"edges": np.array([5, 1])},
    "edges, text": {"edges": np.array(["1", "2"])},
    "scale of no feature": {"sets.scale": np.zeros((0, 97), np.float32)},
    "scale of another length": {"sets.scale": np.zeros((152, 9), np.float32)},
    "scale of fewer features": {"sets.scale": np.zeros((20, 97), np.float32)},
    "relations, a number": {"cloud0.relations": np.float32(1.0)},
    "relations in double precision": {"cloud0.relations": np.eye(61)},
    "learned, not square": {"cloud0.learned": np.zeros((91, 2), np.float32)},
    "parts, not finite": {"cloud0.parts": np.full((4, 97), np.nan, np.float32)},
    "calibration, objects": {"cloud0.calibration": np.array([{"a": 1}])},
    "calibration, none": {"cloud0.calibration": np.zeros(0, np.float32)},
    "calibration, falling": {"cloud0.calibration": np.array([2.0, 1.0], np.float32)},
    "mean, compound": {"sets.mean": np.zeros(548, [("a", "f4")])},
    "no simulations": {"sets.simulations": np.zeros((0, 36), np.float16)},
    "axes missing": {"sets.axes": None},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_arrays_of_another_form_are_refused(typicality, posterior, tmp_path, change):
    path = tmp_path / "typicality.npz"
    typicality.save(path)
    with np.load(path) as file:
        arrays = {name: value for name, value in {**file, **change}.items() if value is not None}
    np.savez(path, **arrays)
    with pytest.raises(LeakyflowError, match=f"{path} does not say what is typical.*Delete it"):
        Typicality.load(path, posterior)


def test_an_array_of_4_tib_is_refused_before_it_takes_memory(typicality, posterior, tmp_path):
    path = tmp_path / "typicality.npz"
    typicality.save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (2**30, 1024)})
    members["cloud0.calibration.npy"] = header.getvalue()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(LeakyflowError, match=r"`cloud0.calibration` must hold float32 .*\(any\)"):
        Typicality.load(path, posterior)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(typicality, posterior, tmp_path, share):
    path = tmp_path / "typicality.npz"
    typicality.save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(LeakyflowError, match="does not say what is typical"):
        Typicality.load(path, posterior)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7])
def test_a_flipped_byte_is_seen(typicality, posterior, tmp_path, share):
    path = tmp_path / "typicality.npz"
    typicality.save(path)
    content = bytearray(path.read_bytes())
    content[int(share * len(content))] ^= 0x10
    path.write_bytes(content)
    with pytest.raises(LeakyflowError, match="does not say what is typical"):
        Typicality.load(path, posterior)


def test_nothing_is_said_of_a_network_that_knows_whole_cells():
    with pytest.raises(LeakyflowError, match=r"`cell` knows whole cells\. Ask `adequacy_of`"):
        typicality_of(load_posterior("cell"))
