"""How much one browser may ask for."""

__all__ = [
    "INFERENCE_SECONDS",
    "LISTING_SECONDS",
    "MOST_DRAWS",
    "MOST_FILES",
    "MOST_LISTED",
    "MOST_OVERLAID",
    "MOST_RESULTS",
    "MOST_UPLOADED",
    "QUICK_SECONDS",
    "UPLOAD_BYTES",
]

UPLOAD_BYTES = 256 * 2**20  # of one file
MOST_UPLOADED = 2**30  # bytes of all files of a session
MOST_FILES = 100  # that a session uploads
MOST_LISTED = 2000  # files of the folder that is browsed
LISTING_SECONDS = 20.0  # of looking for them
MOST_OVERLAID = 60  # sweeps over each other
MOST_DRAWS = 20_000
MOST_RESULTS = 8  # kept beside each other
INFERENCE_SECONDS = 1800.0  # of a cell with all its sweeps, on a slow machine
QUICK_SECONDS = 60.0  # of a simulation
