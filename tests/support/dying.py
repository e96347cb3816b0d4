"""Ends this process at its n-th call of chosen functions of `os`: a crash between two of them."""

import os
from collections.abc import Callable
from typing import Any

STATUS = 9


def die_at(step: int, names: tuple[str, ...]) -> None:
    """Replace the functions for the rest of this process, which is a child made for that."""
    count = 0

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            if count == step:
                os._exit(STATUS)
            return call(*arguments, **named)

        return wrapper

    for name in names:
        setattr(os, name, counted(getattr(os, name)))
