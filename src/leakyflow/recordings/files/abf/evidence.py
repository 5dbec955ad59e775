"""What the traces of an ABF file say of its channels: whose current is whose, and what was clamped."""

import numpy as np

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.files.abf.channels import Channel, Output
from leakyflow.recordings.files.abf.file import AbfFile
from leakyflow.recordings.files.abf.output import Commands, current_scale
from leakyflow.recordings.files.behaviour import is_clamped, is_membrane_voltage, lags, line, response, rests
from leakyflow.recordings.files.units import quantity, scale

__all__ = ["Evidence"]

_FOLLOWS = 0.5  # share of the variance of a monitor that its own command explains
_ANSWERS = 0.1  # further share of the variance of V that tells one current from another
_COPIES, _GAINS = 0.95, (0.8, 1.25)  # share of the variance of V, and gain, where a command in volts clamps V
_ALIKE = 0.02  # of two commands that a monitor follows as well, the nearer one counts
_ABSURD = 1e12
_MOST_SWEEPS = 12  # that are looked at


class Evidence:
    """What the traces say; at most 12 sweeps are looked at, spread evenly.

    Args:
        file: The file.
        commands: What the outputs commanded.
    """

    def __init__(self, file: AbfFile, commands: Commands) -> None:
        self._file, self._commands = file, commands
        spread = np.linspace(0, len(file.sweeps) - 1, min(len(file.sweeps), _MOST_SWEEPS))
        self._sweeps = [int(sweep) for sweep in spread if file.sweeps[int(sweep)][1] > 1]

    def recorded(self, channel: Channel) -> list[np.ndarray]:
        """Samples of a channel, sweep by sweep; voltages in mV; NaN for numbers that nothing records.

        Args:
            channel: The channel.
        """
        factor = scale(channel.unit, "mV") if quantity(channel.unit) == "voltage" else 1.0
        traces = [factor * self._file.samples(channel, sweep) for sweep in self._sweeps]
        return [np.where(np.abs(trace) < _ABSURD, trace, np.nan) for trace in traces]

    def _commanded(self, output: Output) -> list[np.ndarray] | None:
        """The command, or None where it is constant or not known."""
        try:
            played = [self._commands.of(output, sweep) for sweep in self._sweeps]
        except LeakyflowError:  # a stimulus file is missing, which matters only where the command is needed
            return None
        whole = np.concatenate(played) if played else np.zeros(1)
        return played if np.isfinite(whole).all() and np.ptp(whole) > 0 else None

    def belongs(self, monitor: Channel, V: Channel, own: Output | None) -> bool:
        """Whether a recorded current is that of this cell, not the monitor of another amplifier.

        Args:
            monitor: The recorded current.
            V: The recorded voltage.
            own: The output of the amplifier of V, where it is known.
        """
        command = None if own is None else self._commanded(own)
        followed = self._followed(monitor)
        best = max(followed, key=lambda n: followed[n], default=None)
        if own is not None and best is not None:
            if command is not None:
                return followed.get(own.index, 0.0) >= followed[best] - _ALIKE
            return own.number != V.number  # it follows another's command, while that of V stands still
        trace = self.recorded(monitor)
        if command is not None:
            return self._driven(V, trace) > self._driven(V, command) + _ANSWERS
        return not self._clamps(monitor.number) or self._driven(V, trace) >= _FOLLOWS

    def _driven(self, V: Channel, current: list[np.ndarray]) -> float:
        return response(self.recorded(V), current, self._file.dt)

    def _clamps(self, number: int) -> bool:
        """Whether the output of a number commands a voltage that changes."""
        volts = [output for output in self._volts() if output.number == number]
        return any(self._commanded(output) is not None for output in volts)

    def _volts(self) -> list[Output]:
        return [o for o in self._file.outputs if quantity(o.unit) == "voltage" and current_scale(o) is None]

    def _followed(self, monitor: Channel) -> dict[int, float]:
        """Commands of currents that a recorded current follows, and how well."""
        trace, shares = self.recorded(monitor), {}
        for output in self._file.outputs:
            command = None if current_scale(output) is None else self._commanded(output)
            if command is not None:
                shares[output.index] = line(command, trace, self._file.dt).share
        return {index: share for index, share in shares.items() if share >= _FOLLOWS}

    def command_of(self, monitor: Channel) -> Output | None:
        """The command that a recorded current follows best, if any.

        Args:
            monitor: The recorded current.
        """
        followed = self._followed(monitor)
        return self._file.outputs[max(followed, key=lambda n: followed[n])] if followed else None

    def clamp(self, V: Channel) -> str:
        """Say why V was clamped; empty where it was not.

        V copies a command in volts, or stands at levels without noise while a recorded current does not.

        Args:
            V: The recorded voltage.
        """
        held, dt = self.recorded(V), self._file.dt
        for output in self._volts():
            command = self._commanded(output)
            if command is not None:
                copy = line(command, held, dt)
                if copy.share >= _COPIES and _GAINS[0] <= copy.gain <= _GAINS[1]:
                    return f"{V} follows the command {output}"
        for monitor in self._file.channels:
            free = quantity(monitor.unit) == "current" and not self._followed(monitor)
            if free and is_clamped(held, self.recorded(monitor), dt):
                return f"{V} stands at levels without noise while {monitor} does not"
        return ""

    def mislabelled(self) -> str:
        """Name a channel that does what a membrane does under the unit of a current, where no voltage rests like one.

        It spikes, or it rests and answers to a command in volts with a delay, as no clamped current does.
        """
        if any(quantity(found.unit) == "voltage" and rests(self.recorded(found)) for found in self._file.channels):
            return ""
        for found in self._file.channels:
            if quantity(found.unit) != "voltage":
                trace = self.recorded(found)
                if is_membrane_voltage(trace, self._file.dt) or self._lags(trace):
                    return str(found)
        return ""

    def _lags(self, trace: list[np.ndarray]) -> bool:
        commands = [self._commanded(output) for output in self._volts()]
        return rests(trace) and any(command is not None and lags(trace, command, self._file.dt) for command in commands)
