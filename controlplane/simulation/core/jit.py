"""The one place that knows the compiler."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar, cast

# Higher levels vectorise loops that are three entries long: three times the time to compile, and slower code.
os.environ.setdefault("NUMBA_OPT", "1")

import numba
from numba.extending import intrinsic

Function = TypeVar("Function", bound=Callable[..., object])


def jit(function: Function) -> Function:
    """Compile at the first call and keep the machine code beside the source, or in the user's cache where that cannot
    be written. What is kept knows changes of its own file alone: after one of a function that is called from another
    file, delete `__pycache__/*.nb*`. With `NUMBA_DISABLE_JIT=1` the same code runs in the interpreter."""
    return cast(Function, numba.njit(cache=True, nogil=True, error_model="numpy")(function))


@intrinsic
def _borrowed(_typing: Any, array: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        made = context.make_array(signature.args[0])(context, builder, args[0])
        made.meminfo = made.meminfo.type(None)  # a null pointer: nothing to count
        return made._getvalue()

    return array(array), codegen


def _as_it_is(array: Any) -> Any:
    return array


borrowed: Callable[[Any], Any] = _as_it_is if os.environ.get("NUMBA_DISABLE_JIT") == "1" else cast(Any, _borrowed)
"""The same array without a reference count: the caller keeps it alive. Counting is atomic and done at every call of a
function that takes arrays; without it the core is more than twice as fast."""
