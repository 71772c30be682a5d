"""Links from anywhere, through readable rules, to a reading list."""

__version__ = "0.1.0"
