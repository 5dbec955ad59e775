"""Folders whose question is how a file is written: the neuron is the same in all, 180 pA from 100 to 700 ms."""

import numpy as np
import pytest

from leakyflow.recordings.read_cell import read_cell
from leakyflow.recordings.sweeps import list_sweeps


def written(*, I_max=(180.0,), n_spikes=(25,), refused="", **choice):
    """Each file of the folder has these sweeps; where it is refused as it is, with what the refusal says to pass.

    Spikes were counted as crossings of 0 mV in the files.
    """

    def check(folder):
        for path in sorted(path for path in folder.iterdir() if path.name != "README"):
            if refused:
                with pytest.raises(ValueError, match=refused):
                    read_cell(path)
            sweeps = list_sweeps(path, **choice)
            assert [sweep.dt for sweep in sweeps] == [0.05] * len(I_max)
            assert [sweep.I_range[1] for sweep in sweeps] == pytest.approx(list(I_max), abs=1e-3)
            assert [sweep.n_spikes for sweep in sweeps] == list(n_spikes)
            cell = read_cell(path, **choice)
            assert (len(cell), cell.left_out) == (len(I_max), {})
            for recording in cell:
                assert np.median(recording.V[:450]) == pytest.approx(-70.0, abs=0.5)
                # From the step's onset on, and not a sample later.
                assert np.flatnonzero(np.abs(recording.I) > 1.0)[:1].tolist() in ([], [500])

    return check


EXPECTED = {
    "csv_Vm_Iinj": written(),
    "csv_clampfit_header": written(),
    "csv_decimal_comma": written(),
    "csv_index_column": written(),
    "csv_many_sweeps": written(I_max=(0.0, 0.0, 120.0, 180.0), n_spikes=(0, 0, 2, 26)),
    "csv_time_rounded_s": written(refused=r"rounded to 0.1 ms(.|\n)*Pass dt_file=0.05,", dt_file=0.05),
    "txt_spaces": written(),
    "ibw_no_data_unit": written(refused="no unit of data. Pass units=V,A or units=mV,pA", units="mV,pA"),
    "ibw_no_x_unit": written(),
    "ibw_pair_ch2_ch3": written(),
}
