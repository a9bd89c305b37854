"""A progress bar on the terminal, none in a log file."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress
from rich.progress import track as rich_track

Item = TypeVar('Item')


def track(items: Iterable[Item], description: str, total: int | None = None) -> Iterator[Item]:
    """Yield items and show a bar on stderr until they end; without a terminal only yield them.

    `total` is the number of items where they have no length.
    """
    console = Console(stderr=True)
    yield from rich_track(
        items, description, total=total, console=console, transient=True, disable=not console.is_terminal
    )


def progress_bar() -> Progress:
    """Make a bar on stderr for work that is not a sequence; invisible without a terminal."""
    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=not console.is_terminal)
