"""Backups: a box in one encrypted, signed file, and a box made from such files again."""
