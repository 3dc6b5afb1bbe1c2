"""One file, one family of runbook actions."""
