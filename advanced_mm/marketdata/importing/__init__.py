"""Other people's recordings into our shards: Hyperliquid's public archive, and CSV files."""
