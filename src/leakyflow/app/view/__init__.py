"""The page: thin, by Panel and Bokeh; whatever it decides is decided in `leakyflow.app`."""
