"""PURE: the verifier of TPM evidence, written apart from the service. Bytes and values in, numbered steps out.

endorsement.py    is it a TPM of a maker whom we trust?       credential.py  the proof that it holds what it shows
attestation.py    does it run an approved release, now?       evidence.py, events.py, clock.py
certification.py  was this key made in it, and stays there?
structures.py     the TPM's binary structures                 signatures.py  what its attestation key signed
fields.py, steps.py, errors.py
"""
