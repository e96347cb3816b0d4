"""Cloister: an air-gapped inference appliance for GGUF models."""

__version__ = "0.1.0"
