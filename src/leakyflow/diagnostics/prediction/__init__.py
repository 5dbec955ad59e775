"""How well a neuron predicts what was not shown to it: voltage, spikes, rates, and a band that holds what it lacks."""
