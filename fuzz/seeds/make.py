#!/usr/bin/env python3
"""Makes the seeds of the fuzz targets from the test vectors and from what goes over the wire. Standard library only.

    python3 fuzz/seeds/make.py

Files called found-… are inputs that once broke something: they are kept by hand and not touched here.
"""

import json
import pathlib
import re

HERE = pathlib.Path(__file__).parent
VECTORS = json.loads((HERE / "../../crates/protocol/tests/vectors/vectors.json").read_text())
ALICE, BOB = (key["publicKey"] for key in VECTORS["keys"][:2])
SIGNATURE = VECTORS["texts"]["signature"]
ALICE_ID, BOB_ID = "0193f1d0-5a5a-8c4e-9b1a-3f2e4d5c6b7a", "0193f1d0-6b6b-8c4e-8b1a-000102030405"
NOW = 1732147200000
TIME = "2024-11-21T00:00:00.000Z"
HASH = "ab" * 32
SESSION = "sess_0a1b2c3d4e5f6g7h"


def write(target, name, data):
    directory = HERE / target
    directory.mkdir(exist_ok=True)
    if not isinstance(data, (str, bytes)):
        data = compact(data)
    if isinstance(data, str):
        data = data.encode()
    name = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    (directory / name).write_bytes(data)


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


for directory in HERE.iterdir():
    if directory.is_dir():
        for old in directory.iterdir():
            if not old.name.startswith("found-"):
                old.unlink()

# Transactions: those of the vectors, and one of each type that the rules let through.
transactions = []
for vector in VECTORS["transactions"]:
    signed = json.loads(vector["message"]) | {"signature": vector["signature"]}
    transactions.append(signed)
    write("transaction", vector["name"], signed)


def transaction(kind, number, **fields):
    signed = {
        "type": kind, "from": ALICE_ID, "to": BOB_ID, "timestamp": NOW, "nonce": 1, **fields,
        "chainId": "test-1", "signature": SIGNATURE,
    }
    write("transaction", f"{kind} {number}", signed)
    return signed


transfer = transaction("transfer", 1, amount="5.25", currencyCode="USD", metadata={"contentRefs": [HASH], "n": 1e21})
transaction("transfer", 2, amount="100.01", currencyCode="USD", **{"to": "@bob"})
transaction("deposit", 1, amount="5", currencyCode="USD", **{"from": "@root"})
transaction("withdraw", 1, amount="5", currencyCode="USD")
transaction("balance_adjustment", 1, amount="7.5", currencyCode="USD", **{"from": "@root"})
transaction("role_change", 1, contractInput={"role": "staff"}, **{"from": "@root"})
transaction(
    "currency_creation", 1, contractInput={"code": "EUR", "type": "fiat", "decimals": 2, "name": "Euro", "symbol": "€"},
    **{"from": "@root"})
transaction(
    "validator_update", 1, contractInput={"nodeId": "validator-2", "publicKey": BOB, "power": 1}, **{"from": "@root"})
transaction("contract_deployment", 1, contractInput={"name": "shop", "sourceCode": "export function get() {}", "codeHash": HASH})
transaction("contract_call", 1, contractId="0193f1d0-7c7c-8c4e-8b1a-000102030405", contractInput={"buy": [1, 2.5, None]})
zero = "00000000-0000-0000-0000-000000000000"
creation = transaction(
    "user_creation", 1, nonce=0,
    contractInput={"username": "carol", "displayName": "Carol", "publicKey": ALICE, "bio": "", "role": "user"},
    **{"from": zero, "to": zero})

# Amounts: a byte for the decimals, then the text.
for number, (decimals, text) in enumerate([
    (0, "0"), (2, "12.34"), (2, "0.01"), (2, "12.345"), (8, "0.00000001"), (18, "1.000000000000000001"),
    (18, "99999999999999999999.999999999999999999"), (0, "99999999999999999999999999999999999999"),
    (0, "340282366920938463463374607431768211456"), (2, "-1"), (2, "1e3"), (2, "."), (2, ".5"), (2, "5."), (2, "١٢"),
    (2, "+1"), (2, " 1"), (2, "00012.30"), (5, "EUR"), (1, "1" * 80),
]):
    write("amount", f"{number:02}", bytes([decimals]) + text.encode())

# Blocks, and what is said about them.
header = {
    "chainId": "test-1", "height": 1, "previousHash": HASH, "timestamp": TIME, "producer": "validator-1", "txRoot": HASH,
    "receiptsRoot": HASH, "changesHash": HASH, "stateRoot": HASH, "txCount": 2, "gasUsed": 2000, "gasLimit": 100000000,
    "contentRefs": [HASH], "validatorsHash": HASH, "nextValidatorsHash": HASH,
}
receipts = [
    {"transactionId": "tx_" + HASH, "code": "ok", "message": "done", "gasUsed": 1000},
    {"transactionId": "tx_" + HASH, "code": "contract-failed", "message": "no", "gasUsed": 1000, "result": [1, 0.5],
     "logs": ["a"], "events": [{"name": "sold", "data": {"n": 1}}]},
]
balance = {"amount": "100", "ownerType": "user", "updatedAt": NOW}
changes = [
    {"key": f"balance/{ALICE_ID}/USD", "before": balance, "after": balance | {"amount": "90"}},
    {"key": f"data/{BOB_ID}/61", "before": None, "after": "1"},
    {"key": f"data/{BOB_ID}/62", "before": "1", "after": None},
]
block = header | {
    "hash": HASH, "transactions": [transfer, creation], "receipts": receipts, "stateChanges": changes, "signature": SIGNATURE,
}
write("block", "block", block)
write("block", "large numbers", block | {"height": 2**64 - 1, "gasUsed": 2**53 + 1, "txCount": 2**32 - 1})
write("block", "no transactions", block | {"transactions": [], "receipts": [], "stateChanges": [], "txCount": 0})
write("block", "genesis", block | {"height": 0, "signature": None})
write("block", "view", {k: v for k, v in block.items() if k not in ("transactions", "receipts", "stateChanges")})
write("block", "build", {"transactions": [transfer, creation], "whenEmpty": "skip"})
write("block", "built", {"block": {k: v for k, v in block.items() if k != "signature"}, "known": ["tx_" + HASH],
                         "rejected": [{"id": "tx_" + HASH, "code": "bad-signature", "reason": "no"}]})
for name, leaf, value in [("inclusion", {"key_hash": [1] * 32, "value_hash": [2] * 32}, balance), ("absence", None, None)]:
    proof = {"leaf": leaf, "siblings": [{"Leaf": {"key_hash": [3] * 32, "value_hash": [4] * 32}}, "Null"], "phantom_hasher": None}
    write("block", f"proof {name}", {"key": f"balance/{ALICE_ID}/USD", "value": value, "height": 1, "stateRoot": HASH, "proof": proof})

# Bodies. The first byte names the decoder.
bodies = {message["name"]: message for message in VECTORS["messages"]}
service = {"type": "ledger", "port": 8080, "publicKey": BOB}
register = {"nodeId": "validator-1", "publicKey": ALICE, "tailscaleHostname": "one.ts.net", "tailscaleIP": "100.64.0.1",
            "services": [service], "signature": SIGNATURE}
write("requests", "registration", "r" + compact(register))
write("requests", "heartbeat", "h" + compact({
    "nodeId": "validator-1", "timestamp": NOW, "tailscaleIP": "100.64.0.1",
    "services": [{"type": "ledger", "healthy": True, "lastCheck": NOW}], "height": 7,
    "peers": [{"nodeId": "validator-2", "latencyMs": 12}], "version": "0.1.0", "signature": SIGNATURE}))
write("requests", "decision", "d" + compact({"approverPublicKey": ALICE, "signature": SIGNATURE, "timestamp": NOW}))
write("requests", "decision short", "d" + compact({"approverPublicKey": ALICE, "signature": SIGNATURE}))
write("requests", "sovereign add", "s" + compact({
    "publicKey": BOB, "description": "second", "addedBy": ALICE, "timestamp": NOW, "signature": SIGNATURE}))
write("requests", "sovereign rotate", "s" + compact({
    "oldPublicKey": ALICE, "newPublicKey": BOB, "timestamp": NOW, "signature": SIGNATURE, "newSignature": SIGNATURE}))
write("requests", "sovereign verify", "s" + compact({"message": "m", "signature": SIGNATURE, "publicKey": ALICE}))
for message in VECTORS["messages"]:
    if message["kind"] == "login":
        write("requests", f"login {message['name']}", "l" + message["message"])
        approve = {"userId": ALICE_ID, "username": "@alice", "publicKey": ALICE, "signature": message["signature"],
                   "message": message["message"]}
        write("requests", f"approve {message['name']}", "l" + compact(approve))
write("requests", "session create", "l" + compact({"returnUrl": "https://shop.example/", "appName": "Shop", "appIcon": "https://shop.example/i.png"}))
write("requests", "session event", "l" + compact({"type": "approved", "sessionId": SESSION, "status": "approved", "timestamp": TIME,
      "sessionToken": "t", "userId": ALICE_ID, "username": "@alice"}))
write("requests", "token validate", "l" + compact({"sessionToken": "t"}))
qr = {"protocol": "tana", "type": "auth", "version": "1", "sessionId": SESSION, "challenge": "5f" * 32,
      "server": "http://127.0.0.1:8090", "appName": "Shop", "appIcon": None}
write("requests", "qr json", "q" + compact(qr))
write("requests", "qr uri", f"qtana://auth?session={SESSION}&server=http%3A%2F%2F127.0.0.1%3A8090")
write("requests", "qr uri ipv6", f"qtana://auth?session={SESSION}&server=https%3A%2F%2F%5B%3A%3A1%5D%3A1")
write("requests", "qr transaction", "q" + compact({
    "protocol": "tana", "type": "transaction", "version": "1", "requestId": "txreq_0a1b2c3d4e5f6g7h", "server": "http://h"}))
write("requests", "transaction request", "p" + compact({
    "type": "transfer", "to": "@bob", "amount": "5", "currencyCode": "USD", "metadata": {"a": 1}}))
write("requests", "transaction approve", "p" + compact({
    "message": VECTORS["transactions"][1]["message"], "signature": SIGNATURE, "publicKey": ALICE}))
write("requests", "transaction submitted", "p" + compact({"transactionId": "tx_" + HASH}))
write("requests", "device", "p" + compact({"pushToken": "t", "deviceName": "phone", "platform": "ios", "appVersion": "1"}))
invocation = {"file": "a.ts", "source": "export function get() {}", "input": {"a": 1}}
for name, line in {
    "run": {"type": "run", "id": 1, "invocation": invocation},
    "compile": {"type": "compile", "id": 2, "file": "a.ts", "source": "export function get() {}"},
    "answer": {"type": "answer", "question": 3, "answer": {"Ok": {"decimals": 2}}},
    "ready": {"type": "ready", "engine": "v8", "version": "15", "schedule": 2},
    "ask balance": {"type": "ask", "question": 1, "ask": "balance", "user": ALICE_ID, "currency": "USD"},
    "ask fetch": {"type": "ask", "question": 1, "ask": "fetch", "url": "https://a.example/", "method": "GET", "headers": {}, "body": None},
    "compiled": {"type": "compiled", "id": 2, "metered": {"Err": {"code": "syntax", "message": "no", "line": 1, "column": 2}}},
}.items():
    write("requests", f"worker {name}", "w" + compact(line))
line = {"at": TIME, "service": "ledger", "level": "info", "text": "ready"}
write("requests", "node log", "n" + compact(line))
write("requests", "node position", f"n{NOW}-1")
write("requests", "node position last", f"n{NOW}-4294967295")
write("requests", "node health", "n" + compact({"status": "ok", "service": "ledger", "version": "0.1.0", "ready": True, "checks": []}))
write("requests", "node problem", "n" + compact({
    "type": "about:blank", "title": "Not found", "status": 404, "detail": "d", "code": "not-found", "error": "d"}))
write("requests", "node line", "n" + compact({"timestamp": TIME, "level": "INFO", "fields": {"message": "m"}}))
node = {"id": "validator-1", "public_key": ALICE, "tailscale_hostname": "one.ts.net", "tailscale_ip": "fd7a::1", "status": "active",
        "registered_at": NOW, "approved_at": NOW, "approved_by": BOB, "last_heartbeat": NOW,
        "services": [{"service_type": "ledger", "type": "ledger", "port": 8080, "public_key": BOB, "healthy": True, "last_check": NOW}],
        "registration_signature": SIGNATURE}
write("requests", "mesh node", "m" + compact(node))
write("requests", "mesh nodes", "m" + compact({"nodes": [node]}))
write("requests", "mesh topology", "m" + compact({
    "nodes": [node], "links": [{"from": "validator-1", "to": "validator-2", "latency_ms": 3, "at": NOW}]}))
write("requests", "chain user", "c" + compact({
    "publicKey": ALICE, "username": "carol", "displayName": "Carol", "signature": SIGNATURE, "timestamp": NOW, "nonce": 0}))
write("requests", "chain file", "c" + compact({
    "chainId": "test-1", "name": "test", "network": "testnet", "genesisTime": TIME,
    "sovereigns": [{"username": "@root", "displayName": "Root", "publicKey": ALICE}],
    "validators": [{"nodeId": "validator-1", "publicKey": BOB, "power": 1}],
    "currencies": [{"code": "USD", "type": "fiat", "decimals": 2, "name": "US dollar", "symbol": "$"}]}))
write("requests", "chain queue event", "c" + compact({"length": 3}))
write("requests", "chain transaction", "c" + compact(transfer | {
    "id": "tx_" + HASH, "status": "confirmed", "blockHeight": 3, "createdAt": TIME, "confirmedAt": TIME,
    "receipt": {"code": "ok", "message": "done", "gasUsed": 1000}}))
write("requests", "chain verification", "c" + compact({
    "block": {"height": 1, "valid": False, "checks": [{"name": "txRoot", "ok": False, "detail": "d"}]}}))

# Headers, queries, paths.
for number, text in enumerate(["bytes=0-0", "bytes=2-", "bytes=-5", "bytes=5-2", "bytes=0-1,3-4", "bytes=0-18446744073709551616",
                               'W/"ab", "cd"', "*"]):
    write("headers", f"range {number}", "r" + text)
for token in VECTORS["tokens"]:
    write("headers", f"token {token['name']}", "t" + token["token"])
    write("headers", f"bearer {token['name']}", "tBearer " + token["token"])
for number, text in enumerate(["1732147200000-2", "-", "1-18446744073709551615", "x"]):
    write("headers", f"event {number}", "e" + text)
for number, text in enumerate(["limit=50", "limit=0", "limit=501&offset=10001", "cursor=7&limit=1", "cursor=%00%ff", "offset=-1"]):
    write("headers", f"page {number}", "p" + text)
for number, text in enumerate([ALICE, SIGNATURE, VECTORS["keys"][0]["addressMainnet"], "tx_" + HASH, "@alice", ALICE_ID, "validator-1",
                               f"balance/{ALICE_ID}/USD", f"data/{BOB_ID}/6162", "username/alice", f"userKey/{ALICE}", "currency/USD",
                               "validators", SESSION, TIME, "transfer", "shop"]):
    write("headers", f"key {number}", "k" + text)
write("headers", "content", "c" + HASH)
write("headers", "content upper", "c" + HASH.upper())

# Contracts: patterns as /flags/pattern and the text on the next line, otherwise TypeScript.
for number, (flags, pattern, text) in enumerate([
    ("", "a*b", "aaab"), ("g", "(a|ab)(c|bcd)(d*)", "abcd"), ("i", "[^a-z]+|\\W", "AB cd"), ("u", "\\u{1f600}.", "\U0001f600x"),
    ("m", "^(?:x{2,5}|y??)$", "xx\nyy"), ("s", ".+?$", "a\nb"), ("y", "\\bfoo\\b", "foo foo"), ("u", "\\p{Lu}\\P{L}", "A1"),
    ("", "(?<year>\\d{4})-(?<month>\\d\\d)", "2024-11"), ("", "(?:a|b)*?(c)?", "abab"), ("", "((a*)*)*", "aaaa"), ("", "(?=a)\\1", "a"),
    ("iu", "[\\w-\\d\\b]", "-"), ("", "x{0,1000}{0,1000}", "x"),
]):
    write("contract", f"pattern {number:02}", f"/{flags}/{pattern}\n{text}")
for number, stream in enumerate([
    "\ufeff: hello\n\nevent: log\nid: 7-1\ndata: {\"a\":\ndata: 1}\n\n",
    "data\r\n\r\nid: x\n\ndata:no blank\rretry: 5\rdata:  two\r\r",
    "data: \u00fcber\n\nevent: stopping\ndata: \n\ndata: cut",
    "id: 1\nid: \u0000\n: only a comment\n\nevent: a\nevent: b\ndata\n\n\n\ndata:  \n\n",
    "event: block\r\ndata: {\"height\":7}\r\nid: run-7\r\n\r\nretry: 100\r\n\r\nfield without colon\r\n\r\n",
]):
    write("events", f"stream {number:02}", "\x05" + stream)
for number, source in enumerate([
    'import { console } from "tana/core";\nexport default function contract(): number { console.log("hi"); return 1; }\n',
    'import { context } from "tana/context";\nimport { data } from "tana/data";\nexport async function contract() {\n'
    '  const n = Number(await data.get("n") ?? "0") + 1;\n  await data.set("n", String(n));\n  return { n, who: context.caller()?.username };\n}\n',
    "export function get(request: Request) { for (let i = 0; i < 10; i++) { if (i % 2) continue; } return `n${1 + 2}`; }\n",
    "enum Kind { A, B = 4 }\nexport const f = async (x: Kind): Promise<void> => { do { await x; } while (x > Kind.A); };\n",
    "export class Shop<T extends object> { #n = 0; static { } get n() { return this.#n; } *all() { yield* [1, ...[2]]; } }\n",
    "label: while (true) { try { switch (1) { case 1: break label; default: throw 1; } } catch { } finally { } }\n",
    "const { a = 1, ...rest } = { a: 2, b: [3, , 4] }; export default (a ?? rest)?.b?.[0] ** 2;\n",
    "export function contract() { return /a+/g.exec('a'); }\n",
    "eval('1'); with (x) {} import('y'); new Function('z');\n",
    "function f(a, b) { if (a) b; else return f(b, a); var x = a ? b : (a, b); a ||= b; a &&= x; delete a.b; }\n",
    "export class A { static { export class A { static { } get n() { return 1; } } } }\n",
]):
    write("contract", f"source {number:02}", source)
