"""The trading side of the loopback venue: orders, accounts and the engine that matches them.

Money, prices and sizes are whole numbers here (see `units`), so that every fill balances exactly.
"""
