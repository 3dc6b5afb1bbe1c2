"""YAML into domain objects, or every fault of every file with its place, what was found and how to mend it."""
