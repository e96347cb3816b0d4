"""A bounded reader of GGUF files and the checks a file must pass before anything loads it.

Written against the format itself (github ggml-org/ggml, `docs/gguf.md`) and against what
llama.cpp's loader relies on without checking. Nothing here calls llama.cpp: the loader aborts its
process on some malformed files and reads others with a changed meaning, so it is only handed files
that came through here.

Order: `reader` (bytes, bounded) → `header` (one pass, structure) → `layout` (where tensors lie) →
`keys`, `vocabulary`, `hyperparameters`, `dimensions`, `tensors` (meaning, against the tables of
`families`), all called by `checks`. Structure that cannot be followed raises `MalformedError`,
once, and ends the scan; wrong meaning is collected as `Finding`s, so that all of it is seen.
"""
