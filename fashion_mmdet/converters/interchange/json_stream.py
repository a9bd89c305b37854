"""Read JSON of any size: the items of its lists one by one, in the memory that the largest item needs."""

import json
import os
from collections.abc import Iterator
from typing import Any, NoReturn, TextIO

CHUNK = 1 << 20  # characters read at once
TAIL = 16  # an error so near to the end of what has been read may be that of a value cut in two


def read_members(path: str | os.PathLike) -> Iterator[tuple[str, Any]]:
    """Yield the members of a file's JSON object in the file's order, lists item by item.

    `{"a": [1, 2], "b": 3}` gives ('a', 1), ('a', 2), ('b', 3). A file that is a list gives its items under ''.

    Raises:
        ValueError: broken JSON, among it NaN and infinity, or neither object nor list; names the file.
        FileNotFoundError: no such file.
    """
    with open(path, encoding='utf-8-sig') as file:
        reader = _Reader(file, os.fspath(path))
        if reader.peek() == '[':
            yield from (('', item) for item in reader.items())
        else:
            yield from reader.members()
        if reader.peek():
            reader.fail('something follows the end')


def first_character(path: str | os.PathLike) -> str:
    """Return the first character of a JSON file that is no white space; '' where there is none."""
    with open(path, encoding='utf-8-sig') as file:
        return _Reader(file, os.fspath(path)).peek()


class _Reader:
    """A place in the text of a file; `_text[_at:]` is what has been read and not yet used."""

    def __init__(self, file: TextIO, where: str) -> None:
        self._file, self._where = file, where
        self._text, self._at, self._ended = '', 0, False
        self._decoder = json.JSONDecoder(parse_constant=self._refuse_constant)

    def peek(self) -> str:
        """Move to the next character that is no white space and return it; '' at the end of the file."""
        while True:
            while self._at < len(self._text):
                if not self._text[self._at].isspace():
                    return self._text[self._at]
                self._at += 1
            if not self._fill():
                return ''

    def items(self) -> Iterator[Any]:
        """Yield the items of the list that begins here."""
        self._take('[')
        if self.peek() == ']':
            self._take(']')
            return
        while True:
            yield self._value()
            if self._take(',]') == ']':
                return

    def members(self) -> Iterator[tuple[str, Any]]:
        """Yield the members of the object that begins here."""
        self._take('{')
        if self.peek() == '}':
            self._take('}')
            return
        while True:
            if self.peek() != '"':
                self.fail('a name in double quotes is wanted')
            name = self._value()
            self._take(':')
            if self.peek() == '[':
                yield from ((name, item) for item in self.items())
            else:
                yield name, self._value()
            if self._take(',}') == '}':
                return

    def fail(self, problem: str) -> NoReturn:
        """Raise ValueError with the next few characters."""
        raise ValueError(f'{self._where}: broken JSON: {problem} at {self._text[self._at : self._at + 30]!r}') from None

    def _take(self, wanted: str) -> str:
        found = self.peek()
        if not found or found not in wanted:
            self.fail(f'{" or ".join(wanted)} is wanted')
        self._at += 1
        return found

    def _value(self) -> Any:
        self.peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                cut = error.pos >= len(self._text) - TAIL or error.msg.startswith('Unterminated')
                if not (cut and self._fill()):
                    self.fail(error.msg)
            except RecursionError:
                self.fail('nested too deeply')
            else:
                if end < len(self._text) or not self._fill():  # 12 may be the beginning of 123
                    self._at = end
                    return value

    def _fill(self) -> bool:
        """Read on, as much again as there is, so that a long value is not parsed often; False at the end."""
        rest = self._text[self._at :]
        try:
            more = self._file.read(max(CHUNK, len(rest)))
        except UnicodeDecodeError as error:
            raise ValueError(f'{self._where}: not UTF-8: {error.reason}') from None
        self._text, self._at = rest + more, 0
        return bool(more)

    def _refuse_constant(self, name: str) -> NoReturn:
        raise ValueError(f'{self._where}: broken JSON: {name} is no number')
