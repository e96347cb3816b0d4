"""What is asked of a model and what comes back. Values only: no I/O, no clock, no llama.cpp."""
