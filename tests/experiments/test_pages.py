"""HTML pages: what is put into a template is escaped once."""

import pytest
from jinja2 import UndefinedError

from fashion_mmdet.experiments.pages import breakable, render


def test_names_are_escaped_and_may_wrap_behind_dots_slashes_and_underscores():
    assert breakable('a.b_c/d <i>"1.5"') == 'a.<wbr>b_<wbr>c/<wbr>d &lt;i&gt;&#34;1.5&#34;'


def test_a_value_is_escaped_and_a_forgotten_one_is_an_error():
    page = render('base.html', title='<script>', lead='a & b')
    assert '<title>&lt;script&gt;</title>' in page
    assert 'a &amp; b' in page
    with pytest.raises(UndefinedError, match='lead'):
        render('base.html', title='x')
