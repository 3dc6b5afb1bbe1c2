"""Entry points: the only place that builds things."""
