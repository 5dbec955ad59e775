"""The door for configurations: whatever a text holds, it is a configuration or an error of a few lines, at once."""

import pytest

from leakyflow.errors import LeakyflowError
from leakyflow.training.config import Config, load_config
from leakyflow.training.toml import DEEPEST, LARGEST, read_tables
from tests.cli.terminal import is_one_screen, leakyflow_

BASE = 'base = "quick"\nname = "mine"\n'
TEXTS = {
    "lists": ("x = " + "[" * 10**4, "at most 12 deep"),
    "closed lists": ("x = " + "[" * 10**4 + "]" * 10**4, "at most 12 deep"),
    "tables": ("x = " + "{a = " * 10**4, "at most 12 deep"),
    "a long dotted key": ("a." * 10**5 + "a = 1", "at most 12 deep"),
    "a long dotted header": ("[" + "a ." * 10**5 + "a]", "at most 12 deep"),
    "just too deep": ("x = " + "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), "at most 12 deep"),
    "5,000 digits": ("[training]\nseed = " + "9" * 5000, r"its text cannot be read \(ValueError: Exceeds the limit"),
    "5,000 hexadecimal digits": ("[training]\nseed = 0x" + "f" * 5000, "got an integer of 20,000 bits"),
    "widths that no float holds": (
        f"[network.flow]\nwidths = [64, 0x{'f' * 2000}]",
        "widths must be an integer of at most 63 bits besides its sign, got an integer of 8,000 bits",
    ),
    "just too many bits": (f"[training]\nseed = {-(2**63)}", "seed must be an integer of at most 63 bits"),
    "a long key": (f"{'k' * 10**5} = 1", "at most 100 characters"),
    "a long word": (f'[network.flow]\ntransform = "{"k" * 10**5}"', "100,002 characters"),
    "a large file": ("#" * (LARGEST + 1), "at most 4,194,304 bytes"),
    "not text": ("\x00\xff", "is not a TOML file"),
    "widths of 2^63": ("[network.flow]\nwidths = [9223372036854775807, 64]", "1 to 65,536 units"),
    "no widths": ("[network.flow]\nwidths = []", "got none"),
    "weights of 4 GB": ("[network.flow]\nwidths = [32768, 32768]", "at most 50,000,000 weights, got about 8,"),
    "an LSTM of 4 GB": ('[network.summary]\nvariant = "lstm"\nlstm_units = 9000', "at most 50,000,000 weights"),
    "a depth of 2^63": ("[network.flow]\ndepth = 9223372036854775807", r"network\.flow\.depth"),
    "traces of 4 GB": (
        '[training]\nn_simulations = 1_000_000\nbatch_size = 65536\n[network.summary]\nvariant = "lstm"\n'
        "[simulator]\nduration = [100.0, 1500.0]",
        "traces of a batch must need at most",
    ),
    "simulations without end": ("[training]\nn_simulations = 1_000_000_000_000", r"training\.n_simulations"),
    "a seed above 2^32": ("[training]\nseed = 4294967296", r"training\.seed: .*less than 4294967296"),
    "a rate of 1e300": ("[training]\nlearning_rate = 1e300", r"training\.learning_rate"),
    "a duration of 1e300": ("[simulator]\nduration = [100.0, 1e300]", r"simulator\.duration"),
    "recordings without end": ("[simulator]\nduration = [100.0, 1e8]", "at most 524,288 samples, got 500,000,000"),
    "an interval of 1e-300": ("[simulator]\ndt = 1e-300", r"simulator\.dt"),
    "a median of 1e300": (
        '[simulator.prior]\ntau = { family = "lognormal", median = 1e300, sigma = 0.5 }',
        r"tau\.inferred\.lognormal\.median",
    ),
    "a sigma of 1e3": (
        '[simulator.prior]\ntau = { family = "lognormal", median = 17.0, sigma = 1000.0 }',
        r"`tau` must stay within 1e\+09",
    ),
    "an SD of 1e-300": (
        '[simulator.prior]\nV_rest = { family = "normal", mean = -72.0, sd = 1e-300 }',
        r"`V_rest` .* differ by more than 1e-09",
    ),
    "a current of 1e300": (
        '[[simulator.stimuli]]\nwaveform = "square"\namplitude = 1e300',
        r"simulator\.stimuli.*amplitude",
    ),
    "a current without bounds": (
        '[[simulator.stimuli]]\nwaveform = "square"\namplitude = { family = "lognormal", median = 1.0, sigma = 99.0 }',
        r"`amplitude` must stay within",
    ),
    "an infinite number": ("[simulator.prior]\nt_ref = inf", "t_ref"),
    "a date": ("[simulator.prior]\nt_ref = 1979-05-27", "t_ref"),
}


@pytest.mark.parametrize(("text", "match"), TEXTS.values(), ids=TEXTS)
def test_what_no_configuration_holds_is_refused_at_once_and_briefly(text, match, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(BASE + text + "\n", encoding="latin-1")
    with pytest.raises(LeakyflowError, match=f"(?s){match}") as caught:
        load_config(path)
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize("name", ["lists", "5,000 digits", "widths of 2^63", "a seed above 2^32", "a median of 1e300"])
def test_the_command_line_says_so_on_one_screen(name, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(BASE + TEXTS[name][0])
    assert is_one_screen(leakyflow_("simulate", "--config", path, "--out", tmp_path / "data"))
    assert not (tmp_path / "data").exists()


GOOD = {
    "a deep list elsewhere": '# [[[[[[[[[[[[[[[[\n[training]\nseed = 4294967295 # a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p = 1"',
    "wide layers": "[network.flow]\nwidths = [1024, 1024]",
    "a current of many samples": '[[simulator.stimuli]]\nwaveform = "array"\nsampling_interval = 0.2\n'
    f"I = {[1.5] * 10**4}",
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_unusual_configurations_are_read(text, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(BASE + text + "\n")
    assert isinstance(load_config(path), Config)


def test_tables_may_be_as_deep_as_that(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("x = " + "[" * (DEEPEST - 1) + "]" * (DEEPEST - 1))
    assert read_tables(path)
