"""Is the posterior right? Numbers first; `plots` draws them."""
