"""Check options where they enter: type, finiteness, range. An error names option, value and what it must be."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from numbers import Integral, Real


@dataclass(frozen=True)
class Interval:
    """Finite numbers within bounds; True and False do not count as numbers.

    Attributes:
        low, high: the bounds.
        open_low, open_high: whether the bound itself is excluded.
        whole: whole numbers only.
    """

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False
    whole: bool = False

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, Integral if self.whole else Real) or isinstance(value, bool):
            return False
        return (
            math.isfinite(value)
            and (self.low < value if self.open_low else self.low <= value)
            and (value < self.high if self.open_high else value <= self.high)
        )

    def describe(self, plural: bool = False) -> str:
        """Return the words that follow 'must be a'."""
        bounds = [f'{"above" if self.open_low else "at least"} {self.low}'] * math.isfinite(self.low)
        bounds += [f'{"below" if self.open_high else "at most"} {self.high}'] * math.isfinite(self.high)
        number = f'{"whole" if self.whole else "finite"} number{"s" * plural}'
        return ', '.join([number, ' and '.join(bounds)] if bounds else [number])


FINITE = Interval()
POSITIVE = Interval(0, open_low=True)
SHARE = Interval(0, 1)  # probabilities, scores, IoUs
OPEN_SHARE = Interval(0, 1, open_low=True, open_high=True)
NATURAL = Interval(0, whole=True)
COUNT = Interval(1, whole=True)


def check_number(name: str, value: object, interval: Interval, optional: bool = False) -> None:
    """Raise ValueError unless a value is a number of the interval, or None where it is optional."""
    if value not in interval and not (optional and value is None):
        raise ValueError(f'{name}={value!r}: must be a {interval.describe()}{", or None" * optional}')


def check_numbers(name: str, values: object, interval: Interval, length: int | None = None) -> None:
    """Raise ValueError unless a value is a list or tuple of numbers of the interval, `length` of them where given."""
    if not is_list(values) or len(values) != (length or len(values)) or not all(one in interval for one in values):
        many = f'{length} ' if length else ''
        raise ValueError(f'{name}={values!r}: must be a list of {many}{interval.describe(plural=True)}')


def check_range(name: str, values: object) -> None:
    """Raise ValueError unless a value is two positive numbers in ascending order."""
    check_numbers(name, values, POSITIVE, length=2)
    if values[0] > values[1]:
        raise ValueError(f'{name}={values!r}: must be the smallest, then the largest')


def check_ids(name: str, values: object, count: int) -> None:
    """Raise ValueError unless a value is a list of ids from 0 to `count` - 1, none of them twice."""
    check_numbers(name, values, Interval(0, count - 1, whole=True))
    if len(set(values)) < len(values):
        raise ValueError(f'{name}={values!r}: an id comes twice')


def check_choice(name: str, value: object, known: Sequence[str]) -> None:
    """Raise ValueError unless a value is one of the known words."""
    if not isinstance(value, str) or value not in known:
        raise ValueError(f'{name}={value!r}: one of {", ".join(known)}')


def check_known(prefix: str, names: Iterable[str], options: type) -> None:
    """Raise ValueError for a name that is no field of a dataclass of options; `prefix` says whose name it is."""
    known = [field.name for field in fields(options)]
    for name in names:
        if name not in known:
            raise ValueError(f'{prefix}{name}: no such option; there are {", ".join(known)}')


def check_flag(name: str, value: object) -> None:
    """Raise ValueError unless a value is True or False."""
    if not isinstance(value, bool):
        raise ValueError(f'{name}={value!r}: must be True or False')


def is_list(value: object) -> bool:
    """Return whether a value is a list, a tuple or a range; text is not."""
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def values_by_id(name: str, option: object, count: int, default: object) -> list:
    """Expand an option to one value per id.

    Args:
        name: name of the option, for the error.
        option: one value for all, or values by id (a number or its text), with 'default' for the rest.
        count: number of ids.
        default: value of the ids that a mapping without 'default' leaves out.

    Raises:
        ValueError: an id that does not exist.
    """
    if not isinstance(option, Mapping):
        return [option] * count
    for key in option:
        if str(key) not in {'default', *map(str, range(count))}:
            raise ValueError(f'{name}: {key!r} is no id from 0 to {count - 1}')
    by_text = {str(key): value for key, value in option.items()}
    return [by_text.get(str(index), by_text.get('default', default)) for index in range(count)]
