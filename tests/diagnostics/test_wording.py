"""Verdicts in words."""

import numpy as np
import pytest

from leakyflow.diagnostics.predictive import PredictiveCheck
from leakyflow.diagnostics.typicality import Verdict
from leakyflow.diagnostics.wording import about_draws, about_model, about_simulations, percent

REPRODUCED = PredictiveCheck(share_inside=0.998, n_spikes=1, n_spikes_low=0, n_spikes_high=2)
OWN = {"efficiency": 0.83, "k_hat": 0.32, "note": "", "r_hat": np.nan, "acceptance": np.nan}


@pytest.mark.parametrize("share", [0.994, 0.996, 0.9999, 1.0])
def test_a_share_near_one_has_no_exponent(share):
    assert percent(share) in ("99 %", "100 %")


@pytest.mark.parametrize(("share", "expected"), [(0.0996, "10 %"), (0.0994, "9.9 %"), (0.001, "0.1 %"), (0.0, "0 %")])
def test_small_shares_keep_two_digits(share, expected):
    assert percent(share) == expected


@pytest.mark.parametrize(("typical", "short"), [(True, "Yes."), (False, "No.")])
def test_an_atypical_recording_is_warned_of(typical, short):
    answer = about_simulations(Verdict(0.2, typical, "A note."))
    assert (answer.short, answer.good) == (short, typical)
    assert ("mistrust what follows" in answer.text) != typical


@pytest.mark.parametrize(
    ("row", "short", "words"),
    [
        (OWN | {"method": "importance", "reliable": True}, "Yes, for this model.", "83 % efficient, k-hat 0.32"),
        (
            OWN | {"method": "SMC", "reliable": True, "note": "found", "r_hat": 1.003, "acceptance": 0.3},
            "Yes, for this model.",
            "Found (R-hat 1.003, acceptance 0.30).",
        ),
        (OWN | {"method": "amortized", "reliable": False, "note": "none"}, "No: do not believe them.", "None. The"),
        (OWN | {"method": "amortized", "reliable": None}, "This was not checked.", "the network's own"),
    ],
)
def test_draws_are_believed_as_far_as_they_were_checked(row, short, words):
    answer = about_draws(row)
    assert answer.short == short
    assert words in answer.text
    assert answer.good == (row["reliable"] is not False)


def test_small_p_values_are_all_named_and_of_others_the_least():
    latency, end = "latency of the first spike (p = 0.04)", "mean subthreshold voltage of the last tenth (p = 0.011)"
    p_values = {"spike_count": 1.0, "latency": 0.04, "V_mean": 0.3, "V_end": 0.011}
    strange = about_model(REPRODUCED, p_values)
    assert (strange.short, strange.good) == ("Not in all.", False)
    assert strange.text.endswith(f"Unlike the predicted: {end}, {latency}.")
    fine = about_model(REPRODUCED, {"spike_count": 1.0, "V_mean": 0.3})
    assert (fine.short, fine.good) == ("Yes.", True)
    assert fine.text.startswith("100 % of V lies")
    assert fine.text.endswith("Least like the predicted: mean subthreshold voltage (p = 0.3).")


def test_a_model_that_does_something_else_is_warned_of():
    answer = about_model(REPRODUCED._replace(share_inside=0.5), {"V_mean": 0.9})
    assert (answer.short, answer.good) == ("No.", False)
