"""The Pocket API: applications that still speak it, and the list they see."""
