"""A witness of transparency logs (C2SP tlog-witness): one small program that anybody runs; docs/witness.md.

It imports nothing of the rest of this repository, needs Python 3.11 and `cryptography` 38 or later, and reads notes,
proofs and the chain in its own way: it is meant to find out where the log's own code is wrong.
"""
