"""Pages, charts and the live screen, from what the other packages computed.

Names are imported from their modules, so that a script loads only the libraries it draws with.
"""
