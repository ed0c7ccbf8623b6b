"""The asynchronous market maker beside Freqtrade."""
