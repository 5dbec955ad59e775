"""ABF: which current was injected, whatever stands beside it in the file."""

import shutil
import struct
from contextlib import suppress

import numpy as np
import pytest

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.files.abf.open import open_abf
from leakyflow.recordings.read import read_recording
from leakyflow.recordings.sweeps import list_sweeps
from tests.recordings.abf2 import In, Out, membrane, write_abf2
from tests.recordings.synthetic import sweep, write_abf

N, DT = 20000, 0.05  # samples and ms
HOLDS = N // 64
LEVELS = (-100.0, 50.0, 150.0, 40.0)
STEPS = ((1, 0.0, 0.0, 4000, 0), (1, -100.0, 50.0, 10000, 0), (1, 0.0, 0.0, 4000, 0))  # -100 + 50 pA a sweep
OTHER_STEPS = ((1, 0.0, 0.0, 4000, 0), (1, 40.0, 10.0, 10000, 0), (1, 0.0, 0.0, 4000, 0))
LATE_STEPS = ((1, 0.0, 0.0, 12000, 0), (1, 90.0, -40.0, 6000, 0))


def step(level, first=HOLDS + 4000, n=10000):
    """A sweep of a current step."""
    I = np.zeros(N)
    I[first : first + n] = level
    return I


def steps(n=4, start=-100.0, increment=50.0):
    return [step(start + increment * k) for k in range(n)]


def noisy(I, noise=0.7, offset=0.0, seed=1):
    return I + offset + noise * np.random.default_rng(seed).normal(size=len(I))


def volts(currents, **how):
    return [membrane(I, DT, seed=k, **how) for k, I in enumerate(currents)]


def stacked(*channels):
    """Sweeps of several channels, from the sweeps of each."""
    return [np.stack(sweep) for sweep in zip(*channels, strict=True)]


def read(path, **choice):
    """Every sweep of a file, as it stands there."""
    choice = {"channel": None, "current": None} | choice
    with open_abf(path, **choice) as source:
        return [source.read(k) for k in range(source.n_sweeps)]


def assert_currents(found, expected, **tolerance):
    assert len(found) == len(expected)
    for raw, I in zip(found, expected, strict=True):
        np.testing.assert_allclose(raw.I, I, **({"atol": 1e-3} | tolerance))


# Epochs and user lists.


def test_epochs_are_played_after_a_64th_of_the_sweep(tmp_path):
    path = write_abf2(tmp_path / "a.abf", volts(steps()), outputs=(Out(epochs=STEPS),))
    found = read(path)
    assert_currents(found, steps())
    assert not found[0].measured
    assert found[0].dt == pytest.approx(DT, rel=1e-6)


def test_duration_increments_change_each_sweep(tmp_path):
    table = (STEPS[0], (1, 100.0, 0.0, 10000, -500), STEPS[2])
    path = write_abf2(tmp_path / "a.abf", volts(steps()), outputs=(Out(epochs=table),))
    assert_currents(read(path), [step(100.0, n=10000 - 500 * k) for k in range(4)])


def test_the_level_of_the_last_epoch_may_stay_until_the_next_sweep(tmp_path):
    table = ((1, -10.0, 5.0, 10000, 0),)
    path = write_abf2(tmp_path / "a.abf", volts(steps(3)), outputs=(Out(epochs=table, holding=2.0, keeps_last=True),))
    before_and_after = [(raw.I[0], raw.I[-1]) for raw in read(path)]
    assert before_and_after == [(2.0, -10.0), (-10.0, -5.0), (-5.0, 0.0)]


@pytest.mark.parametrize("parameter", [13, 22, 62])  # three ways of counting that name the level of epoch B
def test_a_user_list_of_levels_replaces_the_table(parameter, tmp_path):
    lists = ((0, parameter, ",".join(f"{level:g}" for level in LEVELS)),)
    path = write_abf2(tmp_path / "a.abf", volts(steps()), outputs=(Out(epochs=STEPS),), user_lists=lists)
    assert_currents(read(path), [step(level) for level in LEVELS])


@pytest.mark.parametrize("parameter", [32, 112])
def test_a_user_list_of_durations_replaces_the_table(parameter, tmp_path):
    lists = ((0, parameter, "10000, 8000, 6000, 2000"),)
    path = write_abf2(tmp_path / "a.abf", volts(steps()), outputs=(Out(epochs=STEPS),), user_lists=lists)
    levels = (-100.0, -50.0, 0.0, 50.0)
    assert_currents(read(path), [step(a, n=n) for a, n in zip(levels, (10000, 8000, 6000, 2000), strict=True)])


def test_the_last_value_of_a_user_list_stays(tmp_path):
    path = write_abf2(tmp_path / "a.abf", volts(steps()), outputs=(Out(epochs=STEPS),), user_lists=((0, 62, "30,-20"),))
    assert [raw.I[10000] for raw in read(path)] == [30.0, -20.0, -20.0, -20.0]


@pytest.mark.parametrize(
    "lists",
    [((0, 13, "00001111,11110000"),), ((0, 7, "1,2,3"),), ((1, 62, "1,2,3,4"),)],
    ids=["digital pattern", "time between sweeps", "of another output"],
)
def test_a_user_list_without_effect_on_the_command_changes_nothing(lists, tmp_path):
    path = write_abf2(tmp_path / "a.abf", volts(steps()), outputs=(Out(epochs=STEPS),), user_lists=lists)
    assert_currents(read(path), steps())


@pytest.mark.parametrize(
    ("lists", "match"),
    [
        (((0, 400, "1,2,3,4"),), "changes parameter 400 of Cmd 0"),
        (((1, 8, "1,2,3,4"),), "changes the holding level"),
        (((0, 62, "high,low"),), "'high,low' in place of numbers"),
        (((0, 65, "1,2,3,4"),), "level of epoch E, which Cmd 0 has not"),
        (((0, 112, "10000,90000"),), r"must fit into the sweep of 20000 samples"),
    ],
)
def test_a_user_list_that_cannot_be_followed_is_refused(lists, match, tmp_path):
    path = write_abf2(tmp_path / "a.abf", volts(steps()), outputs=(Out(epochs=STEPS),), user_lists=lists)
    with pytest.raises(LeakyflowError, match=match):
        read(path)


def test_gap_free_recordings_play_no_epochs(tmp_path):
    path = write_abf2(tmp_path / "a.abf", volts([step(30.0)]), outputs=(Out(epochs=STEPS, holding=7.0),), mode=3)
    assert_currents(read(path), [np.full(N, 7.0)])


def test_an_epoch_of_unknown_type_is_refused(tmp_path):
    path = write_abf2(tmp_path / "a.abf", volts(steps()), outputs=(Out(epochs=((6, 1.0, 0.0, 400, 0),)),))
    with pytest.raises(LeakyflowError, match="epoch A is of another type"):
        read(path)


def test_sweeps_of_variable_length_keep_their_own(tmp_path):
    lengths = (4000, 9000, 2500)
    recorded = [np.full((1, n), -60.0 - k) for k, n in enumerate(lengths)]
    path = write_abf2(tmp_path / "a.abf", recorded, outputs=(Out(epochs=STEPS),), mode=1)
    found = read(path)
    assert [len(raw.V) for raw in found] == list(lengths)
    assert [raw.V.mean() for raw in found] == [-60.0, -61.0, -62.0]


# Whose command.


def test_the_command_is_that_of_the_amplifier_by_its_number(tmp_path):
    outputs = (Out(epochs=OTHER_STEPS), Out(number=1, name="Cmd 1", epochs=STEPS))
    for number, expected in ((1, steps()), (0, steps(start=40.0, increment=10.0))):
        path = write_abf2(tmp_path / f"{number}.abf", volts(expected), inputs=(In(number=number),), outputs=outputs)
        assert_currents(read(path), expected)


def test_the_only_command_in_current_units_is_taken_wherever_it_stands(tmp_path):
    outputs = (Out(unit="mV", source=0), Out(number=1, unit="mV", source=0), Out(number=3, name="Cmd 3", epochs=STEPS))
    path = write_abf2(tmp_path / "a.abf", volts(steps()), inputs=(In(number=2),), outputs=outputs)
    assert_currents(read(path), steps())


def test_an_idle_command_does_not_count_as_possible(tmp_path):
    outputs = (Out(source=0), Out(number=1, name="Cmd 1", epochs=STEPS))
    path = write_abf2(tmp_path / "a.abf", volts(steps()), inputs=(In(number=2),), outputs=outputs)
    assert_currents(read(path), steps())


def test_two_possible_commands_are_asked_about(tmp_path):
    outputs = (Out(epochs=OTHER_STEPS), Out(number=1, name="Cmd 1", epochs=STEPS))
    path = write_abf2(tmp_path / "a.abf", volts(steps()), inputs=(In(number=2),), outputs=outputs)
    with pytest.raises(LeakyflowError, match=r"(?s)Cmd 0 \[pA\] \(output 0\), Cmd 1 .*Pass current=") as error:
        read(path)
    assert error.value.argument == "current"
    assert_currents(read(path, current="Cmd 1"), steps())
    with pytest.raises(LeakyflowError, match=r"got 'Cmd 7'; there is Cmd 0 \(command\), Cmd 1 \(command\)"):
        read(path, current="Cmd 7")


def test_a_command_of_another_recorded_input_is_not_taken(tmp_path):
    inputs = (In(), In(number=1, name="IN 1"))
    path = write_abf2(tmp_path / "a.abf", stacked(volts(steps()), volts(steps())), inputs=inputs,
                      outputs=(Out(epochs=STEPS),))  # fmt: skip
    assert_currents(read(path, channel="IN 0"), steps())
    with pytest.raises(
        LeakyflowError, match=r"(?s)its commands are those of other recorded inputs: Cmd 0 .*current='Cmd 0'"
    ):
        read(path, channel="IN 1")


def test_a_recorded_current_has_its_command_beside_it(tmp_path):
    monitor = [noisy(I, offset=-5.0, seed=k) for k, I in enumerate(steps())]
    path = write_abf2(tmp_path / "a.abf", stacked(volts(monitor), monitor), inputs=(In(), In(number=1, unit="pA")),
                      outputs=(Out(epochs=STEPS),))  # fmt: skip
    found = read(path)
    assert_currents(found, monitor)
    for raw, I in zip(found, steps(), strict=True):
        assert raw.measured
        np.testing.assert_array_equal(raw.command, I)
        np.testing.assert_array_equal(raw[100:300].command, I[100:300])
    by_choice = read(path, current="command")
    assert_currents(by_choice, steps())
    assert by_choice[0].command is None


def test_a_recorded_current_stands_for_itself_where_the_stimulus_file_is_missing(tmp_path):
    monitor = [noisy(I) for I in steps()]
    path = write_abf2(tmp_path / "a.abf", stacked(volts(monitor), monitor), inputs=(In(), In(number=1, unit="pA")),
                      outputs=(Out(source=2, file="gone.atf"),))  # fmt: skip
    found = read(path)
    assert_currents(found, monitor)
    assert found[0].command is None
    with pytest.raises(LeakyflowError, match=r"'gone.atf', which is missing"):
        read(path, current="command")


@pytest.mark.parametrize("other", [LATE_STEPS, OTHER_STEPS], ids=["at other times", "at the same time"])
def test_the_monitor_of_another_amplifier_is_not_this_cells_current(other, tmp_path):
    theirs = [raw.I for raw in read(write_abf2(tmp_path / "x.abf", volts(steps()), outputs=(Out(epochs=other),)))]
    monitor = [noisy(I) for I in theirs]
    outputs = (Out(epochs=STEPS), Out(number=1, name="Cmd 1", epochs=other))
    path = write_abf2(tmp_path / "a.abf", stacked(volts(steps()), monitor), outputs=outputs,
                      inputs=(In(), In(number=1, name="Im B", unit="pA")))  # fmt: skip
    found = read(path)
    assert_currents(found, steps())
    assert found[0].current == "command Cmd 0 [pA]"


def test_the_membrane_current_of_a_clamped_neighbour_is_not_this_cells_current(tmp_path):
    """The neighbour is held in voltage clamp, its command in mV changes; this cell gets Cmd 0."""
    transients = [noisy(np.gradient(step(20.0)) * 40 - 60, noise=3.0) for _ in range(4)]
    outputs = (Out(epochs=STEPS), Out(number=1, name="Cmd 1", unit="mV", epochs=OTHER_STEPS))
    path = write_abf2(tmp_path / "a.abf", stacked(volts(steps()), transients), outputs=outputs,
                      inputs=(In(), In(number=1, unit="pA")))  # fmt: skip
    assert_currents(read(path), steps())


def test_two_cells_get_each_its_own_monitor(tmp_path):
    mine, theirs = steps(), steps(start=40.0, increment=-30.0)
    monitors = [[noisy(I, seed=k + 10 * c) for k, I in enumerate(cell)] for c, cell in enumerate((mine, theirs))]
    inputs = (
        In(),
        In(number=4, name="Im A", unit="pA"),
        In(number=1, name="IN 1"),
        In(number=5, name="Im B", unit="pA"),
    )
    other = ((1, 0.0, 0.0, 4000, 0), (1, 40.0, -30.0, 10000, 0))
    path = write_abf2(
        tmp_path / "a.abf",
        stacked(volts(mine), monitors[0], volts(theirs), monitors[1]),
        inputs=inputs,
        outputs=(Out(epochs=STEPS), Out(number=1, name="Cmd 1", epochs=other)),
    )
    for channel, expected in (("IN 0", monitors[0]), ("IN 1", monitors[1])):
        assert_currents(read(path, channel=channel), expected)


def test_two_monitors_of_the_same_protocol_are_asked_about(tmp_path):
    monitors = [[noisy(I, seed=k + 10 * c) for k, I in enumerate(steps())] for c in range(2)]
    path = write_abf2(tmp_path / "a.abf", stacked(volts(steps()), *monitors), outputs=(Out(epochs=STEPS),),
                      inputs=(In(), In(number=4, name="A", unit="pA"), In(number=5, name="B", unit="pA")))  # fmt: skip
    with pytest.raises(LeakyflowError, match=r"1 \(A\), 2 \(B\). Pass current="):
        read(path)
    assert_currents(read(path, current="B"), monitors[1])


# Scales, labels and clamp.


def test_a_command_in_volts_with_a_scale_is_a_current(tmp_path):
    table = ((1, 0.0, 0.0, 4000, 0), (1, -10.0, 5.0, 10000, 0))  # mV
    output = Out(name="Ext 10 pA/mV", unit="mV", epochs=table)
    path = write_abf2(tmp_path / "a.abf", volts(steps()), outputs=(output,))
    assert_currents(read(path), steps())
    monitor = [noisy(I) for I in steps()]
    both = write_abf2(tmp_path / "b.abf", stacked(volts(monitor), monitor), outputs=(output,),
                      inputs=(In(), In(number=1, name="Imemb", unit="pA")))  # fmt: skip
    found = read(both)
    assert_currents(found, monitor)
    np.testing.assert_allclose(found[0].command, steps()[0], atol=1e-3)


def test_an_idle_command_in_mV_does_not_make_a_current_clamp_voltage_clamp(tmp_path):
    idle = Out(unit="mV", epochs=((1, -70.0, 10.0, 9000, 0),))
    monitor = [noisy(I) for I in steps()]
    both = write_abf2(tmp_path / "a.abf", stacked(volts(monitor), monitor), outputs=(idle,),
                      inputs=(In(), In(number=1, unit="pA")))  # fmt: skip
    assert_currents(read(both), monitor)
    alone = write_abf2(tmp_path / "b.abf", volts(steps()), outputs=(idle, Out(number=1, epochs=STEPS)))
    assert_currents(read(alone), steps())


def test_a_voltage_that_follows_its_command_is_voltage_clamp(tmp_path):
    table = ((1, -70.0, 0.0, 4000, 0), (1, -90.0, 30.0, 10000, 0), (1, -70.0, 0.0, 4000, 0))
    held = [noisy(-70 + step(level), noise=0.2) for level in (-20.0, 10.0, 40.0)]
    path = write_abf2(tmp_path / "a.abf", held, outputs=(Out(unit="mV", holding=-70.0, epochs=table),))
    with pytest.raises(LeakyflowError, match=r"IN 0 \[mV\] follows the command Cmd 0 \[mV\]: .* voltage-clamp file"):
        read(path)


def clamped(noise):
    """Voltage at two levels, and the membrane current that holds it there."""
    V = [noisy(-60 + step(10.0 + k), noise=noise, seed=k) for k in range(3)]
    I = [noisy(0.5 * (v + 60) + 8 * np.gradient(v), noise=4.0, offset=-30.0, seed=9) for v in V]
    return V, I


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_voltage_clamp_is_told_by_a_voltage_without_noise_beside_a_current_with(noise, tmp_path):
    V, I = clamped(noise)
    path = write_abf2(tmp_path / "a.abf", stacked(I, V), outputs=(Out(unit="mV", source=0),),
                      inputs=(In(unit="pA"), In(number=1, name="AO #0")))  # fmt: skip
    with pytest.raises(LeakyflowError, match=r"AO #0 \[mV\] stands at levels without noise while IN 0 \[pA\] does not"):
        read(path)


@pytest.mark.parametrize("tau", [1.0, 5.0, 50.0])
@pytest.mark.parametrize("output", [Out(unit="mV", source=0), Out(epochs=STEPS)], ids=["no command", "command"])
def test_current_clamp_of_any_membrane_is_not_taken_for_voltage_clamp(tau, output, tmp_path):
    monitor = [noisy(I, seed=k) for k, I in enumerate(steps())]
    path = write_abf2(tmp_path / "a.abf", stacked(volts(monitor, tau=tau), monitor), outputs=(output,),
                      inputs=(In(), In(number=1, unit="pA")))  # fmt: skip
    assert_currents(read(path), monitor)


def spiking(n=3):
    """Membrane voltage with spikes, in mV."""
    V, _ = sweep(DT, duration=N * DT)
    return [V] * n


def test_a_voltage_labelled_pA_is_named_for_what_it_is(tmp_path):
    alone = write_abf2(tmp_path / "a.abf", spiking(), inputs=(In(unit="pA"),), outputs=(Out(unit="mV", epochs=STEPS),))
    with pytest.raises(LeakyflowError, match=r"IN 0 \[pA\] rests and moves .*Cmd 0 \[mV\] would be the current"):
        read(alone)
    swapped = write_abf2(tmp_path / "b.abf", stacked(spiking(), steps(3)), outputs=(Out(unit="mV", source=0),),
                         inputs=(In(unit="pA"), In(number=1, name="IN 1", unit="mV")))  # fmt: skip
    with pytest.raises(LeakyflowError, match=r"IN 0 \[pA\] rests and moves .*IN 1 \[mV\] would be the current"):
        read(swapped)


def test_a_voltage_labelled_pA_is_named_by_its_delay_where_it_does_not_spike(tmp_path):
    path = write_abf2(
        tmp_path / "a.abf", volts(steps(3)), inputs=(In(unit="pA"),), outputs=(Out(unit="mV", epochs=STEPS),)
    )
    with pytest.raises(LeakyflowError, match=r"IN 0 \[pA\] rests and moves .*Cmd 0 \[mV\] would be the current"):
        read(path)


def test_a_membrane_current_is_not_taken_for_a_mislabelled_voltage(tmp_path):
    table = ((1, -60.0, 0.0, 4000, 0), (1, -50.0, 1.0, 10000, 0))
    output = Out(unit="mV", holding=-60.0, epochs=table)
    path = write_abf2(tmp_path / "a.abf", clamped(0.0)[1], inputs=(In(unit="pA"),), outputs=(output,))
    with pytest.raises(LeakyflowError, match="This is a voltage-clamp file: the current was recorded"):
        read(path)


# Stimulus files.


def write_atf(path, traces, signals=("OUT 0",), dt=DT):
    """Episodes of shape (episode, time) of each signal, in columns."""
    episodes = [trace for episode in zip(*traces, strict=True) for trace in episode]
    line = '"Signals="\t' + "\t".join(f'"{name}"' for _ in traces[0] for name in signals)
    titles = "\t".join(['"Time (s)"', *(f'"Trace #{n + 1} (pA)"' for n in range(len(episodes)))])
    table = np.column_stack([np.arange(N) * dt / 1000, *episodes])
    header = f'ATF\t1.0\n2\t{len(episodes) + 1}\n"AcquisitionMode=Episodic Stimulation"\n{line}\n{titles}'
    np.savetxt(path, table, delimiter="\t", header=header, comments="", fmt="%.6g")


def test_each_sweep_gets_its_own_episode_of_an_atf_file(tmp_path):
    path = write_abf2(tmp_path / "a.abf", volts(steps(3)), outputs=(Out(source=2, file="Played.ATF"),))
    write_atf(tmp_path / "played.atf", [steps(3)])  # case matters on some systems only
    assert_currents(read(path), steps(3))
    assert_currents(read(path, current=tmp_path / "played.atf"), steps(3))


def test_each_sweep_gets_its_own_episode_of_an_abf_file(tmp_path):
    write_abf2(tmp_path / "played.abf", [I[None] for I in steps(3)], inputs=(In(unit="pA"),), outputs=())
    path = write_abf2(tmp_path / "a.abf", volts(steps(3)), outputs=(Out(source=2, file="played.abf"),))
    assert_currents(read(path), steps(3))


@pytest.mark.parametrize(
    ("episode", "first"), [(0, 0), (2, 1), (-1, 1)], ids=["all", "the second", "all but the first"]
)
def test_the_header_says_which_episodes_were_played(episode, first, tmp_path):
    path = write_abf2(tmp_path / "a.abf", volts(steps(2)), outputs=(Out(source=2, file="p.atf", episode=episode),))
    write_atf(tmp_path / "p.atf", [steps(3)])
    expected = [first, first] if episode > 0 else [first, first + 1]
    assert_currents(read(path), [steps(3)[k] for k in expected])


def test_an_only_episode_is_played_in_every_sweep(tmp_path):
    path = write_abf2(tmp_path / "a.abf", volts(steps(3)), outputs=(Out(source=2, file="p.atf"),))
    write_atf(tmp_path / "p.atf", [[step(70.0)]])
    assert_currents(read(path), [step(70.0)] * 3)


def test_a_stimulus_file_of_too_few_episodes_is_refused(tmp_path):
    path = write_abf2(tmp_path / "a.abf", volts(steps(3)), outputs=(Out(source=2, file="p.atf"),))
    write_atf(tmp_path / "p.atf", [steps(2)])
    with pytest.raises(
        LeakyflowError, match=r"p.atf must hold the 20000 samples that sweep 2 .* none in its episode 3"
    ):
        read(path)


def test_signals_of_an_episode_stand_side_by_side(tmp_path):
    path = write_abf2(tmp_path / "a.abf", volts(steps(3)), outputs=(Out(source=2, file="p.atf"),))
    write_atf(tmp_path / "p.atf", [steps(3), steps(3, start=0.0)], signals=("OUT 0", "OUT 1"))
    assert_currents(read(path), steps(3))


# What a list shows.


def test_the_list_names_protocol_channel_and_clamp(tmp_path):
    path = write_abf2(tmp_path / "a.abf", volts(steps(2)), outputs=(Out(epochs=STEPS),), protocol="IV curve")
    found = list_sweeps(path)
    assert [(s.index, s.name, s.electrode, s.protocol, s.clamp) for s in found] == [
        (k, str(k), "IN 0", "IV curve", "current clamp") for k in range(2)
    ]


# Version 1, by the bytes of a real file.


def patched(path, to, *changes):
    content = bytearray(path.read_bytes())
    for offset, form, *values in changes:
        struct.pack_into(form, content, offset, *values)
    to.write_bytes(content)
    return to


def test_user_lists_of_version_1_are_applied(real_recordings, tmp_path):
    source = real_recordings / "steps_190619B_0003_abf1.abf"
    plain = read(source, channel=0)
    values = [f"{v:g}" for v in range(10, 110, 10)]
    listed = patched(
        source, tmp_path / "a.abf", (3360, "<h", 1), (3368, "<h", 22), (3376, "64s", ",".join(values).encode())
    )
    assert [raw.I.max() for raw in read(listed, channel=0)] == [float(v) for v in values]
    assert [raw.I.max() for raw in plain] != [float(v) for v in values]


def test_pulse_trains_of_version_1_are_played(real_recordings, tmp_path):
    """PyABF does not read period and width of version 1, and so plays a train as nothing."""
    source = real_recordings / "steps_190619B_0003_abf1.abf"
    path = patched(
        source,
        tmp_path / "a.abf",
        (2308 + 2, "<h", 3),
        (2348 + 4, "<f", 80.0),
        (2136 + 4, "<i", 1000),
        (2216 + 4, "<i", 250),
    )
    I = read(path, channel=0)[0].I
    duration = struct.unpack_from("<i", path.read_bytes(), 2508 + 4)[0]
    assert (I == 80.0).sum() == duration // 1000 * 250


# Damage.


def damaged(folder, offset, form, *values):
    path = write_abf2(folder / "a.abf", volts(steps(2)), outputs=(Out(epochs=STEPS),))
    return patched(path, path, (offset, form, *values))


@pytest.mark.parametrize(
    ("offset", "form", "value"),
    [
        (12, "<I", 2**31),
        (12, "<I", 30000),
        (84, "<q", 0),
        (76, "<I", 2**31),
        (100, "<q", 0),
        (100, "<q", 17),
        (100, "<q", -1),
        (116, "<q", 2**40),
        (228, "<q", 2**30),
        (240, "<I", 2**31),
        (244, "<q", 0),
        (244, "<q", 2**50),
        (244, "<q", -5),
        (260, "<q", 2**31),
        (324, "<q", 2**31),
        (180, "<q", 2**31),
    ],
)
def test_a_header_that_cannot_be_is_refused(offset, form, value, tmp_path):
    path = damaged(tmp_path, offset, form, value)
    with pytest.raises(LeakyflowError, match=r"a\.abf .*(header cannot be right|cannot be read|has no samples)"):
        read(path)


@pytest.mark.parametrize("interval", [0.0, -50.0, float("nan"), float("inf"), 1e9])
def test_an_interval_that_is_no_time_is_refused(interval, tmp_path):
    path = write_abf2(tmp_path / "a.abf", volts(steps(2)), outputs=(Out(epochs=STEPS),), dt=interval / 1000)
    with pytest.raises(LeakyflowError, match=r"a\.abf|sampled every"):
        read(path)


@pytest.mark.parametrize("level", [float("nan"), float("inf")])
def test_a_level_that_is_no_number_is_refused(level, tmp_path):
    path = write_abf2(tmp_path / "a.abf", volts(steps(2)), outputs=(Out(epochs=((1, level, 0.0, 400, 0),)),))
    with pytest.raises(LeakyflowError, match="400 of 20000 samples are not in the file"):
        read(path)


@pytest.mark.parametrize(("offset", "form", "value"), [
    (16, "<i", 2**30), (120, "<h", 0), (120, "<h", 99), (122, "<f", float("nan")), (122, "<f", 0.0), (10, "<i", -4),
    (48, "<i", 2**30), (40, "<i", 2**20), (410, "<h", 99), (410, "<h", -1), (244, "<f", float("nan")),
])  # fmt: skip
def test_a_header_of_version_1_that_cannot_be_is_refused(offset, form, value, tmp_path):
    V, I = sweep(0.1)
    write_abf(tmp_path / "a.abf", V, I, 0.1)
    path = patched(tmp_path / "a.abf", tmp_path / "a.abf", (offset, form, value))
    with pytest.raises(LeakyflowError, match=r"a\.abf"):
        read_recording(path)


@pytest.mark.parametrize("seed", range(3))
def test_a_file_with_any_bytes_changed_is_read_or_refused(seed, tmp_path):
    path = write_abf2(
        tmp_path / "whole.abf", volts(steps(2)), outputs=(Out(epochs=STEPS),), user_lists=((0, 62, "1,2"),)
    )
    content, rng = path.read_bytes(), np.random.default_rng(seed)
    for _ in range(60):
        changed = bytearray(content)
        for place in rng.integers(4, 512 if rng.random() < 0.5 else len(content), size=rng.integers(1, 5)):
            changed[place] = rng.integers(256)
        (tmp_path / "a.abf").write_bytes(changed)
        with suppress(LeakyflowError):
            list_sweeps(tmp_path / "a.abf")


def test_a_stimulus_file_is_looked_for_beside_the_recording_only(real_recordings, tmp_path, monkeypatch):
    shutil.copy(real_recordings / "chirp_171116sh_0017.abf", tmp_path)
    monkeypatch.chdir(real_recordings)
    with pytest.raises(LeakyflowError, match="which is missing"):
        read(tmp_path / "chirp_171116sh_0017.abf")
