"""The words of Fireline as frozen values and pure decisions: standard library only."""
