import numpy as np
import pytest

from leakyflow.diagnostics.contraction import Contraction, measure_contraction
from tests.diagnostics.distorted import Distorted

DURATIONS = np.array([100.0, 200.0, 300.0, 400.0, 500.0])
NAMES = ("V_rest", "V_th")
SCATTER = 0.05  # of log SD, as from 200 draws


def contraction(
    n: int = 100,
    *,
    power: float = -0.5,
    corrected: bool = True,
    n_exact: int = 0,
    width: float = 1.0,
    seed: int = 1,
):
    """Neurons whose exact SDs follow a power of the duration; those of the network are `width` times as wide."""
    rng = np.random.default_rng(seed)
    exact = np.exp(rng.standard_normal((n, 1, 2))) * DURATIONS[:, None] ** power

    def measured(sd: np.ndarray) -> np.ndarray:
        return sd * np.exp(SCATTER * rng.standard_normal(sd.shape))

    sd = {"amortized": measured(width * exact)}
    if corrected:
        sd["corrected"] = measured(exact)
    if n_exact:
        sd["exact"] = measured(exact[:n_exact])
    n_spikes = np.arange(n)[:, None] % 4 * np.arange(1, 6)
    prior_sd = np.array([6.0, 4.0])
    return Contraction(names=NAMES, durations=DURATIONS, sd=sd, n_spikes=n_spikes, prior_sd=prior_sd, seed=seed)


def test_means_of_measurements_follow_the_square_root_law():
    slopes = contraction(1000).slopes()
    # Scatter of the SDs over the four longest windows, of log durations 0.69 apart, and of a median's efficiency.
    x = np.log(DURATIONS[1:])
    error = 1.2533 * SCATTER / np.sqrt(np.sum((x - x.mean()) ** 2)) / np.sqrt(slopes.n)
    # The bootstrap error of a median itself errs by a share of order n^-1/4 (Hall & Martin 1988).
    np.testing.assert_allclose(slopes.error, error, rtol=2 * 250**-0.25)
    assert (abs(slopes.slope + 0.5) < 4 * error).all()
    assert slopes.square_root.all()


@pytest.mark.parametrize("power", [0.0, -0.25, -1.0], ids=["nothing learned", "half of it", "an edge"])
def test_another_law_is_seen(power):
    slopes = contraction(power=power).slopes()
    np.testing.assert_allclose(slopes.slope, power, atol=0.05)
    assert not slopes.square_root.any()


def test_one_neuron_has_no_error():
    slopes = contraction(1).slopes()
    assert (slopes.group == "silent").all()
    assert slopes.error.isna().all()


@pytest.mark.parametrize("n_exact", [0, 10])
@pytest.mark.parametrize(("width", "verdict"), [(1.0, "good"), (0.7, "overconfident"), (1.4, "too wide")])
def test_a_network_is_held_against_the_exact_posterior(width, verdict, n_exact):
    case = contraction(width=width, n_exact=n_exact)
    raw = case.verdicts().query("posterior == 'amortized'")
    assert list(raw.verdict) == [verdict, verdict]
    # 50 windows of 10 neurons at least, with the scatter of two SDs, and a median's efficiency.
    np.testing.assert_allclose(raw.ratio, width, rtol=4 * 1.2533 * np.sqrt(2 / 50) * SCATTER)
    corrected = case.verdicts().query("posterior == 'corrected'")
    assert list(corrected.verdict) == ["good", "good"] * bool(n_exact)
    assert (case.ratios().n == (n_exact or 100)).all()


def test_without_an_exact_posterior_there_is_no_ratio():
    case = contraction(corrected=False)
    assert len(case.ratios()) == len(case.verdicts()) == 0
    assert list(case.ratios().columns) == ["parameter", "posterior", "duration", "median", "q25", "q75", "n"]


def test_quartiles_are_of_the_neurons_of_each_group():
    case = contraction()
    table = case.by_duration().set_index(["parameter", "posterior", "group", "duration"])
    assert len(table) == 2 * 2 * 2 * 5
    spiking = case.sd["amortized"][case.n_spikes[:, -1] > 0]
    row = table.loc[("V_th", "amortized", "spiking", 300.0)]
    np.testing.assert_allclose(row[["q25", "median", "q75"]], np.quantile(spiking[:, 2, 1] / 4.0, [0.25, 0.5, 0.75]))
    assert row.n == 75


def test_every_window_is_in_one_group_of_spikes():
    case = contraction()
    table = case.by_spikes().query("parameter == 'V_th' and posterior == 'corrected'")
    assert table.n.sum() == case.n_spikes.size
    row = table.query("fewest == 4").iloc[0]
    within = (case.n_spikes >= 4) & (case.n_spikes <= 7)
    assert row["median"] == pytest.approx(np.median(case.sd["corrected"][within][:, 1] / 4.0))


SETTINGS = {"durations": (100.0, 200.0, 400.0), "n": 24, "n_exact": 0, "n_draws": 300, "seed": 6}


@pytest.fixture(scope="module")
def measured(tiny_run):
    return measure_contraction(tiny_run.posterior, **SETTINGS)


@pytest.mark.slow
def test_the_same_neurons_are_seen_for_longer(measured, tiny_run):
    np.testing.assert_allclose(measured.durations, SETTINGS["durations"])
    assert (np.diff(measured.n_spikes, axis=1) >= 0).all()
    assert measured.n_spikes.any()
    for sd in measured.sd.values():
        assert (np.median(sd[:, -1], axis=0) < np.median(sd[:, 0], axis=0)).all()


@pytest.mark.slow
def test_an_overconfident_network_is_seen(measured, tiny_run):
    narrow = measure_contraction(Distorted(tiny_run.posterior, width=0.6), **SETTINGS)
    assert (narrow.verdicts().query("posterior == 'amortized'").verdict == "overconfident").all()
    assert not (measured.verdicts().query("posterior == 'amortized'").verdict == "overconfident").any()


@pytest.mark.slow
def test_the_capacitance_of_a_repeated_protocol_follows_the_square_root_law(measured):
    # Every period says as much of C; V_th does not go by it, hard as its threshold is.
    slopes = measured.slopes().query("posterior == 'corrected'").set_index(["parameter", "group"])
    assert slopes.square_root[("C", "spiking")]
    assert not slopes.square_root[("V_th", "silent")]


@pytest.mark.slow
def test_corrected_posteriors_are_as_wide_as_the_reference(tiny_run):
    found = measure_contraction(tiny_run.posterior, durations=(100.0, 200.0), n=4, n_exact=4, seed=2)
    assert found.sd["exact"].shape == (4, 2, 4)
    assert (found.verdicts().query("posterior == 'corrected'").verdict == "good").all()


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"n": 1}, "`n` must be at least 2 .* got n=1"),
        ({"n": 5, "n_exact": 6}, "`n_exact` between 0 and n"),
        ({"durations": (100.0,)}, "two or more, rising"),
        ({"durations": (200.0, 100.0)}, "got 200, 100"),
        ({"durations": ()}, "got none"),
        ({"durations": (50.0, 100.0)}, "at least 100 to at most"),
        ({"durations": (100.0, 9000.0)}, "at most"),
        ({"durations": (100.0, 150.05)}, "multiple of dt"),
    ],
)
def test_what_cannot_be_measured_is_refused(settings, match, tiny_run):
    with pytest.raises(ValueError, match=match):
        measure_contraction(tiny_run.posterior, **settings)
