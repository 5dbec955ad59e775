"""Code in a fresh interpreter, where nothing has been imported yet."""

import os
import subprocess
import sys


def run_python(code: str, **environment: str | None) -> subprocess.CompletedProcess[str]:
    """Run code, which must end well; environment variables are added, and one given as None is removed."""
    variables = {name: value for name, value in (os.environ | environment).items() if value is not None}
    result = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result
