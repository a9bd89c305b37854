"""Refuse `--cfg-options` that nothing would read: keys that no part of a config takes, and values of another kind."""

import difflib
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
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
        part = _Part((), after, before)
        for name in above:
            _check_key(part, name, key, before)
            part = part.child(name)
        if last == '_delete_':
            continue
        _check_key(part, last, key, before)
        changed = part.child(last)
        if last == 'type':
            if isinstance(value, str) and find_class(value) is None and find_class(str(changed.old)):
                raise ValueError(f'--cfg-options {key}={value}: no class or function is registered under this name')
            _check_part(part, before)  # what was meant for another class may not suit this one
        _check_kind(key, changed.old, value)
        _check_part(changed, before)


@dataclass(frozen=True)
class _Part:
    """A part of a config, with the options and without them.

    Attributes:
        path: its keys, from the top.
        node: what it is with the options.
        old: what it was without them; None where it is new.
    """

    path: tuple[str, ...]
    node: object
    old: object

    def child(self, name: str) -> '_Part':
        """Look up what lies at a key of the part."""
        return _Part((*self.path, name), _child(self.node, name), _child(self.old, name))

    @property
    def dotted(self) -> str:
        """The path as text."""
        return '.'.join(self.path)

    @property
    def name(self) -> str:
        """The last key of the path; '' for the config itself."""
        return self.path[-1] if self.path else ''

    @property
    def kind(self) -> object:
        """The `type` of a dict, with the options."""
        return self.node.get('type')

    def had(self, name: str) -> bool:
        """Return whether the part had a key before the options."""
        return isinstance(self.old, Mapping) and name in self.old

    def is_closed(self, name: str) -> bool:
        """Return whether a dict without a type takes no key beyond those that it had."""
        return self.kind is None and self.name not in FREE and (isinstance(self.old, Mapping) or name.isdigit())

    def is_read_by_others(self, name: str) -> bool:
        """Return whether mmengine or our tools read a key, rather than what the part's `type` names."""
        return name in BUILDER_KEYS if self.kind else not self.path and name in TOP_LEVEL


def _check_part(part: _Part, before: Mapping) -> None:
    """Check all keys of a part that an option gave, and of the parts in it."""
    for name, _ in _children(part.node):
        child = part.child(name)
        _check_key(part, name, child.dotted, before)
        _check_part(child, before)


def _children(node: object) -> list[tuple[str, object]]:
    """List the keys and values of a dict or list; nothing for any other value."""
    pairs = node.items() if isinstance(node, Mapping) else enumerate(node) if is_list(node) else ()
    return [(str(name), child) for name, child in pairs]


def _child(node: object, name: str) -> object:
    """Look a key up in a dict or list; None where there is none."""
    return dict(_children(node)).get(name)


def _check_key(part: _Part, name: str, key: str, before: Mapping) -> None:
    """Check one step of the dotted `key`: `name` in `part`; `before` is the whole config without the options."""
    if is_list(part.node) or part.path[:1] == ('postprocess',):
        return
    if not isinstance(part.node, Mapping):
        raise ValueError(f'--cfg-options {key}: {part.dotted} is {part.node!r} now, which has no keys')
    if part.had(name) and part.old.get('type') == part.kind:
        return
    if not (part.kind is None or isinstance(part.kind, str) or callable(part.kind)):
        raise ValueError(f'--cfg-options {key}: a type is a name, not {part.kind!r}')
    if part.name in NAMED_PARTS:
        if isinstance(part.node.get(name), Mapping) and 'type' not in part.node[name]:
            wanted = f'{part.dotted}.{name}'
            raise ValueError(f'--cfg-options {key}: {wanted} is not in the config; a new one needs {wanted}.type')
        return
    taken = _keys_taken(part, name)
    if taken is not None and name not in taken and not part.is_read_by_others(name):
        raise ValueError(f'--cfg-options {key}: {_refusal(part, name, key, taken, before)}')


def _keys_taken(part: _Part, name: str) -> frozenset[str] | None:
    """List the keys that a part takes beyond those that it had; None where it takes any."""
    reader = _reader(part)
    if reader is not None:
        return arguments(reader)
    return frozenset() if part.is_closed(name) else None


def _refusal(part: _Part, name: str, key: str, taken: frozenset[str], before: Mapping) -> str:
    """Say why a key is refused, and what to write instead."""
    kind = getattr(part.kind, '__name__', part.kind)
    cause = f'{kind} takes no such argument' if part.kind else 'the config has no such key'
    if part.had(name):  # for another type
        return f'{cause}; {part.dotted}._delete_=True begins it anew'
    known = {f'{part.dotted}.{argument}' for argument in taken} if part.path else set()
    near = nearest(key, known) or nearest(key, set(dotted_keys(before)))
    return f'{cause}; nearest: {", ".join(near)}' if near else cause


def _reader(part: _Part) -> Callable | None:
    """Find what is called with a part's settings as its arguments; None where they are not, or it is not known."""
    if part.kind is not None:
        return _class_of(part)
    if not part.path or part.path == ('randomness',):
        from mmengine.runner import Runner

        return Runner.set_randomness if part.path else Runner
    if part.name.endswith('_dataloader'):
        from torch.utils.data import DataLoader

        return DataLoader
    return None


def _class_of(part: _Part) -> Callable | None:
    """Find what the type of a part names; None for a layer, of whose settings the model takes some for itself."""
    if part.path[:1] == ('model',) and part.name.endswith(('_cfg', 'dcn')):
        return None
    return find_class(part.kind) if isinstance(part.kind, str) else part.kind


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
    for owner in inspect.getmro(called) if inspect.isclass(called) else [called]:
        function = vars(owner).get('__init__') if inspect.isclass(owner) else owner
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
