"""Simulated charging stations that speak OCPP 1.6, 2.0.1 and 2.1, for the demo and for tests.

`charger.py` is how tests use one; `world.py` and `__main__.py` are the demo's four, which charge all day.
"""
