from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from leakyflow.errors import LeakyflowError
from leakyflow.simulator.distributions import LogNormal, Normal, Uniform
from leakyflow.simulator.stimuli import chirp, modulated_noise, ornstein_uhlenbeck, ramp, sinusoid, square
from leakyflow.simulator.stimulus_prior import (
    N_SCORES,
    ArrayPrior,
    ChirpPrior,
    ModulatedNoisePrior,
    OrnsteinUhlenbeckPrior,
    RampPrior,
    SinusoidPrior,
    SquarePrior,
    StimulusPrior,
    draw_stimuli,
)

CURRENT = Uniform(low=50.0, high=400.0)
ARRAY = tuple(float(i) for i in range(1, 101))
PRIORS = {
    "square": SquarePrior(amplitude=CURRENT),
    "sinusoid": SinusoidPrior(amplitude=LogNormal(median=100.0, sigma=0.5), frequency=Uniform(low=2.0, high=30.0)),
    "ramp": RampPrior(start=1.0, stop=CURRENT),
    "chirp": ChirpPrior(amplitude=CURRENT, start_frequency=0.0, stop_frequency=Uniform(low=10.0, high=50.0)),
    "ornstein_uhlenbeck": OrnsteinUhlenbeckPrior(sd=Uniform(low=5.0, high=50.0), correlation_time=5.0),
    "modulated_noise": ModulatedNoisePrior(
        sd=CURRENT, correlation_time=3.0, modulation=Uniform(low=0.0, high=1.0), modulation_frequency=2.0
    ),
    "array": ArrayPrior(I=ARRAY, sampling_interval=10.0, gain=Uniform(low=0.5, high=2.0)),
}
MIXTURE = list(PRIORS.values())


@pytest.fixture(params=PRIORS.values(), ids=PRIORS.keys())
def prior(request: pytest.FixtureRequest) -> StimulusPrior:
    return request.param


def draw(prior: StimulusPrior, seed: int = 0, n_time: int = 1000, dt: float = 0.2) -> np.ndarray:
    return prior.draw(np.random.default_rng(seed), n_time, dt)


def test_every_draw_has_its_length_and_type(prior):
    current = draw(prior)
    assert current.shape == (1000,)
    assert current.dtype == np.float32


def test_draws_repeat_with_their_seed_only(prior):
    np.testing.assert_array_equal(draw(prior, seed=1), draw(prior, seed=1))
    assert np.any(draw(prior, seed=1) != draw(prior, seed=2))


def test_stimulus_stays_inside_its_fractions(prior):
    placed = replace(prior, onset_fraction=0.25, duration_fraction=0.5, holding=-10.0)
    current = draw(placed)
    np.testing.assert_array_equal(current[:250], -10.0)
    np.testing.assert_array_equal(current[625:], -10.0)  # 250 + 0.5 (1000 - 250)
    assert np.mean(current[250:625] != -10.0) > 0.9


def test_holding_current_is_drawn(prior):
    currents = [draw(replace(prior, onset_fraction=0.5, holding=Normal(mean=0.0, sd=20.0)), i) for i in range(500)]
    assert np.std([current[0] for current in currents]) == pytest.approx(20.0, rel=5 / np.sqrt(2 * 500))


@settings(deadline=None)
@given(
    n_time=st.integers(2, 3000),
    dt=st.floats(0.01, 1.0),
    onset_fraction=st.floats(0.0, 1.0),
    duration_fraction=st.floats(0.0, 1.0),
    kind=st.sampled_from(sorted(PRIORS)),
)
def test_every_draw_is_valid_at_any_length_and_grid(n_time, dt, onset_fraction, duration_fraction, kind):
    prior = replace(PRIORS[kind], onset_fraction=onset_fraction, duration_fraction=duration_fraction)
    assert np.isfinite(draw(prior, n_time=n_time, dt=dt)).all()


def test_a_prior_without_distributions_is_the_stimulus_itself():
    prior = SquarePrior(amplitude=200.0, onset_fraction=0.25, duration_fraction=0.5, holding=5.0)
    truth = square(amplitude=200.0, onset=50.0, duration=75.0, t_max=200.0, dt=0.2, holding=5.0)
    np.testing.assert_array_equal(draw(prior), truth.I)


STIMULI = {
    "square": (square, {}),
    "sinusoid": (sinusoid, {}),
    "ramp": (ramp, {}),
    "chirp": (chirp, {}),
    "ornstein_uhlenbeck": (ornstein_uhlenbeck, {"seed": 7}),
    "modulated_noise": (modulated_noise, {"seed": 7}),
}


@pytest.mark.parametrize("name", STIMULI)
def test_a_draw_is_the_stimulus_of_its_arguments_to_the_last_bit(name):
    prior = replace(PRIORS[name], holding=Normal(mean=0.0, sd=20.0))
    scores = np.random.default_rng(1).standard_normal((20, N_SCORES))
    stimulus, more = STIMULI[name]
    for arguments in prior.arguments(scores):
        own = dict(arguments)
        start = int(own.pop("onset_fraction") * 1000)
        n_on = max(round(own.pop("duration_fraction") * (1000 - start)), 1)
        truth = stimulus(**own, **more, onset=start * 0.2, duration=n_on * 0.2, t_max=200.0, dt=0.2)
        np.testing.assert_array_equal(prior.current(arguments, 7, 1000, 0.2), truth.I)


def test_a_frequency_that_the_grid_is_too_coarse_for_is_refused_whichever_draw_has_it():
    prior = SinusoidPrior(amplitude=1.0, frequency=Uniform(low=10.0, high=3000.0))
    with pytest.raises(LeakyflowError, match="half the sampling rate"):
        draw_stimuli([prior], index=range(40), n_samples=np.full(40, 100), n_time=100, dt=0.2, seed=1)
    slow = replace(prior, frequency=Uniform(low=10.0, high=2400.0))
    draw_stimuli([slow], index=range(40), n_samples=np.full(40, 100), n_time=100, dt=0.2, seed=1)


def test_a_current_beyond_single_precision_is_refused():
    prior = ArrayPrior(I=(1.0,), sampling_interval=1e3)
    object.__setattr__(prior, "I", (1e300,))
    with np.errstate(over="ignore"), pytest.raises(LeakyflowError, match=r"in 1 of 1 draws \(first: draw 3\)"):
        draw_stimuli([prior], index=[3], n_samples=np.array([10]), n_time=10, dt=0.2, seed=1)


def test_arguments_follow_their_distributions():
    prior = SquarePrior(amplitude=CURRENT, onset_fraction=Uniform(low=0.0, high=0.5), duration_fraction=1.0)
    n = 2000
    currents = [draw(prior, seed) for seed in range(n)]
    onsets = np.array([current.argmax() for current in currents]) / 1000
    assert np.mean([current.max() for current in currents]) == pytest.approx(225, abs=5 * 350 / np.sqrt(12 * n))
    assert onsets.mean() == pytest.approx(0.25, abs=5 * 0.5 / np.sqrt(12 * n) + 1e-3)
    assert onsets.max() <= 0.5


WHOLE = {"onset_fraction": 0.0, "duration_fraction": 1.0}


def test_array_is_held_between_its_samples():
    prior = ArrayPrior(I=(1.0, 2.0, 3.0), sampling_interval=0.3, **WHOLE)
    np.testing.assert_array_equal(draw(prior, n_time=9, dt=0.1), [1, 1, 1, 2, 2, 2, 3, 3, 3])


def test_longer_array_gives_stretches_from_everywhere():
    prior = ArrayPrior(I=ARRAY, sampling_interval=0.2, holding=0.5, **WHOLE)
    currents = [draw(prior, seed, n_time=98) for seed in range(100)]
    assert {float(current[0]) for current in currents} == {1.5, 2.5, 3.5}
    assert all(np.all(np.diff(current) == 1) for current in currents)


def test_holding_current_follows_a_shorter_array():
    prior = ArrayPrior(I=(1.0, 2.0), sampling_interval=0.2, gain=10.0, holding=3.0, **WHOLE)
    np.testing.assert_array_equal(draw(prior, n_time=5), [13, 23, 3, 3, 3])


def test_priors_survive_plain_tables():
    adapter = TypeAdapter(tuple[StimulusPrior, ...])
    assert adapter.validate_python(adapter.dump_python(tuple(MIXTURE))) == tuple(MIXTURE)
    assert adapter.validate_json(adapter.dump_json(tuple(MIXTURE))) == tuple(MIXTURE)


LENGTHS = np.random.default_rng(0).integers(500, 1001, size=60)
dataset = partial(draw_stimuli, MIXTURE, n_time=1000, dt=0.2)


def test_draws_do_not_depend_on_the_chunk_or_on_other_lengths():
    whole, which = dataset(index=range(60), n_samples=LENGTHS, seed=4)
    parts = [dataset(index=range(i, i + 20), n_samples=LENGTHS[i : i + 20], seed=4) for i in (0, 20, 40)]
    np.testing.assert_array_equal(whole, np.concatenate([currents for currents, _ in parts]))
    np.testing.assert_array_equal(which, np.concatenate([kinds for _, kinds in parts]))
    backwards, _ = dataset(index=np.arange(60)[::-1], n_samples=LENGTHS[::-1], seed=4)
    np.testing.assert_array_equal(backwards[::-1], whole)


def test_padding_is_zero_whatever_it_is_padded_to():
    currents, _ = dataset(index=range(60), n_samples=LENGTHS, seed=4)
    longer, _ = draw_stimuli(MIXTURE, index=range(60), n_samples=LENGTHS, n_time=1200, dt=0.2, seed=4)
    np.testing.assert_array_equal(longer[:, :1000], currents)
    assert all(np.all(current[n:] == 0) for current, n in zip(longer, LENGTHS, strict=True))


@pytest.mark.parametrize("seed", [0, 1, 2**63, 2**100])
def test_no_two_draws_of_any_seed_are_alike(seed):
    prior = [OrnsteinUhlenbeckPrior(sd=1.0, correlation_time=5.0, onset_fraction=0.0, duration_fraction=1.0)]
    draws, _ = draw_stimuli(prior, index=range(100), n_samples=np.full(100, 50), n_time=50, dt=0.2, seed=seed)
    other, _ = draw_stimuli(prior, index=range(100), n_samples=np.full(100, 50), n_time=50, dt=0.2, seed=seed + 1)
    assert len(np.unique(np.concatenate([draws, other]), axis=0)) == 200


def test_priors_are_drawn_by_their_weights():
    n = 4000
    priors = [SquarePrior(amplitude=1.0), SquarePrior(amplitude=2.0, weight=3.0)]
    currents, which = draw_stimuli(priors, index=range(n), n_samples=np.full(n, 10), n_time=10, dt=0.2, seed=1)
    assert which.mean() == pytest.approx(0.75, abs=5 * np.sqrt(0.75 * 0.25 / n))
    np.testing.assert_array_equal(currents.max(axis=1), which + 1)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: SquarePrior(amplitude=1.0, weight=0.0), "`weight` must be positive, got 0. Leave out"),
        (lambda: SquarePrior(amplitude=1.0, onset_fraction=1.5), "`onset_fraction` .* 0 and 1, got 1.5"),
        (
            lambda: SquarePrior(amplitude=1.0, duration_fraction=CURRENT),
            "`duration_fraction` .* got 50 to 400",
        ),
        (
            lambda: SinusoidPrior(amplitude=1.0, frequency=Normal(mean=5.0, sd=1.0)),
            "`frequency` .* got -inf to inf. Use Uniform",
        ),
        (lambda: OrnsteinUhlenbeckPrior(sd=-1.0, correlation_time=1.0), "`sd` must lie between 0 and inf"),
        (
            lambda: OrnsteinUhlenbeckPrior(sd=1.0, correlation_time=0.0),
            "`correlation_time` .* positive, got 0",
        ),
        (lambda: ArrayPrior(I=(), sampling_interval=0.2), "got 0 samples"),
        (lambda: ArrayPrior(I=(1.0,), sampling_interval=0.0), "sampling_interval=0 ms"),
        (lambda: SquarePrior(amplitud=1.0), "amplitud\n.*[Uu]nexpected"),
        (lambda: SquarePrior(amplitude=float("inf")), "amplitude.number\n.*finite"),
    ],
)
def test_each_refused_prior_says_why(call, match):
    with pytest.raises(ValidationError, match=match):
        call()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"index": range(3)}, "must have one length, got 3 and 2"),
        ({"index": [-1, 0]}, "`index` must not be negative, got -1"),
        ({"n_samples": np.array([10, 21])}, "between 2 and n_time=20, got 21 in draw 6 .1 of 2 draws"),
        ({"n_samples": np.array([1, 10])}, "got 1 in draw 5"),
        ({"seed": -1}, "`seed` must not be negative, got -1"),
    ],
)
def test_each_error_says_what_to_do(change, match):
    arguments = {"index": [5, 6], "n_samples": np.array([10, 20]), "n_time": 20, "dt": 0.2, "seed": 1}
    with pytest.raises(ValueError, match=match):
        draw_stimuli(MIXTURE, **{**arguments, **change})


def test_no_prior_is_refused():
    with pytest.raises(ValueError, match="At least one stimulus prior"):
        draw_stimuli([], index=[0], n_samples=np.array([10]), n_time=10, dt=0.2, seed=1)


def test_draws_of_a_dataset_have_the_distribution_of_single_draws(prior):
    n = 2000
    many, _ = draw_stimuli([prior], index=range(n), n_samples=np.full(n, 50), n_time=50, dt=0.2, seed=1)
    rng = np.random.default_rng(1)
    single = np.array([prior.draw(rng, n_time=50, dt=0.2) for _ in range(n)])
    for sample in (10, 49):
        assert scipy.stats.ks_2samp(many[:, sample], single[:, sample], method="asymp").pvalue > 1e-3


def test_every_argument_has_its_own_random_numbers():
    """With one score for two arguments they would be perfectly correlated."""
    prior = SquarePrior(
        amplitude=Normal(mean=0.0, sd=1.0),
        holding=Normal(mean=0.0, sd=1.0),
        onset_fraction=0.5,
        duration_fraction=1.0,
    )
    n = 4000
    I, _ = draw_stimuli([prior], index=range(n), n_samples=np.full(n, 10), n_time=10, dt=0.2, seed=1)
    holding, amplitude = I[:, 0], I[:, -1] - I[:, 0]
    assert abs(np.corrcoef(holding, amplitude)[0, 1]) < 5 / np.sqrt(n)
