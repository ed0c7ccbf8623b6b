"""Recording a feed into the shard store, for as long as it runs."""
