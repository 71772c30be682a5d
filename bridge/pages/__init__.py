"""Web pages read: fetched through the one door, taken apart in a child process."""
