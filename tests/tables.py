# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of figures, printed and written into a page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

# A table in the page is between these two comments.
BEGIN, END = "<!-- begin {} -->\n", "<!-- end {} -->\n"


@dataclass(frozen=True)
class Table:
    """Rows of text under a header. ``name`` is its place in the page. Cells of the first column are not empty."""

    name: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __str__(self) -> str:
        """Return a table of Markdown, which is also readable in a terminal."""
        columns = zip(*self.rows, strict=True)
        alignment = ["right" if all(map(_is_figure, column)) else "left" for column in columns]
        table = tabulate(self.rows, self.header, tablefmt="pipe", disable_numparse=True, colalign=alignment)
        return f"{table}\n"


def write(page: Path, tables: Iterable[Table]) -> None:
    """Write the tables into the page, each in its place; ValueError if there is none."""
    text = page.read_text(encoding="utf-8")
    for table in tables:
        begin, end = BEGIN.format(table.name), END.format(table.name)
        if text.count(begin) != 1 or text.count(end) != 1:
            raise ValueError(f"{page.name} has no place for the table {table.name!r}.")
        before, _begin, rest = text.partition(begin)
        _old, _end, after = rest.partition(end)
        text = f"{before}{begin}\n{table}\n{end}{after}"
    page.write_text(text, encoding="utf-8")


def names_in(page: Path) -> list[str]:
    """Return the names of the tables in the page."""
    return re.findall(r"^<!-- begin (\w+) -->$", page.read_text(encoding="utf-8"), re.MULTILINE)


def number(value: float) -> str:
    """Format a whole number in full, any other with the digits that are significant."""
    if isinstance(value, int) or value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _is_figure(cell: str) -> bool:
    return bool(re.fullmatch(r"(~ )?\d[\d.,]*( %)?|", cell))


def milliseconds(seconds: float) -> str:
    """Format the duration of a call."""
    return f"{seconds * 1000:.0f} ms"


def percent(share: float) -> str:
    """Format a share of one."""
    return f"{100 * share:.1f} %"
