#!/usr/bin/env python3
"""Writes vectors.json: what keys, addresses, messages, signatures, ids and service tokens of this network must be.

Independent of the Rust code on purpose: signatures come from libsodium (PyNaCl), the rest from the standard library and the
package base58. Whoever changes the protocol changes this file first.

    python3 -m venv /tmp/vectors && /tmp/vectors/bin/pip install pynacl base58
    /tmp/vectors/bin/python make.py            writes vectors.json beside this file
    /tmp/vectors/bin/python make.py --check    exit 1 if vectors.json is not what this script writes
"""
import base64
import hashlib
import json
import pathlib
import re
import sys

import base58
from nacl import bindings
from nacl.signing import SigningKey, VerifyKey

L = 2**252 + 27742317777372353535851937790883648493  # order of the base point


# --- text of numbers and JSON as JavaScript's JSON.stringify writes them ---------------------------------------------------

def js_number(n):
    """ECMA-262 Number::toString for a finite number."""
    if isinstance(n, int):
        if abs(n) >= 2**53:
            raise ValueError("an integer that JavaScript cannot hold exactly has no place in a vector")
        return str(n)
    if n == 0:
        return "0"
    sign, n = ("-", -n) if n < 0 else ("", n)
    mantissa, _, exponent = repr(n).partition("e")  # repr gives the shortest digits that read back the same, as JavaScript does
    whole, _, fraction = mantissa.partition(".")
    digits = whole + fraction
    point = len(whole) + int(exponent or 0)
    stripped = digits.lstrip("0")
    point -= len(digits) - len(stripped)
    digits = stripped.rstrip("0")
    k = len(digits)
    if k <= point <= 21:
        text = digits + "0" * (point - k)
    elif 0 < point <= 21:
        text = digits[:point] + "." + digits[point:]
    elif -6 < point <= 0:
        text = "0." + "0" * -point + digits
    else:
        e = point - 1
        text = digits[0] + ("." + digits[1:] if k > 1 else "") + "e" + ("+" if e >= 0 else "-") + str(abs(e))
    return sign + text


def compact(value):
    """Compact JSON, keys in insertion order, non-ASCII as it is."""
    if isinstance(value, dict):
        return "{" + ",".join(compact(k) + ":" + compact(v) for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(compact, value)) + "]"
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return js_number(value)


# --- keys, addresses, signatures, ids --------------------------------------------------------------------------------------

def sha256(data):
    return hashlib.sha256(data).digest()


def address(key, version):
    body = bytes([version]) + sha256(key)[:8]
    return base58.b58encode(body + sha256(sha256(body))[:4]).decode()


def uuid8(text):
    b = bytearray(sha256(text.encode())[:16])
    b[6] = 0x80 | b[6] & 0x0F
    b[8] = 0x80 | b[8] & 0x3F
    h = b.hex()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


class Key:
    def __init__(self, name, seed):
        self.name, self.seed, self.signing = name, seed, SigningKey(seed)
        self.raw = bytes(self.signing.verify_key)
        self.public = "ed25519_" + self.raw.hex()
        self.private = "ed25519_" + seed.hex()

    def sign_bytes(self, data):
        return self.signing.sign(data).signature

    def sign(self, message):
        """What this network signs: the SHA-256 digest of the UTF-8 message."""
        signature = self.sign_bytes(sha256(message.encode()))
        VerifyKey(self.raw).verify(sha256(message.encode()), signature)
        return signature


def sig_text(signature):
    return "ed25519_sig_" + signature.hex()


KEYS = [
    Key("alice", sha256(b"tana vector: alice")),
    Key("bob", sha256(b"tana vector: bob")),
    Key("sovereign", sha256(b"tana vector: sovereign")),
    Key("node", sha256(b"tana vector: node")),
    Key("rfc8032-1", bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")),
    Key("zeros", bytes(32)),
    Key("ones", b"\xff" * 32),
]
K = {k.name: k for k in KEYS}

T = 1732147200000  # 2024-11-21T00:00:00Z
ALICE, BOB = "0193f1d0-5a5a-8c4e-9b1a-3f2e4d5c6b7a", "0193f1d0-6b6b-8c4e-8b1a-000102030405"
CONTRACT = "7d9f7f9e-0a53-8e7a-a1a8-93b8f36d2f10"
NIL = "00000000-0000-0000-0000-000000000000"
TX_ORDER = ["type", "from", "to", "timestamp", "nonce", "amount", "currencyCode", "contractId", "contractInput", "metadata", "chainId"]


# --- messages --------------------------------------------------------------------------------------------------------------

def transaction(name, signer, **fields):
    fields = {k.rstrip("_"): v for k, v in fields.items()}
    assert set(fields) <= set(TX_ORDER), fields
    message = compact({k: fields[k] for k in TX_ORDER if k in fields})
    key = K[signer]
    signature = key.sign(message)
    ident = "tx_" + sha256(message.encode() + signature).hex()
    row = {"name": name, "signer": signer, "fields": fields, "message": message, "digest": sha256(message.encode()).hex(),
           "signature": sig_text(signature), "id": ident}
    if fields["type"] == "user_creation":
        row["userId"] = uuid8("user:" + ident)
    if fields["type"] == "contract_deployment":
        row["contractId"] = uuid8("contract:" + ident)
    return row


def message(kind, name, signer, fields, text):
    return {"kind": kind, "name": name, "signer": signer, "fields": fields, "message": text,
            "digest": sha256(text.encode()).hex(), "signature": sig_text(K[signer].sign(text))}


def token(name, signer, **fields):
    payload = fields.pop("payload", None)
    signed = {**fields, "payload": {} if payload is None else payload}
    text = compact(signed)
    signature = sig_text(K[signer].sign(text))
    return {"name": name, "signer": signer, "publicKey": K[signer].public, "fields": {**fields, **({} if payload is None else {"payload": payload})},
            "message": text, "digest": sha256(text.encode()).hex(), "signature": signature,
            "token": base64.b64encode(compact({**signed, "signature": signature}).encode()).decode()}


def transactions():
    def user(username, display, key, bio="", role="user"):
        return {"username": username, "displayName": display, "publicKey": K[key].public, "bio": bio, "role": role}

    source = "export function contract() {\n\treturn { greeting: \"héllo\", path: 'a/b\\\\c' };\n}\n"
    floats = [0.1, 1.0, -0.0, 100.5, 1e20, 1e21, 1.5e21, 1e-6, 1e-7, 1.25e-9, 123456.789, 0.30000000000000004, 5e-324,
              1.7976931348623157e308, -2.5, 9007199254740991, 123456789012345680000.0]
    return [
        transaction("transfer, only what is required", "alice", type="transfer", from_=ALICE, to=BOB, timestamp=T, nonce=1),
        transaction("transfer of an amount", "alice", type="transfer", from_=ALICE, to=BOB, timestamp=T, nonce=2, amount="12.34", currencyCode="USD"),
        transaction("transfer bound to a chain", "alice", type="transfer", from_=ALICE, to=BOB, timestamp=T + 1, nonce=3, amount="0.00000001",
                    currencyCode="BTC", chainId="demo"),
        transaction("transfer with every field, given in another order", "alice", chainId="demo", metadata={"note": "rent"}, contractInput={"a": 1},
                    contractId=CONTRACT, currencyCode="ETH", amount="0.000000000000000001", nonce=4, timestamp=T + 2, to=BOB, from_=ALICE, type="transfer"),
        transaction("transfer with unicode metadata", "alice", type="transfer", from_=ALICE, to=BOB, timestamp=T, nonce=5, amount="1", currencyCode="USD",
                    metadata={"note": "Grüße, 世界 🌍 \u2028\u2029 \u007f </script> \"quoted\" back\\slash", "ctl": "\u0000\u0001\b\t\n\u000b\f\r\u001f", "é": "e\u0301"}),
        transaction("metadata keeps the order of its keys", "bob", type="transfer", from_=BOB, to=ALICE, timestamp=T, nonce=1, amount="7", currencyCode="USD",
                    metadata={"z": 1, "a": {"y": [3, 1, 2, {"q": None, "b": True}], "x": False}, "m": [], "n": {}, "": ""}),
        transaction("numbers as JavaScript prints them", "bob", type="contract_call", from_=BOB, to=NIL, timestamp=T, nonce=2, contractId=CONTRACT,
                    contractInput={"numbers": floats, "deep": {"n": 1.10, "whole": 3.0}}, chainId="demo"),
        transaction("contract input that is a string", "bob", type="contract_call", from_=BOB, to=NIL, timestamp=T, nonce=3, contractId=CONTRACT,
                    contractInput="{\"not\":\"parsed\"}"),
        transaction("contract input that is an array", "bob", type="contract_call", from_=BOB, to=NIL, timestamp=T, nonce=4, contractId=CONTRACT,
                    contractInput=[1, "two", None, [3.5], {"four": 4}]),
        transaction("empty objects are present", "bob", type="contract_call", from_=BOB, to=NIL, timestamp=T, nonce=5, contractId=CONTRACT,
                    contractInput={}, metadata={}),
        transaction("user creation", "alice", type="user_creation", from_=NIL, to=NIL, timestamp=T, nonce=0,
                    contractInput=user("@alice", "Alice", "alice")),
        transaction("user creation bound to a chain", "bob", type="user_creation", from_=NIL, to=NIL, timestamp=T, nonce=0,
                    contractInput=user("@bob", "Bób 🐝", "bob", "I \"sell\" honey", "staff"), chainId="demo"),
        transaction("deposit", "sovereign", type="deposit", from_=ALICE, to=BOB, timestamp=T, nonce=1, amount="100", currencyCode="USD", chainId="demo"),
        transaction("withdraw", "bob", type="withdraw", from_=BOB, to=BOB, timestamp=T, nonce=6, amount="1.50", currencyCode="USD", chainId="demo"),
        transaction("contract deployment", "alice", type="contract_deployment", from_=ALICE, to=NIL, timestamp=T, nonce=6,
                    contractInput={"name": "hello", "sourceCode": source, "codeHash": hashlib.sha256(source.encode()).hexdigest(), "version": "1.0.0"}, chainId="demo"),
        transaction("role change", "sovereign", type="role_change", from_=ALICE, to=BOB, timestamp=T, nonce=2, contractInput={"role": "staff"}, chainId="demo"),
        transaction("currency creation", "sovereign", type="currency_creation", from_=ALICE, to=NIL, timestamp=T, nonce=3,
                    contractInput={"code": "EUR", "type": "fiat", "decimals": 2, "name": "Euro", "symbol": "€"}, chainId="demo"),
        transaction("balance adjustment", "sovereign", type="balance_adjustment", from_=ALICE, to=BOB, timestamp=T, nonce=4, amount="5", currencyCode="USD",
                    metadata={"reason": "correction"}, chainId="demo"),
        transaction("validator update", "sovereign", type="validator_update", from_=ALICE, to=NIL, timestamp=T, nonce=5,
                    contractInput={"publicKey": K["node"].public, "power": 1}, chainId="demo"),
    ]


def messages():
    node = K["node"].public
    rows = []
    for name, fields in [
        ("login", {"sessionId": "sess_0a1b2c3d4e5f6g7h", "challenge": "5f" * 32, "userId": ALICE, "username": "@alice", "timestamp": T}),
        ("login, name without @, as the phone spelt it", {"sessionId": "sess_zzzzzzzzzzzzzzzz", "challenge": "00" * 32, "userId": ALICE, "username": "Alice", "timestamp": T + 299_999}),
    ]:
        rows.append(message("login", name, "alice", fields, compact(fields)))
    for name, fields in [
        ("node registration", {"nodeId": "validator-2", "publicKey": node, "tailscaleHostname": "validator-2.tail1234.ts.net"}),
        ("node registration, unicode", {"nodeId": "knoten-ü", "publicKey": node, "tailscaleHostname": "127.0.0.1"}),
    ]:
        rows.append(message("registration", name, "node", fields, compact(fields)))
    for verb, kind in (("approve", "approval"), ("deny", "denial")):
        rows.append(message(kind, f"{kind}, short", "sovereign", {"nodeId": "validator-2"}, f"{verb}:validator-2"))
        rows.append(message(kind, f"{kind}, with key and time", "sovereign", {"nodeId": "validator-2", "nodePublicKey": node, "timestamp": T}, f"{verb}:validator-2:{node}:{T}"))
    rows.append(message("heartbeat", "heartbeat", "node", {"nodeId": "validator-2", "timestamp": T}, f"heartbeat:validator-2:{T}"))
    new = K["bob"].public
    rows.append(message("sovereignAdd", "sovereign add", "sovereign", {"publicKey": new, "timestamp": T}, f"sovereign:add:{new}:{T}"))
    old = K["sovereign"].public
    for signer in ("sovereign", "bob"):
        rows.append(message("sovereignRotate", f"sovereign rotate, signed by {signer}", signer, {"oldPublicKey": old, "newPublicKey": new, "timestamp": T},
                            f"sovereign:rotate:{old}:{new}:{T}"))
    return rows


def tokens():
    hour = 3_600_000
    return [
        token("without payload", "node", serviceId="ledger", nodeId="validator-1", timestamp=T, expiresAt=T + hour),
        token("empty payload", "node", serviceId="producer", nodeId="validator-1", timestamp=T, expiresAt=T + 60_000, payload={}),
        token("payload keeps its order", "node", serviceId="t4", nodeId="validator-2", timestamp=T, expiresAt=T + hour,
              payload={"z": "ü", "a": {"n": 1.5, "list": [1, 2]}}),
    ]


# --- what must be refused --------------------------------------------------------------------------------------------------

def flipped(data, bit):
    out = bytearray(data)
    out[bit // 8] ^= 1 << (bit % 8)
    return bytes(out)


def negatives(rows):
    text = rows[1]["message"]
    key = K["alice"]
    good = key.sign(text)
    s = int.from_bytes(good[32:], "little")
    out = []

    def no(name, public, signature, why, signed=text):
        out.append({"name": name, "publicKey": "ed25519_" + public.hex(), "message": signed, "signature": sig_text(signature), "why": why})

    no("malleable: s + L", key.raw, good[:32] + (s + L).to_bytes(32, "little"), "s is not below the group order; a second signature of the same message")
    no("raw message signed", key.raw, key.sign_bytes(text.encode()), "the message itself was signed, not its SHA-256 digest")
    no("digest as hex signed", key.raw, key.sign_bytes(sha256(text.encode()).hex().encode()), "the digest's hexadecimal text was signed, not its bytes")
    no("digest signed twice hashed", key.raw, key.sign_bytes(sha256(sha256(text.encode()))), "the digest was hashed once more")
    for bit in (0, 7, 255, 256, 300, 500):
        no(f"one bit of the signature flipped ({bit})", key.raw, flipped(good, bit), "signature altered")
    no("one bit of the key flipped", flipped(key.raw, 8), good, "another key, or none")
    no("one bit of the message flipped", key.raw, good, "message altered", signed=text.replace("12.34", "12.35"))
    no("another key's signature", K["bob"].raw, good, "signed by alice, checked against bob")
    no("all zero signature", key.raw, bytes(64), "nothing was signed")

    # A weak key: with a public key of small order an equation that ignores it holds for every message.
    identity = bytes([1]) + bytes(31)
    for name, weak in [("identity", identity), ("order 2", bytes.fromhex("ec" + "ff" * 30 + "7f")), ("order 4", bytes(32)),
                       ("order 8", bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"))]:
        r = int.from_bytes(sha256(b"tana vector: weak " + name.encode()), "little") % L
        base = bindings.crypto_scalarmult_ed25519_base_noclamp(r.to_bytes(32, "little"))
        no(f"small-order public key ({name})", weak, base + r.to_bytes(32, "little"), "a key of small order, for which anyone can sign")

    # A weak commitment: R of small order, with s made by the holder of the key, so that a lax check would accept it.
    h = bytearray(hashlib.sha512(key.seed).digest()[:32])
    h[0] &= 248
    h[31] = h[31] & 127 | 64
    a = int.from_bytes(h, "little")
    k = int.from_bytes(hashlib.sha512(identity + key.raw + sha256(text.encode())).digest(), "little") % L
    no("small-order R", key.raw, identity + (k * a % L).to_bytes(32, "little"), "the commitment is of small order")
    return out


def check_negatives(rows):
    """libsodium must refuse every one of them too; a vector that it accepts is a mistake in this script."""
    for row in rows:
        try:
            VerifyKey(bytes.fromhex(row["publicKey"][8:])).verify(sha256(row["message"].encode()), bytes.fromhex(row["signature"][12:]))
        except Exception:
            continue
        raise SystemExit(f"libsodium accepts the negative vector {row['name']!r}")


def key_texts():
    k = K["alice"]
    h = k.raw.hex()
    sig = k.sign("text forms").hex()
    return {
        "message": "text forms", "publicKey": k.public, "signature": sig_text(bytes.fromhex(sig)),
        "publicKeyAccepted": [h, h.upper(), "ed25519_" + h, "ed25519_" + h.upper()],
        "publicKeyRefused": ["", "ed25519_", h[:-2], h + "00", "ed25519_" + h[:-1] + "g", "ed25519_ed25519_" + h, " " + h, "0x" + h],
        "signatureAccepted": [sig, sig.upper(), "ed25519_" + sig, "ed25519_sig_" + sig, "ed25519_sig_" + sig.upper()],
        "signatureRefused": ["", "ed25519_sig_", sig[:-2], sig + "00", "ed25519_sig_" + sig[:-1] + "g", sig + " "],
    }


def main():
    txs = transactions()
    bad = negatives(txs)
    check_negatives(bad)
    document = {
        "about": "made by make.py with libsodium; do not edit",
        "keys": [{"name": k.name, "seed": k.seed.hex(), "privateKey": k.private, "publicKey": k.public,
                  "addressMainnet": address(k.raw, 0x41), "addressTestnet": address(k.raw, 0x6F)} for k in KEYS],
        "texts": key_texts(),
        "transactions": txs,
        "messages": messages(),
        "tokens": tokens(),
        "negative": bad,
    }
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    # Astral and control characters stay readable to every JSON parser; the file itself is plain UTF-8.
    assert json.loads(text) == document and re.search(r"\s+\Z", text)
    path = pathlib.Path(__file__).with_name("vectors.json")
    if "--check" in sys.argv[1:]:
        sys.exit(0 if path.read_text(encoding="utf-8") == text else f"{path.name} is not what make.py writes: run it and look at the difference")
    path.write_text(text, encoding="utf-8")
    print(f"{path.name}: {len(txs)} transactions, {len(document['messages'])} messages, {len(document['tokens'])} tokens, {len(bad)} negative")


main()
