"""Tables as text and Markdown: alignment, dashes, long cells, bars."""

from fashion_mmdet.utils.tables import WIDEST, format_markdown, format_text


def test_numbers_stand_right_and_text_left():
    text = format_text(('id', 'class', 'AP', 'time'), [(6, 'pants', 0.5, '9 s'), (23, 'shoe', None, '12 s')], ['time'])
    assert text.splitlines() == ['id  class     AP  time', ' 6  pants  0.500   9 s', '23  shoe       -  12 s']


def test_a_long_cell_does_not_widen_its_column():
    text = format_text(('a', 'b'), [('x' * 200, 'y'), ('z', 'w')], digits=1)
    assert text.splitlines() == ['a' + ' ' * (WIDEST + 1) + 'b', 'x' * 200 + '  y', 'z' + ' ' * (WIDEST + 1) + 'w']


def test_a_table_without_rows_is_its_header():
    assert format_text(('a', 'b'), []) == 'a  b'
    assert format_markdown(('a', 'b'), []) == '| a | b |\n| --- | --- |'


def test_bars_are_escaped_in_markdown():
    text = format_markdown(('name', 'n'), [('a|b', 1)], right=['n'])
    assert text.splitlines() == ['| name | n |', '| --- | ---: |', '| a\\|b | 1 |']
