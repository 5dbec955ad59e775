import tomllib
from importlib.resources import files

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from leakyflow.simulator.config import SimulatorConfig
from leakyflow.simulator.distributions import LogNormal, Normal
from leakyflow.simulator.prior import ReadOff

ADAPTER = TypeAdapter(SimulatorConfig)
TOML = """
dt = 0.2
duration = [100.0, 300.0]

[prior]
tau = { family = "lognormal", median = 17.0, sigma = 0.5 }
V_rest = { family = "normal", mean = -72.0, sd = 6.0 }
C = 90.0
V_th = -45.0
threshold_noise = 0.0
membrane_noise = 0.3
measurement_noise = 0.0
V_reset = -60.0
reset_noise = 5.0
t_ref = { read_off = { family = "uniform", low = 2.0, high = 6.0 } }

[[stimuli]]
waveform = "square"
amplitude = { family = "uniform", low = 50.0, high = 350.0 }

[[stimuli]]
waveform = "sinusoid"
weight = 2.0
amplitude = 50.0
frequency = 10.0
"""


def config(text: str = TOML) -> SimulatorConfig:
    return ADAPTER.validate_python(tomllib.loads(text))


def test_toml_becomes_the_configuration_and_back():
    parsed = config()
    assert parsed.prior.distributions["tau"] == LogNormal(median=17.0, sigma=0.5)
    assert isinstance(parsed.prior.root["t_ref"], ReadOff)
    assert [prior.waveform for prior in parsed.stimuli] == ["square", "sinusoid"]
    assert parsed.n_time == 1500
    assert ADAPTER.validate_python(parsed.to_dict()) == parsed


def test_configurations_that_differ_are_not_equal():
    assert config(TOML.replace("sigma = 0.5", "sigma = 0.51")) != config()
    assert config(TOML.replace("weight = 2.0", "weight = 2.5")) != config()


def test_durations_are_uniform_on_the_grid_and_reach_both_ends():
    n = 200_000
    n_samples = config().draw_n_samples(n, seed=1)
    assert n_samples.min() == 500
    assert n_samples.max() == 1500
    # Uniform over 1001 whole numbers.
    assert n_samples.mean() == pytest.approx(1000, abs=5 * np.sqrt((1001**2 - 1) / 12 / n))
    counts = np.bincount(n_samples, minlength=1501)[500:]
    assert np.sum((counts - n / 1001) ** 2 / (n / 1001)) == pytest.approx(1000, abs=5 * np.sqrt(2 * 1000))


def test_duration_of_a_draw_depends_on_seed_and_place_only():
    durations = config().draw_n_samples(100, seed=1)
    np.testing.assert_array_equal(config().draw_n_samples(10, seed=1), durations[:10])
    assert np.any(config().draw_n_samples(100, seed=2) != durations)


def test_one_duration_is_allowed():
    fixed = config(TOML.replace("[100.0, 300.0]", "[200.0, 200.0]"))
    np.testing.assert_array_equal(fixed.draw_n_samples(5, seed=1), 1000)


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("[100.0, 300.0]", "[99.8, 300.0]", r"100 <= shortest <= longest, got \[99.8, 300\] ms"),
        ("[100.0, 300.0]", "[300.0, 100.0]", r"got \[300, 100\] ms"),
        ("[100.0, 300.0]", "[100.1, 300.0]", "`duration` must be a multiple of dt=0.2 ms, got 100.1 ms"),
        ("[100.0, 300.0]", "[100.0]", "duration"),
        ("dt = 0.2", "dt = 0.0", "dt\n.*greater than or equal to 0.001"),
        ("dt = 0.2", 'dt = "0.2"', "dt\n"),
        ("dt = 0.2", "dt = 0.2\nduratoin = 3.0", "duratoin\n.*[Uu]nexpected"),
        ("tau = {", "taw = {", "no parameter `taw`. Did you mean `tau`"),
        ("C = 90.0", "", "missing: C"),
        ('waveform = "square"', 'waveform = "sqare"', "sqare"),
        ("frequency = 10.0", "frequency = -1.0", "`frequency` must lie between 0 and inf"),
    ],
)
def test_each_error_says_where_and_what(old, new, match):
    assert TOML.count(old) == 1
    with pytest.raises(ValidationError, match=match):
        config(TOML.replace(old, new))


def test_no_stimulus_is_refused():
    with pytest.raises(ValidationError, match="At least one stimulus prior is needed"):
        config(TOML[: TOML.index("[[stimuli]]")].replace("duration", "stimuli = []\nduration"))


# The presets' priors are those of the model's specification.

EXPECTED = {
    "standard": {
        "tau": LogNormal(median=17.0, sigma=0.5),
        "V_rest": Normal(mean=-72.0, sd=6.0),
        "C": LogNormal(median=90.0, sigma=0.5),
        "V_th": Normal(mean=-45.0, sd=6.0),
    },
    "lif": {
        "tau": LogNormal(median=20.0, sigma=0.7),
        "V_rest": Normal(mean=-68.0, sd=8.0),
        "C": LogNormal(median=100.0, sigma=0.7),
        "V_th": Normal(mean=-42.0, sd=9.0),
        "threshold_noise": LogNormal(median=1.5, sigma=0.6),
        "R_s": Normal(mean=0.008, sd=0.01),
    },
}


def preset(name: str) -> SimulatorConfig:
    text = (files("leakyflow.training.presets") / f"{name}.toml").read_text()
    return ADAPTER.validate_python(tomllib.loads(text)["simulator"])


@pytest.mark.parametrize("name", EXPECTED)
def test_preset_has_its_priors_and_durations(name):
    simulator = preset(name)
    assert simulator.prior.distributions == EXPECTED[name]
    assert simulator.duration == {"standard": (100.0, 500.0), "lif": (100.0, 2000.0)}[name]
    assert simulator.dt == 0.2


def test_what_a_real_cell_shows_of_itself_is_read_off_it():
    noises = ("membrane_noise", "measurement_noise", "current_noise", "current_noise_tau")
    assert set(preset("lif").prior.read_off) == {*noises, "V_reset", "reset_noise", "t_ref"}
    assert preset("standard").prior.read_off == ()


def test_standard_is_half_squares_half_sinusoids():
    weights = {"square": 0.0, "sinusoid": 0.0}
    for prior in preset("standard").stimuli:
        weights[prior.waveform] += prior.weight
    assert weights == pytest.approx({"square": 0.5, "sinusoid": 0.5})


def test_recording_has_every_kind_of_protocol():
    kinds = {prior.waveform for prior in preset("lif").stimuli}
    assert kinds == {"square", "sinusoid", "ramp", "chirp", "ornstein_uhlenbeck"}
