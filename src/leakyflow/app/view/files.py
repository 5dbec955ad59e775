"""Which file and which sweep."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pandas as pd
import panel as pn

from leakyflow.app.session import Session
from leakyflow.app.view.dropper import Dropper
from leakyflow.recordings.sweeps import Sweep

__all__ = ["FilesPane"]

COLUMNS = ("sweep", "protocol", "clamp", "length ms", "dt ms", "V mV", "I pA", "spikes", "checks")
UNCHECKED, UNCHOSEN = "…", "choose a file"
CHECKING = ThreadPoolExecutor(1, thread_name_prefix="checks")  # of all pages


class FilesPane:
    """The files of a session, and the sweeps of that which is open.

    Args:
        session: Whose.
        opened: Is called with the number of a file that is chosen.
        arrived: Is called with name and content of a file that is dropped.
        chosen: Is called with the number of a sweep that is chosen.
        notice: Shows a text, and whether it is bad.
        dark: Whether the page is dark.
    """

    def __init__(
        self,
        session: Session,
        *,
        dark: bool = False,
        opened: Callable[[int], None],
        arrived: Callable[[str, bytes], None],
        chosen: Callable[[int], None],
        notice: Callable[[str, bool], None],
    ) -> None:
        self.session, self._opened, self._chosen, self._notice = session, opened, chosen, notice
        self.dropper = Dropper(arrived, lambda text: notice(text, True), name="", sizing_mode="stretch_width")
        self.files = pn.widgets.Select(name="File", options={}, size=6, sizing_mode="stretch_width")
        self.table = pn.widgets.Tabulator(
            pd.DataFrame(columns=list(COLUMNS)),
            show_index=False,
            disabled=True,
            selectable=1,
            theme="midnight" if dark else "simple",
            max_height=210,
            layout="fit_data_stretch",
            widths={"protocol": 170, "checks": 120},
            sizing_mode="stretch_width",
            name="Sweeps",
        )
        self.files.param.watch(self._picked, "value")
        self.table.on_click(self._clicked)
        self._waiting: list[int] = []
        self._check: tuple[int, Future[str]] | None = None
        self._watch: Any = None
        self._quiet = False

    def list_files(self, number: int | None = None, *, quietly: bool = False) -> None:
        """Show all files, and choose one.

        Args:
            number: Of the chosen one.
            quietly: Whether it is open already.
        """
        self._quiet = True
        self._list(number)
        self._quiet = False
        if number is not None and not quietly:
            self._opened(number)

    def _list(self, number: int | None) -> None:
        entries = self.session.shelf.entries
        # Panel takes the first of the options where the value is none of them: then nobody could choose it.
        labels: dict[str, int | None] = {UNCHOSEN: None} if number is None and entries else {}
        for n, entry in entries.items():
            labels[entry.name if entry.name not in labels else f"{entry.name} (added)"] = n
        with pn.io.hold():
            self.files.options = labels
            self.files.value = number

    def list_sweeps(self) -> None:
        """Show the sweeps of the file that is open, and check them one by one while nothing else is done."""
        rows = [_row(sweep) for sweep in self.session.listed]
        self.table.hidden_columns = [] if any(sweep.protocol for sweep in self.session.listed) else ["protocol"]
        self.table.value = pd.DataFrame(rows, columns=list(COLUMNS))
        self.select()
        self._waiting, self._check = list(self.session.readable), None
        if self._watch is None and pn.state.curdoc is not None:
            self._watch = pn.state.add_periodic_callback(self._check_one, period=100)

    def select(self) -> None:
        """Mark the chosen sweep."""
        places = [n for n, sweep in enumerate(self.session.listed) if sweep.index == self.session.choice.sweep]
        self.table.selection = places[:1]

    def _check_one(self) -> None:
        """Have one sweep after another checked, in a thread, so that the page stays alive."""
        if self._check is not None and not self._check[1].done():
            return
        if self._check is not None:
            self._checked(self._check[0], self._check[1].result())
            self._check = None
        if self._waiting:
            number = self._waiting.pop(0)
            self._check = number, CHECKING.submit(self.session.checks, number)
        elif self._watch is not None:
            self._watch.stop()
            self._watch = None

    def _checked(self, number: int, said: str) -> None:
        places = [n for n, sweep in enumerate(self.session.listed) if sweep.index == number]
        if places:
            self.table.patch({"checks": [(places[0], said)]})

    def _picked(self, event: Any) -> None:
        if event.new is not None and not self._quiet:
            self._opened(event.new)

    def _clicked(self, event: Any) -> None:
        sweep = self.session.listed[event.row]
        if sweep.index is None:
            self._notice(f"This sweep is {sweep.clamp}: it cannot be read.", True)
        else:
            self._chosen(sweep.index)


def _row(sweep: Sweep) -> tuple[str, ...]:
    lengths = f"{sweep.duration:g}", f"{sweep.dt:g}"
    if sweep.index is None:
        return ("–", sweep.protocol or sweep.name, sweep.clamp, *lengths, "–", "–", "–", "cannot be read")
    ranges = ["{:.0f} to {:.0f}".format(*values) for values in (sweep.V_range, sweep.I_range)]
    return (str(sweep.index), sweep.protocol, sweep.clamp, *lengths, *ranges, str(sweep.n_spikes), UNCHECKED)
