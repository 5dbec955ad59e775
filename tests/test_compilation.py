"""What is compiled is kept, where nobody says otherwise."""

import pytest

from tests.fresh import run_python

COMPILE = """
import sys
{before}
import leakyflow, jax, jax.numpy as jnp
{after}
jax.jit(lambda x: jnp.sin(x) + 1)(jnp.ones(3)).block_until_ready()
"""
UNSET = {"JAX_COMPILATION_CACHE_DIR": None, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": None}
UNSET |= {"JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": None}


def kept(tmp_path, *, before: str = "", after: str = "", **environment: str | None) -> list[str]:
    """Files below the user's cache folder, after something small was compiled."""
    run_python(COMPILE.format(before=before, after=after), **UNSET | {"XDG_CACHE_HOME": str(tmp_path)} | environment)
    return [path.name for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("before", ["", "import jax"], ids=["leakyflow first", "jax first"])
def test_what_python_users_compile_is_kept_in_their_cache_folder(before, tmp_path):
    assert kept(tmp_path, before=before)
    assert (tmp_path / "leakyflow").is_dir()


def test_a_setting_turns_it_off(tmp_path):
    assert kept(tmp_path, LEAKYFLOW_COMPILATION_CACHE="off") == []


def test_small_pieces_are_kept_in_a_folder_that_the_environment_names(tmp_path):
    own = tmp_path / "own"
    kept(tmp_path, JAX_COMPILATION_CACHE_DIR=str(own))
    assert list(own.iterdir())
    kept(tmp_path, JAX_COMPILATION_CACHE_DIR=str(tmp_path / "large"), JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="9")
    assert not (tmp_path / "large").exists() or not list((tmp_path / "large").iterdir())


def test_the_folder_that_jax_was_told_stays(tmp_path):
    own = tmp_path / "own"
    assert kept(tmp_path, JAX_COMPILATION_CACHE_DIR=str(own), JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="0")
    assert not (tmp_path / "leakyflow").exists()
