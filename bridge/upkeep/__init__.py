"""Stages that look after the others: what is kept how long, what is wrong, who is told, what is counted."""
