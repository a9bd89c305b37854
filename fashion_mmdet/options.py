"""Options as text: `--cfg-options key=value`, and one value of a config, read without running it. No mmengine."""

import ast
from collections.abc import Sequence


def parse_options(pairs: Sequence[str]) -> dict:
    """Read `key=value` pairs.

    Args:
        pairs: such as `train_cfg.max_epochs=5`, `load_from=None`, `optim_wrapper.type=SGD`, `a.scale=(384,256)`.

    Raises:
        ValueError: a pair without `=`, or without a key.
    """
    options = {}
    for pair in pairs:
        key, equals, text = pair.partition('=')
        if not equals or not key:
            raise ValueError(f'option {pair!r}: expected key=value')
        try:
            options[key] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            options[key] = {'true': True, 'false': False, 'none': None}.get(text.lower(), text)
    return options


def read_assignment(text: str, name: str) -> object:
    """Read the value of a top-level `name = ...` of a config's text; nothing of the text is run.

    Args:
        text: Python of literals and `dict(...)`, as mmengine writes a config.
        name: of the value.

    Returns:
        The last such value, None where there is none.

    Raises:
        ValueError: the text is no Python, or the value is no literal.
    """
    try:
        statements = ast.parse(text).body
    except SyntaxError as error:
        raise ValueError(f'not a config: {error}') from None
    values = [statement.value for statement in statements if isinstance(statement, ast.Assign)
              and [getattr(target, 'id', None) for target in statement.targets] == [name]]
    return _literal(values[-1]) if values else None


def _literal(node: ast.expr) -> object:
    if isinstance(node, ast.Call) and getattr(node.func, 'id', None) == 'dict':
        given = [_literal(argument) for argument in node.args]  # dict({3: 0.4}): how mmengine writes such keys
        return dict(*given, **{keyword.arg: _literal(keyword.value) for keyword in node.keywords})
    if isinstance(node, ast.Dict) and None not in node.keys:
        return {_literal(key): _literal(value) for key, value in zip(node.keys, node.values, strict=True)}
    if isinstance(node, (ast.List, ast.Tuple)):
        items = map(_literal, node.elts)
        return list(items) if isinstance(node, ast.List) else tuple(items)
    return ast.literal_eval(node)
