"""Files: lists of links that are brought from elsewhere."""
