"""What is promised about links, put to the test by faults."""
