#!/bin/sh
# The software TPM on its Unix socket. Its maker's certificates go where those who enrol it find them: /ek.
set -eu
rm -f /run/tpm/tpm /run/tpm/tpm.ctrl  # of a container that was killed
python3 -c 'from dev.parts.swtpm import manufacture; from pathlib import Path; manufacture(Path("/data/state"))'
cp /data/state/ek-root.pem /data/state/ek-issuer.pem /ek/
exec python3 -m dev.parts.swtpm run --state /data/state --socket /run/tpm/tpm
