"""Each folder of the shared cases gives its right answer, or a refusal that names the cause."""

import pytest

from tests.conftest import CASES

from .cases_expected import expected

FOLDERS = sorted(path.name for path in CASES.iterdir() if path.is_dir()) if CASES.is_dir() else []
EXPECTED = expected()


@pytest.mark.parametrize("name", FOLDERS)
def test_a_case_gives_its_right_answer(name, real_cases):
    if name not in EXPECTED:
        pytest.fail(f"{name} has no row in tests/recordings/cases_expected: say there what is right")
    EXPECTED[name](real_cases / name)


def test_each_row_has_its_folder(real_cases):
    assert {name for name in EXPECTED if not (real_cases / name).is_dir()} == set()


@pytest.mark.parametrize(
    ("row", "folder"),
    [
        ("00_reference_step", "01_reference_subthreshold"),
        ("nwb_compressed", "nwb_dual_patch"),
        ("nwb_timestamps_gap", "nwb_compressed"),
        ("broad_spikes_no_doublet", "small_fast_spikes"),
        ("small_fast_spikes", "slow_broad_spikes"),
        ("step_bridge_off", "model_itself_at_20kHz"),
        ("sign_inverted_current", "01_reference_subthreshold"),
        ("zeros_after_stop", "00_reference_step"),
    ],
)
def test_a_wrong_answer_is_seen(row, folder, real_cases):
    """The checks can fail: a row of one case does not hold for another."""
    with pytest.raises((AssertionError, ValueError, pytest.fail.Exception)):
        EXPECTED[row](real_cases / folder)
