#!/usr/bin/env python3
"""Verify a receipt of EVPortal: was this charging session recorded on the chain, and is it unchanged since?

Needs Python 3.11 and the package `cryptography`, and none of our servers. It asks nodes of the chain, at least two and
better of different people, for one may lie. Take key and chain id from where the operator published them.

VERIFIED proves: the record in the receipt is, byte for byte, the one whose salted hash a transaction wrote on the
chain; the holder of the key signed that transaction; it stands in an irreversible block; the chain's table agrees.
It does not prove that the station measured rightly, nor who holds the key; nor anything against the operator where the
chain has one producer or all the nodes asked are the operator's.

A step is ok when all nodes, at least two, agree with the receipt. It failed when the receipt contradicts itself, the
key or the chain id, or when two nodes contradict it and none agrees. Otherwise it is undecided.

exit status: 0 VERIFIED; 1 NOT VALID, a step failed; 2 NOT DECIDED: a node does not answer, the block is not
irreversible yet, the nodes disagree, there are fewer than two"""

import argparse
import hashlib
import json
import re
import struct
import sys
import urllib.request
import zlib
from datetime import datetime, timedelta
from http.client import HTTPException
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

NODES_MIN, TIMEOUT_S, LIMIT = 2, 10, 32 * 1024 * 1024
EXIT = {"VERIFIED": 0, "NOT VALID": 1, "NOT DECIDED": 2}
FIXED = {"format": "evportal-receipt/1", "attestation": None, "signed_meter_values": []}
TEXTS = ("salt", "digest", "ledger_id", "chain_id", "account", "transaction_id", "block_id", "public_key")
UNUSABLE = (OSError, HTTPException, ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)
UNUSABLE += (struct.error, zlib.error)
STATUSES = ("executed", "soft_fail", "hard_fail", "delayed", "expired")
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
NAME = ".12345abcdefghijklmnopqrstuvwxyz"


def need(good, message):
    if not good:
        raise ValueError(message)


def sha256(data):
    return hashlib.sha256(data).digest()


def unhex(text, size=None):
    good = re.fullmatch("([0-9a-f]{2})*", text) and size in (None, len(text) // 2)
    need(good, f"expected {size or ''} bytes of hex, got {text[:80]!r}")
    return bytes.fromhex(text)


def base58(text, prefix):  # the checksum in the last 4 bytes finds slips of the pen only
    need(text.startswith(prefix) and len(text) < 4000, f"expected {prefix}…, got {text[:20]!r}")
    number, digits = 0, text[len(prefix) :]
    for char in digits:
        number = number * 58 + BASE58.index(char)
    return (bytes(len(digits) - len(digits.lstrip("1"))) + number.to_bytes((number.bit_length() + 7) // 8, "big"))[:-4]


def varuint(number):
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + varuint(number >> 7)


def name(text):  # as 8 bytes; what is no name gives none
    return b"".join(
        struct.pack("<Q", sum(NAME.index(char) << 59 - 5 * i for i, char in enumerate(found)))
        for found in re.findall(r"\A(?:[.1-5a-z]{0,11}[1-5a-z])?\Z", text)
    )


def merkle(digests, savanna):  # Spring's Savanna consensus builds its tree in another way than EOSIO and Leap
    if len(digests) < 2:
        return digests[0] if digests else bytes(32)
    if savanna:
        middle = 1 << (len(digests) - 1).bit_length() - 1
        return sha256(merkle(digests[:middle], True) + merkle(digests[middle:], True))
    pairs = zip(digests[::2], digests[1::2] + digests[-1:], strict=False)
    return merkle([sha256(bytes([a[0] & 127]) + a[1:] + bytes([b[0] | 128]) + b[1:]) for a, b in pairs], False)


def parse(text):
    """Read a receipt: JSON of integers and strings, no fractions, no member twice; members in the order of RFC 8785."""

    def members(pairs):
        need(len(dict(pairs)) == len(pairs), "a member stands twice in an object")
        return dict(sorted(pairs, key=lambda pair: pair[0].encode("utf-16-be")))

    def integer(digits):
        need(digits != "-0" and len(digits) < 18 and abs(int(digits)) < 2**53, f"expected no number as {digits[:20]}")
        return int(digits)

    def plain(value):
        parts = value.values() if isinstance(value, dict) else value
        return all(map(plain, parts)) if isinstance(value, dict | list) else type(value) in (int, str)

    need(len(text) <= 1024 * 1024, "expected at most 1 MB")
    numbers = dict.fromkeys(("parse_float", "parse_constant"), lambda digits: need(False, f"no integer: {digits[:20]}"))
    receipt = json.loads(text, object_pairs_hook=members, parse_int=integer, **numbers)
    need(set(receipt) == {*FIXED, *TEXTS, "record", "block_num"}, "other fields than those of evportal-receipt/1")
    need(all(receipt[field] == value for field, value in FIXED.items()), f"expected {FIXED}")
    need(all(isinstance(receipt[field], str) and len(receipt[field]) <= 100 for field in TEXTS), f"texts: {TEXTS}")
    need(type(receipt["block_num"]) is int and 0 < receipt["block_num"] < 2**32, "block_num: expected 32 bits")
    need(isinstance(receipt["record"], dict) and plain(receipt["record"]), "record: expected integers and text")
    receipt["canonical"] = json.dumps(receipt["record"], ensure_ascii=False, separators=(",", ":")).encode()
    return receipt
