"""The command that lists presets."""

from leakyflow.cli.console import out
from leakyflow.cli.options import examples, group
from leakyflow.cli.tables import new_table

__all__ = ["commands"]

PURPOSES = {
    "quick": "A first look: the standard model, a minute of training",
    "standard": "Simulated neurons with a hard threshold; steps and sinusoids",
    "lstm": "As standard, from the trace itself by a recurrent network; two hours",
    "lif": "Real cells, at once: single sweeps, a noisy threshold, no adaptation",
    "cell": "Real cells, from all their sweeps: after-spike currents, a moving threshold, sag",
}

commands = group()


@commands.command(epilog=examples("presets"))
def presets() -> None:
    """List the presets, and what each is for."""
    from leakyflow.training.config import load_config
    from leakyflow.training.config import presets as names

    table = new_table("preset", "for", "inferred")
    for name in names():
        config = load_config(name)
        shortest, longest = config.simulator.duration
        training = f"{config.training.n_simulations:,} simulations, {config.training.epochs} epochs"
        purpose = f"{PURPOSES[name]}\n{shortest:g} to {longest:g} ms; {training}"
        table.add_row(name, purpose, ", ".join(config.simulator.prior.inferred))
    out.print(table)
