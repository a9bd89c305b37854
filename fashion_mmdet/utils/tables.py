"""Tables as plain text, for a terminal or a log, and as Markdown."""

from collections.abc import Collection, Iterable, Sequence

WIDEST = 80  # characters; a longer cell sticks out instead of widening its column


def format_text(
    header: Sequence[str], rows: Iterable[Sequence[object]], right: Collection[str] = (), digits: int = 3
) -> str:
    """Lay out one line per row, text aligned left and numbers aligned right.

    Args:
        header: column names.
        rows: cells; None is written as a dash.
        right: names of columns whose text is aligned right too.
        digits: decimals of floats.
    """
    columns = []
    for name, *cells in zip(header, *rows, strict=True):
        texts = [name, *(_format_cell(cell, digits) for cell in cells)]
        width = max(min(len(text), WIDEST) for text in texts)
        numeric = name in right or not any(isinstance(cell, str) for cell in cells)
        columns.append([text.rjust(width) if numeric else text.ljust(width) for text in texts])
    return '\n'.join('  '.join(line).rstrip() for line in zip(*columns, strict=True))


def format_markdown(header: Sequence[str], rows: Iterable[Sequence[object]], right: Collection[str] = ()) -> str:
    """Lay out a Markdown table; bars in cells are escaped, other markup is kept.

    Args:
        header: column names.
        rows: cells.
        right: names of the columns to align right.
    """
    lines = [header, ['---:' if name in right else '---' for name in header], *rows]
    return '\n'.join('| ' + ' | '.join(str(cell).replace('|', '\\|') for cell in line) + ' |' for line in lines)


def _format_cell(cell: object, digits: int) -> str:
    return '-' if cell is None else f'{cell:.{digits}f}' if isinstance(cell, float) else str(cell)
