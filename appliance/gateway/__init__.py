"""Takes an exchange through the rooms, in order. The heart of the program.

    route → scrub the input → log *opened* ‖ generate → scrub the output → log *closed* → the end

`exchange` is what the reader of an answer holds, `passage` is the walk, `gateway` starts walks and
waits for them, `needs` names what they need of other rooms.
"""
