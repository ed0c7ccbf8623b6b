"""What a bot tells the journal, from Freqtrade's books or the venue's own account."""
