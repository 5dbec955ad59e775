"""Summary statistics, summary networks, the coupling flow and the posterior built from them."""
