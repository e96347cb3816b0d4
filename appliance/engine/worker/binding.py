"""llama.cpp's C API, without the Python package around it.

`import llama_cpp` brings a high-level class, opens files and installs a logger that prints what
llama.cpp says, which quotes models. None of that belongs in a worker: this module gives the package
an empty beginning and imports its one low-level module. It must be imported before anything else
imports `llama_cpp`; if somebody has (a test), the whole package is used as it is.
"""

import importlib.util
import sys
from types import ModuleType

from appliance.errors import UnavailableError


def _bare_package(name: str) -> ModuleType:
    found = importlib.util.find_spec(name)
    if found is None or found.submodule_search_locations is None:
        raise UnavailableError(f"{name} is not installed; run `make setup`")
    package = ModuleType(name)
    package.__path__ = list(found.submodule_search_locations)
    return package


if "llama_cpp" not in sys.modules:
    sys.modules["llama_cpp"] = _bare_package("llama_cpp")

from llama_cpp import llama_cpp as llama  # noqa: E402 -- the package is prepared above

__all__ = ["llama"]
