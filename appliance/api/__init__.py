"""The HTTP edge: wire formats in and out, and the only map from refusals to status codes."""
