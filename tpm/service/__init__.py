"""The TPM service: REST in front of one TPM 2.0. It is measured and ships alone: it imports nothing else of ours.

release/    what an approved release is: its manifest, measured and signed
device/     the TPM itself
keys/       keys, sealed objects, and the log of their uses
integrity/  whether this process is what was approved, and the evidence of it
door/       who may call, how often, and how requests are read and refused
views/      the REST API; views/parts.py has the parts of the running service, one of each

The ground below all rooms: errors, encoding, turn, components, settings. What puts them together, and is imported by
none: urls, wsgi, gunicorn.conf, and the commands manifest and audit.
"""

import os

# libtss2 reads this when it is loaded; its texts belong neither in our log nor in an answer
os.environ["TSS2_LOG"] = "all+none"
