"""What is chosen on the page: which part of a file, and how it is inferred."""

from dataclasses import dataclass

from leakyflow.again import again
from leakyflow.app.limits import MOST_DRAWS
from leakyflow.errors import LeakyflowError
from leakyflow.recordings.window import Window

__all__ = ["Choice"]


@dataclass(frozen=True, kw_only=True)
class Choice(Window):
    """Settings with the names that they have in `read_recording`, `load_posterior` and `Posterior.sample`.

    Attributes:
        sweep: Number of the sweep that is looked at.
        whole: Whether all sweeps of the file are inferred, as one cell; else the one that is looked at.
        network: Name of a network that ships, or folder of a run.
        n_draws: Posterior draws.
        seed: Of everything random.
        amortized: Whether the network's draws are left uncorrected.

    Example:
        >>> print(Choice(sweep=3, start=900.0).python("cell.abf"))
        import leakyflow as lf
        <BLANKLINE>
        posterior = lf.load_posterior('lif')
        cell = lf.read_cell('cell.abf', [3], start=900.0, dt=posterior.dt)
        verdict = lf.adequacy_of(posterior, cell, n_draws=1000, seed=0)
        print(verdict.draws.summary())
        print(verdict)
    """

    sweep: int | None = None
    whole: bool = False
    network: str = "lif"
    n_draws: int = 1000
    seed: int = 0
    amortized: bool = False

    def __post_init__(self) -> None:
        if not 100 <= self.n_draws <= MOST_DRAWS:
            raise LeakyflowError(f"`n_draws` must be 100 to {MOST_DRAWS}, got {self.n_draws}.", argument="n_draws")
        if self.seed < 0:
            raise LeakyflowError(f"`seed` must not be negative, got {self.seed}.", argument="seed")

    @property
    def numbers(self) -> list[int] | None:
        """Sweeps that are inferred; None for all."""
        return None if self.whole or self.sweep is None else [self.sweep]

    def command(self, file: str) -> str:
        """The command that does what is on the page.

        Example:
            >>> Choice(sweep=3, start=900.0).command("my cell.abf")
            "leakyflow infer 'my cell.abf' --sweep 3 --start 900 --network lif --draws 1000 --seed 0 --report"
        """
        given = {"sweep": self.numbers} | self.reading
        given["dt"] = given.pop("dt_file")
        how = {"network": self.network, "draws": self.n_draws, "amortized": self.amortized, "seed": self.seed}
        return again("infer", file, **given, **how, report=True)

    def python(self, file: str) -> str:
        """The lines of Python that do the same."""
        given = {name: value for name, value in self.reading.items() if value is not None}
        sweeps = "" if self.numbers is None else f", {self.numbers}"
        reading = sweeps + "".join(f", {name}={value!r}" for name, value in given.items())
        how = f"n_draws={self.n_draws}, seed={self.seed}"
        own = [f"draws = posterior.sample(cell, {how}, correct=False)"] if self.amortized else []
        return "\n".join(
            [
                "import leakyflow as lf",
                "",
                f"posterior = lf.load_posterior({self.network!r})",
                f"cell = lf.read_cell({file!r}{reading}, dt=posterior.dt)",
                *own,
                f"verdict = lf.adequacy_of(posterior, cell, {'draws=draws, hold_out=[], ' if own else ''}{how})",
                "print(verdict.draws.summary())",
                "print(verdict)",
            ]
        )
