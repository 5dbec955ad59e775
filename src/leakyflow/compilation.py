"""What JAX compiles is kept from one process to the next."""

import os
import platform
import sys
from pathlib import Path

__all__ = ["keep_compiled"]

SWITCH = "LEAKYFLOW_COMPILATION_CACHE"
# JAX keeps by itself only what took a second to compile; here hundreds of small pieces add up to half a minute.
SETTINGS = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1"}


def keep_compiled() -> None:
    """Let JAX keep what it compiles in the user's cache folder.

    A folder or a setting that the environment names to JAX stays, and all of them where the program has named a folder;
    nothing is kept where the environment variable `LEAKYFLOW_COMPILATION_CACHE` is "off".
    """
    if os.environ.get(SWITCH, "").lower() in ("off", "0", "no", "false"):
        return
    loaded = sys.modules.get("jax")
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ and loaded and loaded.config.jax_compilation_cache_dir:
        return
    settings = {"JAX_COMPILATION_CACHE_DIR": os.environ.get("JAX_COMPILATION_CACHE_DIR", str(_folder()))} | SETTINGS
    for name, value in settings.items():
        os.environ.setdefault(name, value)
    if loaded:  # it has read its environment
        for name in settings:
            value = os.environ[name]
            number = float(value) if name.endswith("SECS") else int(value) if name.endswith("BYTES") else value
            loaded.config.update(name.lower(), number)


def _folder() -> Path:
    """A folder for each machine: what is compiled for one can crash another that shares the home directory."""
    import platformdirs

    return platformdirs.user_cache_path("leakyflow", appauthor=False) / (platform.node() or "here")
