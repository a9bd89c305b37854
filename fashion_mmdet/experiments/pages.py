"""HTML pages from the templates beside this module; whatever is put into one is escaped."""

import re

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape


def breakable(text: str) -> Markup:
    """Escape a name or dotted key and let it wrap behind its dots, slashes and underscores."""
    return Markup(re.sub(r'([._/])(?=[A-Za-z])', r'\1<wbr>', str(escape(text))))


_ENVIRONMENT = Environment(
    loader=PackageLoader('fashion_mmdet.experiments'),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters['breakable'] = breakable


def render(template: str, **values: object) -> Markup:
    """Fill in a template of `templates/`."""
    return Markup(_ENVIRONMENT.get_template(template).render(values))
