"""Where a quoter of a test gets its parameters."""


class FixedFeed:
    """Serves one set, or raises."""

    def __init__(self, served):
        self.served = served

    def latest(self):
        if isinstance(self.served, Exception):
            raise self.served
        return self.served
