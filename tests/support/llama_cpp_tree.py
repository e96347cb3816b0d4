"""The source tree of llama.cpp, as it lies in the sdist that the engine is built from.

It has the format's own tables, its list of hostile files, real vocabularies and real chat
templates. Unpacked once under `build/`, by whoever comes first.
"""

import os
import shutil
import tarfile
import tempfile
from pathlib import Path

BUILD = Path(__file__).parents[2] / "build"


def llama_cpp_tree() -> Path:
    """Return the root of llama.cpp's source."""
    unpacked = BUILD / "llama-cpp"
    if not unpacked.is_dir():
        sdist = next((BUILD / "sdist").glob("llama_cpp_python-*.tar.gz"))
        with tempfile.TemporaryDirectory(dir=BUILD) as scratch:
            with tarfile.open(sdist) as archive:
                archive.extractall(scratch, filter="data")
            root = next(Path(scratch).iterdir())
            try:
                os.rename(root, unpacked)
            except OSError:  # someone else was faster; theirs is as good
                shutil.rmtree(root)
    return unpacked / "vendor" / "llama.cpp"
