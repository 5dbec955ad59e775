from dataclasses import replace

import pytest

from leakyflow.training.config import Config, load_config, presets

MINIMAL = 'base = "quick"\nname = "mine"\n'


@pytest.mark.parametrize("name", presets())
def test_every_preset_survives_being_written_and_read(name, tmp_path):
    config = load_config(name)
    (tmp_path / "config.toml").write_text(config.to_toml())
    assert load_config(tmp_path / "config.toml") == config


@pytest.mark.parametrize("name", presets())
def test_every_preset_is_named_like_its_file(name):
    assert load_config(name).name == name


def test_standard_family_shares_one_simulator():
    standard = load_config("standard")
    assert load_config("quick").simulator == standard.simulator == load_config("lstm").simulator


def test_lstm_is_the_literal_recipe():
    config = load_config("lstm")
    training, flow, summary = config.training, config.network.flow, config.network.summary
    assert (training.n_simulations, training.epochs, training.batch_size) == (100_000, 300, 256)
    assert (training.learning_rate, training.schedule, training.final_rate) == (1e-4, "cosine", 0.0)
    assert (flow.depth, flow.transform, flow.normalization) == (6, "affine", "batch")
    assert summary.variant == "lstm"
    assert config.network.standardize == "prior"


def test_lif_infers_six_parameters_and_reads_the_others():
    prior = load_config("lif").simulator.prior
    assert prior.inferred == ("tau", "V_rest", "C", "V_th", "threshold_noise", "R_s")
    assert len(prior.read_off) == 7
    assert not prior.known


def test_a_file_gives_only_what_differs_from_its_base(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL + "[training]\nepochs = 3\n[simulator.prior]\nt_ref = 2.0\n")
    config, base = load_config(path), load_config("quick")
    assert config.training == replace(base.training, epochs=3)
    assert config.simulator.prior.known["t_ref"] == 2.0
    assert config.simulator.prior.distributions == base.simulator.prior.distributions


def test_a_parameter_changes_its_role_whole(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL + '[simulator.prior]\ntau = { family = "uniform", low = 5.0, high = 50.0 }\n')
    assert load_config(path).simulator.prior.distributions["tau"].support == (5.0, 50.0)


def test_the_hash_knows_every_setting_but_not_the_name():
    config = load_config("quick")
    assert replace(config, name="other").hash == config.hash
    assert replace(config, training=replace(config.training, seed=2)).hash != config.hash


BAD = {
    "mistyped key": ("[training]\nepoch = 3\n", r"training\.epoch: there is no such key\. Did you mean `epochs`\?"),
    "mistyped table": ("[trainig]\nepochs = 3\n", "Did you mean `training`"),
    "mistyped nested key": ("[network.flow]\ndepht = 2\n", "Did you mean `depth`"),
    "mistyped choice": ('[network.flow]\ntransform = "afine"\n', "'affine' or 'spline'.*got 'afine'"),
    "wrong type": ('[training]\nepochs = "many"\n', "training.epochs"),
    "unknown distribution": (
        '[simulator.prior]\ntau = { family = "gamma", shape = 2.0 }\n',
        "got kind 'gamma'.*lognormal",
    ),
    "mistyped argument": (
        '[simulator.prior]\ntau = { family = "lognormal", median = 17.0, sigmaa = 0.5 }\n',
        "Did you mean `sigma`",
    ),
    "improper prior": (
        '[simulator.prior]\nC = { family = "lognormal", median = 90.0, sigma = 0.0 }\n',
        "sigma.*positive",
    ),
    "unknown parameter": ("[simulator.prior]\ntua = 3.0\n", "Did you mean `tau`"),
    "too short": ("[simulator]\nduration = [50.0, 500.0]\n", "100 <= shortest"),
    "batch too large": ("[training]\nbatch_size = 30_000\n", "batch_size.*must not exceed"),
    "not TOML": ("training = [", "is not a TOML file"),
    "unknown base": ("", r"`base` in .* must be one of the presets"),
}


@pytest.mark.parametrize(("text", "match"), BAD.values(), ids=BAD)
def test_each_error_says_what_to_do(text, match, tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text((MINIMAL if text else 'base = "slow"\n') + text)
    with pytest.raises(ValueError, match=f"(?s){match}"):
        load_config(path)


def test_a_preset_that_is_not_there_names_the_nearest():
    with pytest.raises(FileNotFoundError, match="Did you mean `standard`"):
        load_config("standart")


def test_a_config_is_frozen():
    with pytest.raises(AttributeError):
        load_config("quick").name = "other"  # type: ignore[misc]
    assert isinstance(load_config("quick"), Config)
