"""The explorer in the browser: look at a file, infer its neuron, and ask what if.

Its logic knows no browser: `shelf` (files), `choice` (settings), `trace` and `decimate` (what is drawn), `inference`
(the one place where a neuron is inferred), `worker` (a process for it), `session` (what one browser sees). `view` puts
it on a page, by Panel; `server` serves that page on this machine only.
"""
