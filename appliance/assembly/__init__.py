"""The only composition root: builds the rooms, starts them in order, stops them in reverse.

`founding` makes a new box, `box` is a running one, `server` puts it on its sockets.
"""
