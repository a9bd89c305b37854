"""Lays benchmark tables out for a terminal or for README."""

from collections.abc import Sequence

from fashion_mmdet.benchmarks.timing import Table


def format_tables(tables: Sequence[Table], style: str) -> str:
    """Write tables as text.

    Args:
        tables: of one benchmark.
        style: 'table' or 'markdown'.
    """
    return '\n'.join(_format_markdown(table) if style == 'markdown' else _format_text(table) for table in tables)


def _format_markdown(table: Table) -> str:
    lines = [table.header, ('---',) + ('---:',) * (len(table.header) - 1), *table.rows]
    rows = ['| ' + ' | '.join(line) + ' |' for line in lines]
    return '\n'.join([f'**{table.title}**', '', *rows, '', *([table.note, ''] if table.note else [])])


def _format_text(table: Table) -> str:
    lines = [table.header, *table.rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rows = [
        '  '.join(
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]
    return '\n'.join(
        [table.title, *(f'  {row}'.rstrip() for row in rows), *([f'  {table.note}'] if table.note else []), '']
    )
