"""Some hundreds of inputs at every entrance, the same ones in every run; `make fuzz` tries others for minutes."""

import hypothesis
import pytest
from entrances import ENTRANCES, Entrance

EXAMPLES = 60


@pytest.mark.parametrize('entrance', ENTRANCES, ids=lambda entrance: entrance.name)
def test_any_input_is_taken_or_refused_in_one_line(entrance: Entrance):
    """ValueError and OSError are answers; anything else, or an answer that breaks the entrance's rule, is not."""
    settings = hypothesis.settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    settings(hypothesis.given(entrance.inputs)(entrance.check))()
