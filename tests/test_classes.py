"""The categories, the attributes and the ClassIds made of them."""

import pytest

from fashion_mmdet.classes import (
    ATTRIBUTES,
    CATEGORIES,
    NUM_ATTRIBUTES,
    NUM_CATEGORIES,
    NUM_MAIN_CATEGORIES,
    PALETTE,
    format_class_id,
    parse_class_id,
)


def test_the_competition_has_46_categories_and_92_attributes_all_different():
    assert (NUM_CATEGORIES, NUM_ATTRIBUTES) == (46, 92)
    assert (len(set(CATEGORIES)), len(set(ATTRIBUTES))) == (46, 92)


@pytest.mark.parametrize(
    ('category', 'name'),
    [
        (0, 'shirt, blouse'),
        (6, 'pants'),
        (10, 'dress'),
        (12, 'cape'),
        (13, 'glasses'),
        (23, 'shoe'),
        (26, 'umbrella'),
        (27, 'hood'),
        (28, 'collar'),
        (31, 'sleeve'),
        (33, 'neckline'),
        (45, 'tassel'),
    ],
)
def test_the_ids_of_categories_are_the_competitions(category, name):
    """As in label_descriptions.json: the first and last of each group, and those the winner's notes name."""
    assert CATEGORIES[category] == name


@pytest.mark.parametrize(
    ('attribute', 'name'),
    [
        (0, 'above-the-hip (length)'),
        (20, 'symmetrical'),
        (61, 'plain (pattern)'),
        (77, 'leopard'),
        (90, 'basque (wasitline)'),
        (91, 'no waistline'),
    ],
)
def test_the_ids_of_attributes_are_the_competitions(attribute, name):
    """As in label_descriptions.json, its spelling of 'basque' included."""
    assert ATTRIBUTES[attribute] == name


def test_the_first_part_is_glasses():
    """Categories 0 to 12 may carry attributes; 13 is the first that may not."""
    assert CATEGORIES[NUM_MAIN_CATEGORIES] == 'glasses'


def test_the_palette_has_a_different_rgb_colour_for_every_category():
    assert len(set(PALETTE)) == 46
    assert all(len(colour) == 3 and all(0 <= value <= 255 for value in colour) for colour in PALETTE)


@pytest.mark.parametrize(
    ('text', 'category', 'attributes'),
    [
        ('23', 23, ()),
        ('10_3_20_34', 10, (3, 20, 34)),
        ('10_34_3_20', 10, (3, 20, 34)),
        ('0_5_5', 0, (5,)),
        ('99_999', 99, (999,)),
    ],
)
def test_a_class_id_gives_its_category_and_its_attributes_ascending(text, category, attributes):
    """Repeated attributes count once; unknown ids are for the audit to judge."""
    assert parse_class_id(text) == (category, attributes)


@pytest.mark.parametrize('text', ['', 'x', '3_', '_3', '3__4', '-1', '3.0', ' 3', '3_x', '²'])
def test_a_class_id_that_is_no_numbers_is_refused_by_value(text):
    with pytest.raises(ValueError, match='ClassId ') as error:
        parse_class_id(text)
    assert repr(text) in str(error.value)


@pytest.mark.parametrize('text', ['0', '45', '10_3_20_34'])
def test_a_class_id_survives_the_round_trip(text):
    assert format_class_id(*parse_class_id(text)) == text


def test_attributes_are_written_ascending():
    assert format_class_id(10, (34, 3, 20)) == '10_3_20_34'
