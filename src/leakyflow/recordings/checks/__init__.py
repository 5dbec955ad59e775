"""What cannot be in a recording of a neuron, or may be meant but should be known; before any inference."""
