"""Loads models into worker processes and generates with them.

`Engine` is the room's face: `load`, `generate`, `describe`, `gauges`, `unload`, `close`. Each model
has a `Supervisor`, which owns one worker process at a time and outlives its crashes.
"""
