"""What is missing or wrong in a set-up, each with what to do; a module for each check.

The modules are imported by their names: `health_check.py` needs one of them every 30 s.
"""

__all__: list[str] = []
