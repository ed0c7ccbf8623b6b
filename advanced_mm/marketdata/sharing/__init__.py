"""Recordings on more than one machine: remote locations, publishing, fetching, databases, SQL."""
