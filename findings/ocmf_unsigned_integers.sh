#!/usr/bin/env bash
# A true signed record of a meter in the field is not read by an OCMF library that reads the others.
#
# Guess, before it was run: pyocmf verifies every record that S.A.F.E.'s transparency software ships as valid.
# Seen: pyocmf 0.6.0 (cryptography 50.0.2) says False to the record of an eBZ LD3. That meter writes r and s of
# its signature as 24 plain bytes each into DER's INTEGERs, also where the first bit is set: DER reads such a number as
# negative. Taken as the unsigned numbers that they are, the same signature verifies under the same key.
# Fails (status 1) as soon as pyocmf reads it, or the signature no longer verifies.
#
# The record: SAFE-eV/transparenzsoftware, src/test/resources/test.xml, pagination T120 (Apache-2.0).
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q pyocmf==0.6.0 cryptography==50.0.2
cat > "$place/look" <<'PYTHON'
import sys

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from pyocmf import OCMF
from pyocmf.exceptions import PyOCMFError

PAYLOAD = (
    '{"FV":"1.0","GI":"eBZ LD3","GS":"1EBZ0300034628","GV":"V207","MS":"1EBZ0300034628","PG":"T120","IS":true,'
    '"IL":"TRUSTED","IT":"EMAID","ID":"DKV_Testbox2","CI":"Dies","CT":"EVSEID","RD":[{"TM":"2022-10-27T19:38:50,000+0200 I",'
    '"TX":"B","RV":2851485,"RI":"1-b:1.8.e","RU":"Wh","ST":"G"},{"TM":"2022-10-27T19:43:38,000+0200 I","TX":"E",'
    '"RV":2851753,"RI":"1-b:1.8.e","RU":"Wh","ST":"G"}]}'
)
SIGNATURE = (
    "30340218e10a077929f593717affdff69a5df0d2862989a6638f873d0218007d21b1c0255c5b24a3c5a01d600839ebae2bb67bcb1159"
)
KEY = (
    "3049301306072a8648ce3d020106082a8648ce3d030101033200041e155ef46fbcc56005769c08d792127c006c242ccccd96bf7051b6fbc2"
    "78497036659e7bae57f542776a17c7f8b28600"
)


def unsigned_verifies() -> bool:
    data = bytes.fromhex(SIGNATURE)
    r, s = int.from_bytes(data[4:28], "big"), int.from_bytes(data[30:54], "big")
    key = serialization.load_der_public_key(bytes.fromhex(KEY))
    key.verify(utils.encode_dss_signature(r, s), PAYLOAD.encode(), ec.ECDSA(hashes.SHA256()))
    return True


def pyocmf_says() -> str:
    text = f'OCMF|{PAYLOAD}|{{"SA":"ECDSA-secp192r1-SHA256","SD":"{SIGNATURE}"}}'
    try:
        return f"verified: {OCMF.from_string(text).verify_signature(KEY)}"
    except PyOCMFError as error:
        return f"{type(error).__name__}: {error}"


said = pyocmf_says()
print("unsigned numbers verify:", unsigned_verifies())
print("pyocmf 0.6.0:", said)
sys.exit("verified: True" in said)
PYTHON
"$place/venv/bin/python" "$place/look"
