"""Answers of the desk in words, for a terminal. Pure: plain data in, lines out."""
