"""The errors a person can do something about.

Every room of the library may import this module and nothing else stands below it. A script catches
``AdvancedMMError``, prints its message as one sentence and exits with code 2; anything else is a
fault of ours and keeps its traceback.
"""

__all__ = ["AdvancedMMError", "InputError", "VenueError"]


class AdvancedMMError(Exception):
    """Base of all errors whose message tells the user what is wrong, where and what to do."""


class InputError(AdvancedMMError, ValueError):
    """A file, field or option cannot be used; the message names it, its value and the remedy."""


class VenueError(AdvancedMMError):
    """The exchange (or its loopback stand-in) cannot be reached or refuses what we ask."""
