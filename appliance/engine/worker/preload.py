"""Loads what Python would load at the moment of need: after the lockdown it could not.

Contract: `preload` is called once, before `lock_down`. Codecs are looked up by name when a
template holds an escape or a text cannot be encoded; some modules are imported inside functions,
most of them on the way of an error.
"""

import codecs
import importlib

_CODECS = ("ascii", "latin-1", "utf-8", "utf-16", "utf-32", "unicode_escape", "raw_unicode_escape")
_MODULES = (
    "jinja2.compiler",
    "jinja2.debug",
    "jinja2.meta",
    "json.decoder",
    "linecache",
    "logging",
    "numpy.ctypeslib",
    "pprint",
    "textwrap",
    "tokenize",
    "traceback",
    "unicodedata",
    "urllib.parse",
    "_strptime",
)


def preload() -> None:
    """Load all of it."""
    for name in _CODECS:
        codecs.lookup(name)
    for name in _MODULES:
        importlib.import_module(name)
