"""The research report: which market, and when, as a page, in words and in files."""
