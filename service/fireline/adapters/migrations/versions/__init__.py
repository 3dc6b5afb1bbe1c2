"""One file a change of the layout, in order."""
