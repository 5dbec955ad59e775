"""Why a recording is called atypical: what stands out most."""

import numpy as np
from jaxtyping import Float64

from leakyflow.diagnostics.cloud import PARTS, Cloud
from leakyflow.diagnostics.features import LABELS, N_NAMED, WEIGHTS
from leakyflow.diagnostics.wording import beyond, sentence

__all__ = ["reason_of"]

N_REASONS = 2  # reasons given
REMARKABLE = 2.5  # normal score from which on a single number is named


def reason_of(cloud: Cloud, z: Float64[np.ndarray, "1 feature"]) -> str:
    """What stands out most: single numbers if they do, else the part of the score that does."""
    named, part_scores = z[0, :N_NAMED], cloud.part_scores(z)[0]
    salience = np.abs(named) * WEIGHTS
    largest = np.argsort(-salience)[:N_REASONS]
    if np.abs(named[largest[0]]) >= REMARKABLE:
        remarkable = [i for i in largest if salience[i] >= salience[largest[0]] / 3.0]
        sides = [f"{LABELS[i]} is {'above' if named[i] > 0 else 'below'} {beyond(named[i])}" for i in remarkable]
        return sentence("; ".join(sides))
    share = beyond(part_scores.max())
    if PARTS[int(part_scores.argmax())] == "features":
        return sentence(f"what the network makes of it is further out than {share}")
    first, second = np.argsort(-named * (cloud.relations @ named))[:2]
    return sentence(f"{LABELS[first]} and {LABELS[second]} do not fit each other: further out than {share}")
