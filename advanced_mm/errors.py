"""Errors that the user can fix.

Every package may import this module; it imports none. A script catches ``AdvancedMMError``, prints
its message as one sentence and exits with code 2. Any other exception is a bug and keeps its
traceback.
"""

__all__ = ["AdvancedMMError", "InputError", "VenueError"]


class AdvancedMMError(Exception):
    """Base of all errors whose message states what is wrong, where, and what to do."""


class InputError(AdvancedMMError, ValueError):
    """A file, field or option cannot be used; the message names it, its value and the remedy."""


class VenueError(AdvancedMMError):
    """The exchange (or the loopback venue) cannot be reached or rejects a request."""
