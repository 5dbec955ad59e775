"""What typicality is asked of: checks, named statistics, and what the network itself sees."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from leakyflow.diagnostics.checks import CHECKS, UNSPECIFIC, check_statistics
from leakyflow.models.posterior import Block, Posterior
from leakyflow.models.statistics import STATISTICS, summary_statistics
from leakyflow.recordings.batch import Batch

__all__ = ["LABELS", "N_CHECKED", "N_NAMED", "WEIGHTS", "features_of"]

N_CHECKED, N_NAMED = len(CHECKS), len(CHECKS) + len(STATISTICS)  # features before the named statistics, the learned
LABELS = [
    *CHECKS.values(),
    *(f"`{name}` ({text.split(' [')[0]})" for name, text in STATISTICS.items()),
]
# A check says what is wrong; a statistic, and a check that sees everything, come after it.
WEIGHTS = np.array(
    [1.0 if name not in UNSPECIFIC else 1 / 3 for name in CHECKS]
    + [1 / 3 if name not in CHECKS else 0.0 for name in STATISTICS]
)


def features_of(
    posterior: Posterior, recordings: Batch, blocks: Sequence[Block] | None = None
) -> Float64[np.ndarray, "dataset feature"]:
    """Checks, statistics and learned features.

    Args:
        posterior: By whose network they are seen.
        recordings: One or many.
        blocks: Of these recordings, from `Posterior.blocks`, where they were made before.
    """
    parts = []
    for _, block, features, summary in blocks or posterior.blocks(recordings):
        s = features.sufficient
        assert s is not None  # cells have a typicality of their own
        parts.append(np.concatenate([check_statistics(block, s), summary_statistics(block, s), summary], axis=1))
    return np.concatenate(parts)
