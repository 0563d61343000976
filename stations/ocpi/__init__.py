"""OCPI 2.2.1, the sender interfaces of a charge point operator: partners pull locations, tariffs, sessions and CDRs."""
