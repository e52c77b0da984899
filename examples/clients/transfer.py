#!/usr/bin/env python3
"""Signs a transfer and submits it, with nothing of Tana's: python3-nacl and python3-requests.

    transfer.py http://127.0.0.1:8080 $TANA_HOME/users/alice.json @alice @bob 1.50 USD
"""

import hashlib
import json
import sys
import time

import requests
from nacl.signing import SigningKey

ledger, key_file, sender, recipient, amount, currency = sys.argv[1:]
with open(key_file) as file:
    secret = json.load(file)["secretKey"].removeprefix("ed25519_")
user = requests.get(f"{ledger}/users/username/{sender}").json()
# The keys in this order, absent ones left out, no spaces: this text is what is signed.
transaction = {
    "type": "transfer",
    "from": user["id"],
    "to": recipient,
    "timestamp": int(time.time() * 1000),
    "nonce": requests.get(f"{ledger}/users/{user['id']}/nonce").json()["nextNonce"],
    "amount": amount,
    "currencyCode": currency,
    "chainId": requests.get(f"{ledger}/info").json()["chainId"],
}
message = json.dumps(transaction, separators=(",", ":"), ensure_ascii=False)
digest = hashlib.sha256(message.encode()).digest()
signature = SigningKey(bytes.fromhex(secret)).sign(digest).signature.hex()
answer = requests.post(
    f"{ledger}/transactions",
    json=transaction | {"signature": f"ed25519_sig_{signature}"},
)
if answer.status_code != 202:
    sys.exit(f"{answer.status_code}: {answer.json()['detail']}")
print(answer.json()["id"])
