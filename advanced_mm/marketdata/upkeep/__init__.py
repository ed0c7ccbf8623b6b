"""Upkeep of a recording that is being written: hourly files, and deletion of what is too old."""
