"""All targets."""

from leakyflow.exports.allen import allen
from leakyflow.exports.brian2 import brian2
from leakyflow.exports.nest import nest
from leakyflow.exports.neuroml import neuroml
from leakyflow.exports.pynn import pynn
from leakyflow.exports.target import Target

__all__ = ["TARGETS"]

TARGETS: dict[str, Target] = {target.name: target for target in (nest, brian2, neuroml, allen, pynn)}
