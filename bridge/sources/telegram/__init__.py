"""Telegram: messages to a bot, and what it answers."""
