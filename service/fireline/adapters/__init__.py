"""The real and the in-memory sides of the ports: one framework a file."""
