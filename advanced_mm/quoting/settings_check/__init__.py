"""Freqtrade's own settings, checked at start against what the bot needs."""
