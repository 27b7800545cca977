"""Python's cyclic garbage collector, in a process that keeps very much and makes very many short-lived things."""

import gc

_YOUNG, _MIDDLE, _OLD = 20_000, 20, 50


def calm() -> None:
    """Look for garbage in circles less often, and never among what is there now (modules, the stored state).

    By default the collector walks everything that is kept again and again during a sweep, and finds nothing:
    an eighth of what a lookup costs (`bench/lookups.py`).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
