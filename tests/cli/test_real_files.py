"""`lif` answers on every real recording, one sweep of it, and what is refused says what is missing."""

import re

import numpy as np
import pytest

from leakyflow.likelihood.read_draws import read_draws
from tests.cli.terminal import is_one_screen, leakyflow_, said

# Of each file a sweep, and, where it lasts longer than the 2 s that the network knows, a window that begins at rest.
TWO_SECONDS = "--start 0 --stop 2000"
ASKED = {
    "C060109A1_IDrest_ch0_328.ibw": TWO_SECONDS,
    "C060109A1_IDrest_ch0_332.ibw": TWO_SECONDS,
    "C060109A1_IDrest_ch1_328.ibw": TWO_SECONDS,
    "C060109A1_IDrest_ch1_332.ibw": TWO_SECONDS,
    "chirp_171116sh_0017.abf": f"--sweep 0 {TWO_SECONDS}",
    "noise_DRN165.abf": TWO_SECONDS,
    "noise_subthreshold_DRN165.abf": TWO_SECONDS,
    "ramp_171116sh_0016.abf": "--sweep 5",
    "steps_171116sh_0018.abf": "--sweep 8 --start 1100 --stop 1900",
    "steps_18711001.abf": "--sweep 20",
    "steps_190619B_0003_abf1.abf": "--sweep 5 --start 1000 --stop 2500 --channel 0",
    "steps_2019_07_24_0055_fsi.abf": "--sweep 8 --start 1100 --stop 1900",
    "steps_DRN160.abf": "--sweep 12 --start 2100 --stop 3600",
    "steps_DRN165.abf": "--sweep 12 --start 2100 --stop 3600",
    "test_DRN157.abf": f"--sweep 0 {TWO_SECONDS}",
    "test_DRN158.abf": f"--sweep 0 {TWO_SECONDS}",
    "test_DRN160.abf": f"--sweep 0 {TWO_SECONDS}",
    "test_DRN165.abf": f"--sweep 0 {TWO_SECONDS}",
    "training_DRN157.abf": TWO_SECONDS,
    "training_DRN158.abf": TWO_SECONDS,
    "training_DRN160.abf": TWO_SECONDS,
}
# Refused as they are: what is asked for, and where that has no answer, why.
REFUSED = {
    "steps_190619B_0003_abf1.abf": r"must have one recorded voltage, or a choice; it has 0 \(IN 0\), 1 \(IN 2\)",
    "sine sweep magnitude 20.abf": r"must have a recorded voltage",  # the current that was played, without a cell
}


def test_every_recording_of_the_folder_is_asked_or_refused(real_recordings):
    files = {path.name for path in real_recordings.iterdir() if path.suffix in (".abf", ".ibw")}
    assert files == set(ASKED) | set(REFUSED)


@pytest.mark.slow
@pytest.mark.parametrize("name", ASKED)
def test_lif_infers_a_real_recording(name, real_recordings, tmp_path):
    out = tmp_path / "found"
    result = leakyflow_("infer", real_recordings / name, "--network", "lif", "--out", out, *ASKED[name].split())
    assert result.exit_code == 0, said(result)
    assert {path.suffix for path in out.iterdir()} == {".png", ".svg", ".nc"}
    (path,) = out.glob("*.nc")
    draws = read_draws(path)
    assert draws.source == "lif"
    assert draws.names == ("tau", "V_rest", "C", "V_th", "threshold_noise", "R_s")
    assert draws.array.shape == (1000, 6)
    assert np.isfinite(draws.array).all()


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_leaves_a_choice_or_holds_no_cell_is_refused_in_words(name, real_recordings):
    result = leakyflow_("infer", real_recordings / name, "--network", "lif")
    assert is_one_screen(result)
    assert re.search(REFUSED[name], said(result))
