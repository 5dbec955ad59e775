"""The neurons of `accuracy.py` by sbi; run by the interpreter of sbi's own environment.

    python benchmarks/accuracy_sbi.py runs/accuracy/standard nsf

Trains neural posterior estimation with sbi's defaults on the simulations in FOLDER/train.npz: normal scores of the
parameters given the statistics (`nsf`, `maf`), tamed as our own network sees them, or given the raw trace with an LSTM
embedding (`lstm`). Then it draws from the posterior of each held-out recording in FOLDER/test.npz, and writes draws
and densities to FOLDER/sbi_KIND.npz.
"""

import argparse
import json
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from sbi.inference import NPE
from sbi.neural_nets import posterior_nn

N_DRAWS = 2000
PATCH = 25


class Embedding(torch.nn.Module):
    """Two LSTM layers on patches of the trace, as in the `lstm` preset."""

    def __init__(self, n_time: int, n_channels: int, units: int = 64) -> None:
        super().__init__()
        self.shape = n_time // PATCH, PATCH * n_channels
        self.lstm = torch.nn.LSTM(self.shape[1], units, num_layers=2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The last hidden state."""
        return self.lstm(x.reshape(-1, *self.shape))[0][:, -1]


def main() -> None:
    """Train, draw and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("kind", choices=("nsf", "maf", "lstm"))
    parser.add_argument("--n", type=int, help="simulations; all by default")
    parser.add_argument("--epochs", type=int, help="at most; sbi stops by itself after 20 without improvement")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    train, test = (np.load(arguments.folder / f"{name}.npz", mmap_mode="r") for name in ("train", "test"))
    column = "trace" if arguments.kind == "lstm" else "statistics"
    x_train, x_test = torch.from_numpy(train[column][: arguments.n]), torch.from_numpy(test[column])
    z_train = torch.from_numpy(train["z"][: len(x_train)])
    z_test = torch.from_numpy(test["z"])
    estimator = arguments.kind
    if arguments.kind == "lstm":
        shape = x_train.shape[1:]
        x_train, x_test = x_train.flatten(1), x_test.flatten(1)
        estimator = posterior_nn("nsf", embedding_net=Embedding(*shape))
    n_params = z_train.shape[1]
    prior = torch.distributions.MultivariateNormal(torch.zeros(n_params), torch.eye(n_params))
    began, cpu_began = time.perf_counter(), time.process_time()
    inference = NPE(prior=prior, density_estimator=estimator, show_progress_bars=False)
    inference.append_simulations(z_train, x_train)
    limit = {"max_num_epochs": arguments.epochs} if arguments.epochs else {}
    network = inference.train(**limit)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began
    posterior = inference.build_posterior()
    with torch.no_grad():
        log_q = torch.cat(
            [network.log_prob(z_test[i : i + 500][None], x_test[i : i + 500])[0] for i in range(0, len(z_test), 500)]
        )
        drawn = test["recordings"][()]
        draws = np.empty((drawn, N_DRAWS, n_params), np.float32)
        log_q_draws = np.empty((drawn, N_DRAWS), np.float32)
        times = []
        for i in range(drawn):
            start = time.perf_counter()
            sample = posterior.sample((N_DRAWS,), x=x_test[i : i + 1], show_progress_bars=False)
            times.append(time.perf_counter() - start)
            draws[i] = sample.numpy()
            log_q_draws[i] = network.log_prob(sample[:, None], x_test[i : i + 1])[:, 0].numpy()
    summary = inference.summary
    record = {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "threads": arguments.threads,
        "simulations": len(x_train),
        "epochs": len(summary["training_loss"]),
        "seconds_per_recording": float(np.median(times)),
        "draws": N_DRAWS,
        "versions": {name: version(name) for name in ("sbi", "torch")},
    }
    np.savez(
        arguments.folder / f"sbi_{arguments.kind}.npz",
        draws=draws,
        log_q_draws=log_q_draws,
        log_q=log_q.numpy(),
        record=json.dumps(record),
    )
    print(json.dumps(record))


if __name__ == "__main__":
    main()
