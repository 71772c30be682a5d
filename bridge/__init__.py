"""Links from anywhere, through readable rules, to a reading list."""

__version__ = "0.1.0"

CONSUMER_KEY = "1-pocket-bridge"
"""By which bridge names itself to a Pocket-compatible server, where nobody gives it another."""
