"""One file, one way to reach people."""
