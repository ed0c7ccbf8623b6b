"""What the exchange says over its websocket: connections, watchdogs, messages to records."""
