"""What the small network is worth that `leakyflow run` trains: by 1,000 recordings that it never saw.

    python benchmarks/quick.py

Runs the command in a folder that goes away, and keeps what its diagnosis found of the network's own draws in
`benchmarks/results/quick.json`: of each parameter the SD of the prior, the error of the posterior mean, the
contraction, and how often intervals hold the truth; with the seconds on the clock, and the load of the machine in the
end.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from leakyflow.files import replacing

RESULTS = Path(__file__).parent / "results" / "quick.json"
COMMAND = "import sys; from leakyflow.cli import main; sys.argv[0] = 'leakyflow'; main()"
KEPT = ("unit", "prior_sd", "rmse", "contraction", "coverage90")


def main() -> None:
    """Run it, and keep what it found."""
    with tempfile.TemporaryDirectory() as name:
        folder, begun = Path(name) / "quick", time.perf_counter()
        subprocess.run([sys.executable, "-c", COMMAND, "run", "--out", str(folder)], check=True)
        seconds = time.perf_counter() - begun
        found = pd.read_csv(folder / "diagnostics" / "recovery_amortized.csv", index_col=0)
    result = {
        "seconds": round(seconds),
        "load": os.getloadavg()[0],
        "parameters": found[list(KEPT)].to_dict("index"),
    }
    with replacing(RESULTS) as scratch:
        scratch.write_text(json.dumps(result, indent=1) + "\n")
    print(found[list(KEPT)])


if __name__ == "__main__":
    main()
