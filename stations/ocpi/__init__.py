"""OCPI 2.2.1 and 2.3.0, the sender interfaces of a charge point operator: partners pull what there is."""
