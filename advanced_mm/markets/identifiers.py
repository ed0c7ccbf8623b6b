"""Transaction hashes and trade ids that look like the venue's and never repeat between sessions."""

from hashlib import blake2b

__all__ = ["first_trade_id", "transaction_hash"]

_IDS_PER_SECOND = 1 << 20


def transaction_hash(*parts: object) -> str:
    """Return "0x" and 64 hexadecimal digits, a deterministic digest of ``parts``."""
    text = ":".join(str(part) for part in parts)
    return "0x" + blake2b(text.encode(), digest_size=32).hexdigest()


def first_trade_id(start_ms: int) -> int:
    """Return the trade id from which a market that starts at ``start_ms`` (exchange ms) counts up.

    Recordings drop a print whose id they already have, so sessions that write to one data directory
    must not share ids: each second of start time owns 2**20 of them, far more than are printed in
    a second. Ids stay below 2**53, so that a JavaScript client reads them exactly.
    """
    return start_ms // 1000 * _IDS_PER_SECOND
