"""One file per step, `NNNN_what.py`."""
