"""Benchmark tables as text, for a terminal or for README."""

from collections.abc import Sequence
from textwrap import indent

from fashion_mmdet.benchmarks.timing import Table
from fashion_mmdet.utils.tables import format_markdown, format_text


def format_tables(tables: Sequence[Table], style: str) -> str:
    """Write the tables of one benchmark.

    Args:
        tables: to write.
        style: 'table' or 'markdown'.
    """
    return '\n'.join(_format_markdown(table) if style == 'markdown' else _format_text(table) for table in tables)


def _format_markdown(table: Table) -> str:
    rows = format_markdown(table.header, table.rows, right=table.header[1:])
    return '\n'.join([f'**{table.title}**', '', rows, '', *([table.note, ''] if table.note else [])])


def _format_text(table: Table) -> str:
    rows = format_text(table.header, table.rows, right=table.header[1:])
    body = '\n'.join(filter(None, [rows, table.note]))
    return f'{table.title}\n{indent(body, "  ")}\n'
