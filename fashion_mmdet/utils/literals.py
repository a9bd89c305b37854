"""The values of a config's text, read without running it."""

import ast


def read_assignment(text: str, name: str) -> object:
    """Read the last top-level `name = ...` of a config's text, whatever else is in it; None where there is none.

    Raises:
        ValueError: the text is no Python, or the value is more than literals and `dict(...)`.
    """
    values = [
        statement.value
        for statement in _parse(text)
        if isinstance(statement, ast.Assign) and [getattr(target, 'id', None) for target in statement.targets] == [name]
    ]
    return _evaluate(values[-1]) if values else None


def read_assignments(text: str) -> dict[str, object]:
    """Read a config that is plain data, as mmengine dumps it: `name = literal` alone; nothing of the text is run.

    Raises:
        ValueError: the text is no Python, or anything else stands in it; names the line.
    """
    values = {}
    for statement in _parse(text):
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                values[name] = _evaluate(value)
            case ast.Expr(value=ast.Constant(value=str())):  # a docstring
                continue
            case _:
                raise ValueError(f'line {statement.lineno}: not plain data (name = value)')
    return values


def _parse(text: str) -> list[ast.stmt]:
    try:
        return ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # null bytes; nested too deeply
        raise ValueError(f'not a config: {error or "nested too deeply"}') from None


def _evaluate(node: ast.expr) -> object:
    try:
        return _literal(node)
    except (ValueError, TypeError, RecursionError, MemoryError):  # a call, {[]: 1}, a nest
        raise ValueError(f'line {node.lineno}: not plain data (literals and dict(...))') from None


def _literal(node: ast.expr) -> object:
    match node:
        case ast.Call(func=ast.Name(id='dict')):
            given = [_literal(argument) for argument in node.args]  # dict({3: 0.4}): how mmengine writes such keys
            return dict(*given, **{keyword.arg: _literal(keyword.value) for keyword in node.keywords})
        case ast.Dict():
            return {_literal(key): _literal(value) for key, value in zip(node.keys, node.values, strict=True)}
        case ast.List():
            return list(map(_literal, node.elts))
        case ast.Tuple():
            return tuple(map(_literal, node.elts))
        case ast.Constant(value=str(text)):
            text.encode()  # raises ValueError at half a surrogate pair, which could not be printed
            return text
        case ast.Name(id='inf' | 'nan'):  # how mmengine writes these numbers
            return float(node.id)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Name()):
            return -_literal(node.operand)
    return ast.literal_eval(node)
