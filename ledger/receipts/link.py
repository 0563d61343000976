"""PURE: a receipt small enough for a QR code: the link that opens the public check with it.

The receipt's JSON without `attestation` (the TPM's certification of the key, 2 kB, which the receipt's file has), raw
deflate (RFC 1951), base64url, behind the `#` of the address: browsers never send that part to anybody.
static/js/verify/link.js reads it.
"""

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any

import segno

LEFT_OUT = "attestation"


def receipt_fragment(receipt: Mapping[str, Any]) -> str:
    """Return what stands behind the `#`; ASCII, around 1,000 characters."""
    kept = {name: value for name, value in receipt.items() if name != LEFT_OUT}
    text = json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = deflate.compress(text.encode()) + deflate.flush()
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def qr_svg(link: str) -> str:
    """Return the link's QR code as an SVG element, black on white with its quiet zone in any theme.

    Level M, which a stain does not spoil; L for long links, and "" for those that no code holds (2,953 characters).
    """
    for level in ("m", "l"):
        try:
            code = segno.make_qr(link, error=level, boost_error=False)
        except segno.DataOverflowError:
            continue
        return _svg(code)
    return ""


def _svg(code: segno.QRCode) -> str:
    return code.svg_inline(scale=4, border=4, dark="#000", light="#fff", omitsize=True, svgclass="qr", lineclass=None)
