"""One file, one measure family: pure, mergeable aggregates over a pane."""
