"""The TPM itself: the only package that imports tpm2_pytss, and the only owner of the connection to the chip.

connection.py  the connection, its recovery, and the slots
measured.py    the event log in a PCR, and the TPM's verdict on it
policy.py      what opens only for an approved release
objects.py     what keys look like in the TPM, and as blobs outside it
device.py      the operations
attest.py      who the TPM is, and what it states
"""
