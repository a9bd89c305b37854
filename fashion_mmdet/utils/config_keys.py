"""Refuse `--cfg-options` that nothing would read: keys that no part of a config takes, and values of another kind."""

import difflib
import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from numbers import Real

from fashion_mmdet.utils.checks import FINITE, is_list

# What mmengine takes out of a part's settings before it calls the part's class.
BUILDER_KEYS = frozenset({'type', '_scope_', 'priority', 'convert_to_iter_based', 'constructor', 'paramwise_cfg'})
# Read by mmengine's runner or our tools at the top of a config, beside the runner's own arguments.
TOP_LEVEL = frozenset(
    {
        'postprocess',
        'tta_model',
        'tta_pipeline',
        'coco_weights',
        'custom_imports',
        'model_wrapper_cfg',
        'find_unused_parameters',
        'sync_bn',
        'compile',
        'activation_checkpointing',
        'efficient_conv_bn_eval',
    }
)
# Parts by name, where a new name needs a part with a type, and dicts of free keys.
NAMED_PARTS = frozenset({'default_hooks', 'pipeline'})
FREE = frozenset({'tta_pipeline', 'merge', 'dist_cfg', 'custom_keys'})
# What None cannot stand for.
NEEDED = frozenset({'model', 'dataset', 'ann_file', 'pipeline', 'sampler', 'type'})


def check_options(before: Mapping, after: Mapping, options: Mapping[str, object]) -> None:
    """Check `--cfg-options` against the config that they were merged into.

    A key must have been there, or be an argument that the class beside it (its `type`) takes, or the name of a new hook
    or pipeline step that says its own type. A value must be of the kind that stood there: a number for a number.
    Options of `postprocess` are checked by what reads them.

    Args:
        before: the config without the options, as plain dicts.
        after: the config with them.
        options: values by dotted key.

    Raises:
        ValueError: naming the key, and for a key the nearest that exist.
    """
    for key, value in options.items():
        *above, last = key.split('.')
        path, node, old = [], after, before
        for name in above:
            _check_key(path, name, node, old, before, key)
            path, node, old = [*path, name], _child(node, name), _child(old, name)
        if last == '_delete_':
            continue
        _check_key(path, last, node, old, before, key)
        if last == 'type':
            if isinstance(value, str) and find_class(value) is None and find_class(str(_child(old, last))):
                raise ValueError(f'--cfg-options {key}={value}: no class or function is registered under this name')
            _check_part(path, node, old, before)  # what was meant for another class may not suit this one
        _check_kind(key, _child(old, last), value)
        _check_part([*path, last], _child(node, last), _child(old, last), before)


def _check_part(path: list[str], node: object, old: object, before: Mapping) -> None:
    """Check all keys of a part that an option gave, and of the parts in it."""
    for name, child in _children(node):
        _check_key(path, name, node, old, before, '.'.join([*path, name]))
        _check_part([*path, name], child, _child(old, name), before)


def _children(node: object) -> list[tuple[str, object]]:
    """List the keys and values of a dict or list; nothing for any other value."""
    pairs = node.items() if isinstance(node, Mapping) else enumerate(node) if is_list(node) else ()
    return [(str(name), child) for name, child in pairs]


def _child(node: object, name: str) -> object:
    """Look a key up in a dict or list; None where there is none."""
    return dict(_children(node)).get(name)


def _check_key(path: list[str], name: str, node: object, old: object, before: Mapping, key: str) -> None:
    """Check one part of the dotted `key`: `name` in `node`, which was `old` and lies at `path`."""
    if is_list(node) or path[:1] == ['postprocess']:
        return
    here = '.'.join(path)
    if not isinstance(node, Mapping):
        raise ValueError(f'--cfg-options {key}: {here} is {node!r} now, which has no keys')
    kind, known = node.get('type'), isinstance(old, Mapping) and name in old
    if known and old.get('type') == kind:
        return
    if not (kind is None or isinstance(kind, str) or callable(kind)):
        raise ValueError(f'--cfg-options {key}: a type is a name, not {kind!r}')
    place = path[-1] if path else ''
    if place in NAMED_PARTS:
        if isinstance(node.get(name), Mapping) and 'type' not in node[name]:
            raise ValueError(
                f'--cfg-options {key}: {here}.{name} is not in the config; a new one needs {here}.{name}.type'
            )
        return
    reader = _reader(path, kind)
    closed = kind is None and place not in FREE and (isinstance(old, Mapping) or name.isdigit())
    taken = arguments(reader) if reader else frozenset() if closed else None
    if taken is None or name in taken or (name in BUILDER_KEYS if kind else not path and name in TOP_LEVEL):
        return
    where = f'{getattr(kind, "__name__", kind)} takes no such argument' if kind else 'the config has no such key'
    near = nearest(key, {f'{here}.{one}' for one in taken if path}) or nearest(key, set(dotted_keys(before)))
    advice = f'; nearest: {", ".join(near)}' if near else ''
    raise ValueError(f'--cfg-options {key}: {where}' + (f'; {here}._delete_=True begins it anew' if known else advice))


def _reader(path: list[str], kind: object) -> Callable | None:
    """Find what is called with a part's settings as its arguments; None where they are not, or it is not known."""
    if kind is not None:
        # The model takes some of the settings of its layers for itself.
        is_layer = path[:1] == ['model'] and path[-1].endswith(('_cfg', 'dcn'))
        return None if is_layer else find_class(kind) if isinstance(kind, str) else kind
    if not path or path == ['randomness']:
        from mmengine.runner import Runner

        return Runner.set_randomness if path else Runner
    if path[-1].endswith('_dataloader'):
        from torch.utils.data import DataLoader

        return DataLoader
    return None


@cache
def find_class(kind: str) -> Callable | None:
    """Find a registered class or function by its `type`."""
    import mmdet.registry
    from mmengine.registry import Registry

    registries = [one for one in vars(mmdet.registry).values() if isinstance(one, Registry)]
    return next((found for one in registries if (found := one.get(kind)) is not None), None)


@cache
def arguments(called: Callable) -> frozenset[str] | None:
    """List the arguments of a function, or of a class with those that it hands on to its bases; None for any."""
    names: set[str] = set()
    for one in inspect.getmro(called) if inspect.isclass(called) else [called]:
        function = vars(one).get('__init__') if inspect.isclass(one) else one
        if function is None:
            continue
        parameters = inspect.signature(function).parameters.values()
        names |= {one.name for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)}
        if not any(one.kind is one.VAR_KEYWORD for one in parameters):
            return frozenset(names - {'self'})
    return None


def dotted_keys(node: object, path: str = '') -> Iterator[str]:
    """List all keys of a config, dotted."""
    for name, child in _children(node):
        key = f'{path}.{name}' if path else name
        if not key.endswith('_'):  # mmengine's notes
            yield key
        yield from dotted_keys(child, key)


def nearest(key: str, known: set[str], count: int = 3) -> list[str]:
    """Find the keys whose last part is most like the last part of `key`; of these the ones most like it as a whole."""

    def rate(other: str) -> tuple[float, float]:
        pairs = ((key.rpartition('.')[2], other.rpartition('.')[2]), (key, other))
        return tuple(difflib.SequenceMatcher(None, *pair).ratio() for pair in pairs)

    rated = sorted(((*rate(other), other) for other in known), reverse=True)
    return [other for last, _, other in rated[:count] if last >= 0.6]


def _check_kind(key: str, old: object, value: object) -> None:
    """Check that a number, truth value or part replaces its like; None and what replaces None may be anything."""
    if value is None and key.rpartition('.')[2] in NEEDED:
        raise ValueError(f'--cfg-options {key}=None: must be given')
    if old is None or value is None or key.startswith('postprocess.'):
        return
    if isinstance(old, bool):
        wanted, right = 'True or False', isinstance(value, bool)
    elif isinstance(old, Real):  # a list may stand for several numbers; `0,5` makes a tuple
        wanted, right = 'a finite number', value in FINITE or isinstance(value, list)
    elif isinstance(old, Mapping):
        names = ', '.join(map(str, list(old)[:3]))
        wanted, right = f'a dict with keys such as {names}', isinstance(value, (Mapping, list))
    else:
        wanted = f'a list such as {old!r}' if is_list(old) else 'text; quoted, where it looks like a number'
        right = not isinstance(value, Real)
    if not right:
        raise ValueError(f'--cfg-options {key}={value!r}: must be {wanted}')
