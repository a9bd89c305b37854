"""The choice of attributes for a ClassId, and of threshold and policy by category, on hand-made images."""

from itertools import product

import numpy as np
import pytest

from fashion_mmdet.analysis.attribute_policy import choose_policy, count_choices, score_choice
from fashion_mmdet.evaluation.attribute_choice import (
    attribute_thresholds,
    categories_with_attributes,
    choose_attributes,
)
from fashion_mmdet.evaluation.matching import count_image
from fashion_mmdet.evaluation.postprocess import Postprocess, postprocess
from fashion_mmdet.evaluation.predictions import Prediction, RawPrediction, Truth
from fashion_mmdet.evaluation.scoring import summarize
from tests.test_attribute_scores import block, probabilities

ALL = np.ones(46, bool)


def test_an_attribute_is_chosen_from_its_threshold_on_but_never_at_zero():
    """Thresholds 0.5, for attribute 4 0.25, for attribute 6 0."""
    thresholds = attribute_thresholds({'default': 0.5, 4: 0.25, '6': 0.0})
    chosen = choose_attributes(np.array([1, 1]), probabilities({3: 0.5, 4: 0.25, 5: 0.49}, {6: 0.001}), thresholds, ALL)
    assert chosen == [(3, 4), (6,)]


def test_the_policy_by_category():
    """Dresses without, the rest with; shoes carry none whatever the model says."""
    allowed = categories_with_attributes({10: 'without'})
    assert choose_attributes(np.array([10, 1, 23]), probabilities(*[{3: 0.9}] * 3), attribute_thresholds(0.5),
                             allowed) == [(), (3,), ()]


def test_without_an_attribute_head_there_are_none():
    assert choose_attributes(np.array([1, 2]), None, attribute_thresholds(0.5), ALL) == [(), ()]


@pytest.mark.parametrize(('options', 'message'), [
    (dict(attribute_thr=1.5), 'attribute_thr=1.5'), (dict(attribute_thr={92: 0.5}), '92 is no id from 0 to 91'),
    (dict(attribute_policy='drop'), "'drop' is none of with, without"),
    (dict(attribute_policy={46: 'with'}), '46 is no id from 0 to 45')])
def test_options_out_of_range_are_named(options: dict, message: str):
    with pytest.raises(ValueError, match=message):
        Postprocess(**options)


def raw(**changes) -> RawPrediction:
    """A dress in the left and a top in the right half of 20 x 20."""
    values = dict(
        image_id='a.jpg', height=20, width=20, categories=np.array([1, 10]), scores=np.array([0.6, 0.9], np.float32),
        boxes=np.array([[10, 0, 20, 20], [0, 0, 10, 20]], np.float32), mask_probs=np.ones((2, 28, 28), np.float16),
        attribute_probs=probabilities({5: 0.7}, {3: 0.9, 4: 0.3}))
    return RawPrediction(**{**values, **changes})


def test_postprocessing_sorts_attributes_with_their_objects():
    """The dress scores more and comes first."""
    got = postprocess(raw(), Postprocess())
    assert (got.categories.tolist(), got.attributes) == ([10, 1], [(3,), (5,)])
    assert got.attribute_probs[:, 3].astype(float).round(2).tolist() == [0.9, 0.0]
    assert postprocess(raw(), Postprocess(attribute_thr=0.25)).attributes == [(3, 4), (5,)]
    assert postprocess(raw(), Postprocess(attribute_policy={'default': 'without', 1: 'with'})).attributes == [(), (5,)]


@pytest.mark.parametrize('options', [dict(score_thr=0.95), dict(drop_categories=(1, 10))])
def test_nothing_kept_has_no_attributes(options: dict):
    got = postprocess(raw(), Postprocess(**options))
    assert got.attributes == []
    assert got.attribute_probs.shape == (0, 92)


def test_a_model_without_attributes_gives_bare_categories():
    got = postprocess(raw(attribute_probs=None), Postprocess())
    assert (got.attributes, got.attribute_probs) == ([(), ()], None)


PLACES = [block(0, 0), block(0, 8), block(8, 0), block(8, 8)]


def image(true: list[tuple[int, tuple[int, ...]]], found: list[tuple[int, dict[int, float]]]) -> tuple:
    """Objects and detections by category at the same places, so that every place is a hit where the ids agree."""
    count = len(found)
    return (
        Truth('a', (20, 20), np.array([one[0] for one in true], np.int64), PLACES[:len(true)],
              [one[1] for one in true]),
        Prediction('a', (20, 20), np.array([one[0] for one in found], np.int64),
                   np.linspace(0.9, 0.5, count, dtype=np.float32), PLACES[:count],
                   attribute_probs=probabilities(*(one[1] for one in found))))


def test_each_category_gets_what_scores_most():
    """Dresses are told right from 0.5 on: with. Tops carry none, but the model says 5: without. Skirts: never right.

    Image 1: dress, top, skirt and shoe, all found. With 0.5: dress and shoe of 4 true, 2 spurious: 2/6. Tops without:
    3 hits of 4, skirt wrong: 3/5. Skirt dropped: 3/4 at each threshold. Image 2 the same.
    """
    pair = image([(10, (3,)), (1, ()), (8, (7,)), (23, ())],
                 [(10, {3: 0.6}), (1, {5: 0.9}), (8, {9: 0.9}), (23, {})])
    table = count_choices([pair, pair], np.array([0.5, 0.75]))
    choice = choose_policy(table)
    assert (choice.attribute_thr, choice.drop_categories) == (0.5, (8,))
    assert [choice.attribute_policy[category] for category in (10, 1)] == ['with', 'without']
    assert choice.fitted_score == pytest.approx(0.75)
    assert choice.options(dict(score_thr=0.3, drop_categories=(27,)))['drop_categories'] == (8, 27)


def random_pairs(count: int) -> list[tuple]:
    rng = np.random.default_rng(7)
    pairs = []
    for _ in range(count):
        labels = rng.integers(9, 14, 4)
        true = [(int(label), tuple(np.flatnonzero(rng.random(3) < 0.4).tolist()) if label < 13 else ())
                for label in labels]
        found = [(int(label) if rng.random() < 0.8 else 9, {key: float(rng.random()) for key in range(3)})
                 for label in labels]
        pairs.append(image(true, found[:rng.integers(0, 5)]))
    return pairs


def test_a_choice_scores_as_the_metric_does():
    """`count_image` under 'class_id' and `summarize`, on predictions rewritten by hand."""
    pairs = random_pairs(15)
    table = count_choices(pairs)
    choice = choose_policy(table, rows=np.arange(8))
    options = choice.options()
    thresholds, allowed = (attribute_thresholds(options['attribute_thr']),
                           categories_with_attributes(options['attribute_policy']))
    counts = []
    for truth, found in pairs[8:]:
        kept = [index for index, category in enumerate(found.categories) if category not in choice.drop_categories]
        counts.append(count_image(truth, Prediction(
            'a', (20, 20), found.categories[kept], found.scores[kept], [found.masks[index] for index in kept],
            choose_attributes(found.categories[kept], found.attribute_probs[kept], thresholds, allowed)), 'class_id'))
    assert score_choice(table, choice, rows=np.arange(8, 15)) == pytest.approx(summarize(counts).score)


def test_no_single_change_of_the_choice_scores_more():
    """Brute force over the policies of each category at the chosen threshold."""
    table = count_choices(random_pairs(15))
    choice = choose_policy(table)
    assert score_choice(table, choice) == pytest.approx(choice.fitted_score)
    for category, policy in product((9, 10, 11, 12), ('with', 'without', 'drop')):
        dropped = {*choice.drop_categories} - {category} | ({category} if policy == 'drop' else set())
        policies = {**choice.attribute_policy, category: 'with' if policy == 'drop' else policy}
        other = type(choice)(choice.attribute_thr, policies, tuple(dropped), 0.0)
        assert score_choice(table, other) <= choice.fitted_score + 1e-9


def test_images_that_it_is_not_given_do_not_change_the_choice():
    pairs = random_pairs(12)
    spoiled = [*pairs[:6], *random_pairs(30)[24:]]
    rows = np.arange(6)
    assert choose_policy(count_choices(pairs), rows) == choose_policy(count_choices(spoiled), rows)


def test_no_images_and_a_threshold_that_was_not_counted_are_refused():
    with pytest.raises(ValueError, match='no images'):
        choose_policy(count_choices([]))
    table = count_choices(random_pairs(2), np.array([0.5]))
    choice = choose_policy(count_choices(random_pairs(2), np.array([0.25])))
    with pytest.raises(ValueError, match=r'attribute_thr=0\.25 was not counted'):
        score_choice(table, choice)
