"""The TPM itself: the only package that imports tpm2_pytss, and the only owner of the connection to the chip.

connection.py  the connection, its recovery, and the slots
objects.py     what keys look like in the TPM, and as blobs outside it
device.py      the operations
"""

from tpm.service.device.device import Device
from tpm.service.device.objects import KeyBlob

__all__ = ["Device", "KeyBlob"]
