"""pandas writes the names of an index into a second header row, whose other cells are empty: here they move up."""

import re

HEAD = re.compile(r"<thead>.*?</thead>", re.DOTALL)
ROW = re.compile(r"<tr[^>]*>.*?</tr>", re.DOTALL)
CELL = re.compile(r"<th\b([^>]*)>(.*?)</th>", re.DOTALL)
TABLE = re.compile(r'<table[^>]*class="dataframe".*?</table>', re.DOTALL)


def one_header(text: str) -> str:
    """A page whose data frames name rows and columns in one header row.

    The corner of a table whose columns have a name too reads "rows / columns". A last header row that holds more than
    the names of the index, or that fits the row above it in no way, stays.
    """
    return TABLE.sub(_merged, text)


def _merged(table: re.Match) -> str:
    head = HEAD.search(table[0])
    rows = ROW.findall(head[0]) if head else []
    body = ROW.search(table[0], head.end()) if head else None
    if len(rows) < 2 or body is None:
        return table[0]
    n = len(CELL.findall(body[0]))  # the levels of the index
    above, last = CELL.findall(rows[-2]), CELL.findall(rows[-1])
    names, corner = ([words.strip() for _, words in cells] for cells in (last, above))
    if any(names[n:]) or any(corner[: n - 1]) or len(above) != len(last) or any("span" in one for one, _ in above):
        return table[0]
    merged = iter([" / ".join(filter(None, pair)) for pair in zip(names[:n], corner, strict=False)])
    row = CELL.sub(lambda cell: f"<th{cell[1]}>{next(merged, cell[2])}</th>", rows[-2])
    return table[0].replace(rows[-2], row, 1).replace(rows[-1], "", 1)
