"""Acme's actions for the runbooks of Fireline."""
