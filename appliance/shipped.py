"""Files that come with the program, beside the package: policies and the demo model."""

from pathlib import Path

_TREE = Path(__file__).parents[1]

POLICIES = _TREE / "policies"
DEMO_MODEL = _TREE / "images" / "demo-model" / "cloister-demo.gguf"
