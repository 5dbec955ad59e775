"""What is said of a posterior is true until the end, and can be read."""

import numpy as np
import pytest

pytest.importorskip("panel")

from leakyflow.app.result import Curve, Early, Parameter
from leakyflow.app.view.figures import panel
from leakyflow.app.view.results import ResultPane

# Panel and the pandas that it calls announce what later versions will not have.
pytestmark = pytest.mark.filterwarnings("ignore:.* is deprecated")


def parameter(sd: float) -> Parameter:
    curve = Curve(np.linspace(0.0, 1.0, 5), np.ones(5))
    values = {"mean": 0.025, "sd": sd, "between": np.nan, "low": 0.02, "high": 0.03, "decimals": 4}
    named = {"name": "R_s", "unit": "GOhm", "meaning": "series resistance", "prior": "normal"}
    return Parameter(**named, **values, prior_range=(0.0, 1.0), curve=curve)


def said(pane: ResultPane) -> str:
    return " ".join(str(part.object) for part in pane.object)


@pytest.mark.parametrize(("sd", "shown"), [(2e-05, "0.00002"), (177.0, "180"), (21.4, "21"), (0.043, "0.043")])
def test_an_sd_has_two_digits_and_no_power_of_ten(sd, shown):
    assert parameter(sd).exactly(sd) == shown


def test_parameters_whose_worth_nobody_will_know_say_so(session):
    pane = ResultPane(session, print)
    pane.expect(Early("cell.abf", "lif", (parameter(0.001),)))
    assert "is being worked out" in said(pane)
    pane.give_up("Cancelled.")
    assert "is not known. Cancelled." in said(pane)
    assert "is being worked out" not in said(pane)
    assert "0.001" in said(pane)


def test_what_ends_before_anything_is_shown_says_nothing_of_it(session):
    pane = ResultPane(session, print)
    pane.give_up("Cancelled.")
    assert said(pane) == ""


def test_a_low_figure_has_few_numbers_at_its_side():
    assert (
        panel("I", height=120).yaxis[0].ticker.desired_num_ticks
        < panel("V", height=300).yaxis[0].ticker.desired_num_ticks
    )
