"""A table that a reader sorts and filters, on the site, in Jupyter and on a phone, without a kernel or a library.

First used in chapter scoreboard.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

# On the head: a click on a column's button orders the rows by it, a second click the other way round; rows without a
# value stay last. One handler a table, no <script>, so that it works wherever a notebook's output is shown.
_SORT = (
    "const button=event.target.closest('button');if(!button)return;const head=button.closest('th');"
    "const down=head.getAttribute('aria-sort')=='descending'?1:-1,k=head.cellIndex;"
    "for(const other of head.parentNode.cells)other.removeAttribute('aria-sort');"
    "head.setAttribute('aria-sort',down<0?'descending':'ascending');"
    "const body=head.closest('table').tBodies[0],of=row=>row.cells[k].dataset.value??row.cells[k].textContent;"
    "[...body.rows].sort((a,b)=>{const x=of(a),y=of(b);if(x===''||y==='')return(x==='')-(y==='');"
    "return down*(isNaN(x)||isNaN(y)?x.localeCompare(y):x-y)}).forEach(row=>body.append(row))"
)
# On the whole: a choice hides the rows that do not have it, and the line below the choices counts what is left.
_FILTER = (
    "const rows=[...this.querySelectorAll('tbody tr')],picked=[...this.querySelectorAll('select')];"
    "const word=this.querySelector('input').value.trim().toLowerCase();"
    "for(const row of rows)row.hidden=!row.textContent.toLowerCase().includes(word)||"
    "picked.some(select=>select.value&&row.cells[select.dataset.column].textContent!=select.value);"
    "this.querySelector('output').textContent=`${rows.filter(row=>!row.hidden).length} of ${rows.length} rows`"
)
_STYLE = "display:flex;flex-wrap:wrap;gap:.4em 1em;align-items:center;margin:.4em 0"


@dataclass(frozen=True)
class Sortable:
    """What `sortable` returns: HTML for pages and notebooks, the plain frame where HTML is not shown."""

    frame: pd.DataFrame = field(repr=False)
    page: str = field(repr=False)

    def _repr_html_(self) -> str:
        return self.page

    def __repr__(self) -> str:
        return repr(self.frame)


def sortable(
    frame: pd.DataFrame,
    caption: str,
    *,
    filters: Sequence[str] = (),
    links: Mapping[str, str] | None = None,
    show: Mapping[str, Callable[[object], str]] | None = None,
) -> Sortable:
    """The columns of ``frame`` as a table with a button on every head; its index is not shown.

    caption: read out first, and shown. filters: columns whose values a reader picks from. links: text of the first
    column -> address. show: column -> how its numbers are written (three decimals where it says
    nothing); sorting goes by the number. Missing values are blank and stay last. KeyError for a column that
    the frame lacks.
    """
    if unknown := {*filters, *(show or {})} - set(frame.columns):
        raise KeyError(f"no columns {sorted(unknown)}: the table has {list(frame.columns)}")
    links, show = links or {}, show or {}
    heads = "".join(
        f'<th scope="col" style="text-align:left"><button type="button" style="all:unset;cursor:pointer">'
        f'{html.escape(str(name))} <span aria-hidden="true">↕</span></button></th>'
        for name in frame.columns
    )
    rows = []
    for record in frame.itertuples(index=False, name=None):
        cells = [
            _cell(name, value, show, links, i)
            for i, (name, value) in enumerate(zip(frame.columns, record, strict=True))
        ]
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return Sortable(
        frame,
        f'<div class="medgen-sortable" oninput="{html.escape(_FILTER, quote=True)}"><div style="{_STYLE}">'
        f"{_choices(frame, filters)}<output>{len(frame)} of {len(frame)} rows</output></div>"
        f'<div style="overflow-x:auto" tabindex="0" role="region" aria-label="{html.escape(caption, quote=True)}">'
        f'<table class="dataframe"><caption style="text-align:left">{html.escape(caption)}</caption>'
        f'<thead onclick="{html.escape(_SORT, quote=True)}"><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div></div>",
    )


def _choices(frame: pd.DataFrame, filters: Sequence[str]) -> str:
    """A search field, and a list of values for each column of ``filters``."""
    parts = ['<label>search <input type="search" size="12" name="search"></label>']
    for name in filters:
        values = sorted(map(str, frame[name].dropna().unique()))
        options = "".join(f"<option>{html.escape(value)}</option>" for value in values)
        column = frame.columns.get_loc(name)
        parts.append(
            f'<label>{html.escape(str(name))} <select data-column="{column}" name="column-{column}">'
            f'<option value="">all</option>{options}</select></label>'
        )
    return "".join(parts)


def _cell(name: str, value: object, show: Mapping, links: Mapping[str, str], position: int) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return '<td data-value=""></td>'
    if isinstance(value, str | bool | np.bool_):
        text = html.escape(show[name](value) if name in show else str(value))
        if position == 0:
            inner = f'<a href="{html.escape(links[value], quote=True)}">{text}</a>' if value in links else text
            return f'<th scope="row" style="text-align:left">{inner}</th>'
        return f"<td>{text}</td>"
    whole = isinstance(value, int | np.integer)
    text = show[name](value) if name in show else f"{value}" if whole else f"{value:.3f}"
    return f'<td data-value="{float(value):g}">{html.escape(text)}</td>'
