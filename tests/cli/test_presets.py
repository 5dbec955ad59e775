"""The list of presets."""

import re

import leakyflow.training.config
from leakyflow.cli.presets import PURPOSES
from tests.cli.terminal import leakyflow_


def test_presets_lists_each_with_its_purpose():
    result = leakyflow_("presets")
    assert result.exit_code == 0
    assert set(PURPOSES) == set(leakyflow.training.config.presets())
    for name in PURPOSES:
        assert re.search(rf"^ {name} ", result.stdout, re.MULTILINE)
    assert "threshold_noise" in result.stdout  # nothing is cut off
