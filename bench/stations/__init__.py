"""Benches of charges: what a meter signed."""
