"""A photo in, garments out.

    from fashion_mmdet import load_model

    model = load_model()                 # the shipped weights
    result = model.predict('photo.jpg')  # also bytes, a PIL image, an RGB array, or a list of those
    for garment in result.garments:
        print(garment.category, garment.score, garment.box)

torch is imported with the model, not with the results.
"""

import contextlib
import gc
import io
from typing import TYPE_CHECKING, Any

from fashion_mmdet.inference.result import Garment, Result

if TYPE_CHECKING:
    from fashion_mmdet.inference.model import Model, load_model

__all__ = ['Garment', 'Model', 'Result', 'load_model']


def __getattr__(name: str) -> Any:
    if name not in ('Model', 'load_model'):
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    collects = gc.isenabled()
    gc.disable()  # a fifth of the time went into looking for garbage among what is imported, all of which stays
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # mmdet prints which data sets it cannot read
            from fashion_mmdet.inference import model
    finally:
        gc.freeze()
        if collects:
            gc.enable()
    return getattr(model, name)
