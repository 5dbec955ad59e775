"""Parameters, priors, stimuli and the leaky integrate-and-fire model; datasets drawn from them."""
