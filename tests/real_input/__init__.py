"""Real documents, updates and requests through a real process, compared with what others say is in them."""
