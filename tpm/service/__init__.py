"""The TPM service: REST in front of one TPM 2.0. Runs on its own; nothing of the portal imports it."""

import os

# libtss2 reads this when it is loaded; its texts belong neither in our log nor in an answer
os.environ["TSS2_LOG"] = "all+none"
