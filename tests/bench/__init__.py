"""Figures, beside the peers': `make bench`. Timing decides nothing here; tests are elsewhere."""
