"""Feeds: RSS, Atom and JSON Feed, polled politely."""
