"""ABF, NWB, and the two references."""

import numpy as np
import pytest

from leakyflow.recordings.files.abf.open import open_abf

from .checks import all_of, gives, lists, refuses

CELL = (20.0, 100.0)
STEP_OF_180 = {"n_spikes": 25, "rest": -70.0, "step": 180.0, "cell": CELL}
STEPS = [(min(level, 0.0), max(level, 0.0)) for level in np.arange(-100.0, 350.0, 50.0)]  # -100 + 50 pA a sweep


def ends_of_pulses(folder):
    """The duration of epoch B shrinks by 25 ms a sweep."""
    with open_abf(folder / "inc.abf", channel=None, current=None) as source:
        pulses = [source.read(sweep) for sweep in range(source.n_sweeps)]
    lengths = [np.count_nonzero(raw.I) * raw.dt for raw in pulses]
    expected = [500.0 - 25.0 * sweep if raw.I.any() else 0.0 for sweep, raw in enumerate(pulses)]
    assert lengths == pytest.approx(expected)
    assert lengths[4] == pytest.approx(400.0)


EXPECTED = {
    "00_reference_step": gives("cell.csv", **STEP_OF_180),
    "01_reference_subthreshold": gives("cell.csv", n_spikes=0, rest=-70.0, step=-60.0, cell=CELL),
    "abf_epoch_duration_increment": ends_of_pulses,
    "abf_second_headstage": lists("headstage2.abf", {"I_range": STEPS}),
    "abf_stimulus_file_of_many_sweeps": lists("played.abf", {"I_range": STEPS}),
    "abf_user_list_levels": lists("user_list.abf", {"I_range": STEPS}),
    "abf_variable_length": lists("varlen.abf", {"duration": [354.0, 7004.0, 1604.0]}),
    "abf_voltage_clamp_both_recorded": refuses("vclamp.abf", "AO #0 .* stands at levels .* voltage-clamp file"),
    "nwb_bias_in_pA": refuses("cell.nwb", "bias current -5e"),
    "nwb_compressed": gives("cell.nwb", **STEP_OF_180),
    "nwb_current_in_pA_default_conversion": refuses("cell.nwb", "pA labelled nA or A"),
    "nwb_default_conversion": refuses("cell.nwb", "mV labelled volts"),
    "nwb_dual_patch": all_of(
        lists("cell.nwb", {"electrode": ["elec0", "elec1"], "I_range": [(0.0, 180.0), (-60.0, 0.0)]}),
        gives("cell.nwb", sweep=0, **STEP_OF_180),
        gives("cell.nwb", sweep=1, n_spikes=0, step=-60.0),
    ),
    "nwb_flipped": refuses("cell.nwb", "membrane voltage must lie around"),
    "nwb_mixed_clamp": all_of(
        gives("cell.nwb", **STEP_OF_180),
        lists("cell.nwb", {"name": ["resp", "vc"], "clamp": ["current clamp", "voltage clamp"]}, every=True),
        lists("cell.nwb", {"name": ["resp"]}),
    ),
    "nwb_stimulus_one_sample_short": gives("cell.nwb", **STEP_OF_180, duration=799.8),
    "nwb_stimulus_plain_timeseries": all_of(
        gives("cell.nwb", **STEP_OF_180), gives("cell.nwb", current="current", **STEP_OF_180)
    ),
    "nwb_stimulus_starts_later": gives("cell.nwb", **STEP_OF_180),
    "nwb_table_stimulus_start_index": all_of(
        lists("cell.nwb", {"I_range": [(-60.0, 0.0), (0.0, 0.0), (0.0, 120.0), (0.0, 180.0)]}),
        gives("cell.nwb", sweep=3, n_spikes=26, rest=-70.0, step=180.0, cell=CELL),
        gives("cell.nwb", sweep=0, n_spikes=0, rest=-70.0, step=-60.0, cell=CELL),
    ),
    "nwb_timestamps_gap": refuses("cell.nwb", r"evenly spaced, got steps of 0.05 to 300.05 ms"),
    "nwb_uint16_offset": gives("cell.nwb", **STEP_OF_180),
    "nwb_unpadded_names": all_of(
        lists("cell.nwb", {"name": [f"sweep_{k}" for k in range(12)]}),
        gives("cell.nwb", sweep=2, step=-20.0, rest=-70.0),
        gives("cell.nwb", sweep=10, step=140.0),
    ),
    "nwb_version_1_allen": all_of(
        gives("ephys.nwb", **STEP_OF_180), lists("ephys.nwb", {"name": ["Sweep_20"], "n_spikes": [25]})
    ),
}
