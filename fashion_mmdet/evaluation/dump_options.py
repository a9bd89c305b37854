"""The postprocessing options that every tool which reads a dump starts from."""

import os
from collections.abc import Mapping, Sequence

from fashion_mmdet.config import parse_options, read_postprocess
from fashion_mmdet.evaluation.dump import read_info
from fashion_mmdet.evaluation.postprocess import Postprocess, rename_options
from fashion_mmdet.utils.literals import read_assignment


def read_options(
    dump: str | os.PathLike, postprocess: str | None = None, changes: Sequence[str] = ()
) -> tuple[Postprocess, str]:
    """Read the options for a dump: those of its config, or of a file in their place, with changes.

    Args:
        dump: Parquet file; of a merged one the last of its configs counts. A config without `postprocess` has defaults.
        postprocess: file that takes the place of the dump's config, or None.
        changes: `key=value` pairs over either.

    Returns:
        The options, and a human-readable line that says which they are and where they come from.

    Raises:
        ValueError: not a dump, a config in it that cannot be read, or an option that does not exist or fit.
    """
    changed = rename_options(parse_options(changes))
    Postprocess.from_config(changed)  # before a file is opened
    base = read_postprocess(postprocess) if postprocess else _options_in(dump)
    try:
        options = Postprocess.from_config({**rename_options(base), **changed})
    except ValueError as error:
        raise ValueError(f'{postprocess or dump}: {error}') from None
    source = f'{postprocess or f"the config in {dump}"}{" and --options" * bool(changed)}'
    return options, f'postprocess of {source}: {" ".join(f"{name}={value!r}" for name, value in vars(options).items())}'


def _options_in(dump: str | os.PathLike) -> Mapping | None:
    text = read_info(dump).config
    try:
        return read_assignment(text, 'postprocess')
    except ValueError as error:
        raise ValueError(f'{dump}: {error}; --postprocess FILE takes the place of its options') from None
