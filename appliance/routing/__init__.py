"""Which version of a model answers to which name."""
