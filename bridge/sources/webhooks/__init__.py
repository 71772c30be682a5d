"""Webhooks: what services and people send over HTTP."""
