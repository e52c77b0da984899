#!/usr/bin/env python3
"""Plays node, sovereign, ledger and phone against a running node, good and bad, with none of the project's code.

Signatures come from libsodium (PyNaCl), HTTP from requests, the rest from the standard library. It reads the keys that
it plays with from TANA_HOME: the sovereign's, the node's and one user's, who must exist on the chain.

    peer.py --home DIR --user NAME --mesh URL --identity URL --t4 URL --ledger URL --push-port PORT

The identity service must send notifications to a webhook at that port of 127.0.0.1, where this listens.

Prints one line a check and exits with 1 if any failed.
"""
import argparse
import base64
import concurrent.futures
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import queue
import socket
import sys
import threading
import time
import urllib.parse

import requests
from nacl.signing import SigningKey

FAILED = []
CHECKS = 0


def now():
    return int(time.time() * 1000)


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


class Key:
    def __init__(self, seed=None):
        self.signing = SigningKey(seed or os.urandom(32))
        self.public = "ed25519_" + self.signing.verify_key.encode().hex()

    def sign(self, message):
        digest = hashlib.sha256(message.encode()).digest()
        return "ed25519_sig_" + self.signing.sign(digest).signature.hex()


def key_file(path):
    data = json.loads(pathlib.Path(path).read_text())
    return Key(bytes.fromhex(data["secretKey"].removeprefix("ed25519_"))), data


def check(name, holds, detail=""):
    global CHECKS
    CHECKS += 1
    if not holds:
        FAILED.append(name)
        print(f"FAILED  {name}  {detail}")
    else:
        print(f"ok      {name}")


def problem(name, response, status, code=None):
    """A problem document of this status, in the form that RFC 9457 and older clients expect."""
    try:
        body = response.json()
    except ValueError:
        body = {}
    fits = (
        response.status_code == status
        and response.headers.get("content-type", "").startswith("application/problem+json")
        and body.get("status") == status
        and body.get("error") == body.get("detail")
        and all(isinstance(body.get(k), str) for k in ("type", "title", "detail", "code"))
        and code in (None, body.get("code"))
    )
    check(name, fits, f"wanted {status} {code}, got {response.status_code} {response.text[:300]}")


def until(holds, limit=20):
    end = time.monotonic() + limit
    while not (held := holds()) and time.monotonic() < end:
        time.sleep(0.02)
    return held


def answered(name, response, wanted, /, **fields):
    try:
        body = response.json()
    except ValueError:
        body = {}
    fits = response.status_code == wanted and all(body.get(k) == v for k, v in fields.items())
    check(name, fits, f"wanted {wanted} {fields}, got {response.status_code} {response.text[:300]}")
    return body


class Stream:
    """Server-sent events, read in a thread."""

    def __init__(self, url):
        self.response = requests.get(url, stream=True, timeout=30, headers={"accept": "text/event-stream"})
        self.events = queue.Queue()
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        event = {"event": "message", "data": []}
        try:
            for line in self.response.iter_lines(chunk_size=1, decode_unicode=True):
                if line == "":
                    if event["data"]:
                        text = "\n".join(event["data"])
                        self.events.put((event["event"], json.loads(text), time.monotonic()))
                    event = {"event": "message", "data": []}
                elif line.startswith("data:"):
                    event["data"].append(line[5:].removeprefix(" "))
                elif line.startswith("event:"):
                    event["event"] = line[6:].strip()
        except requests.RequestException:
            pass
        self.events.put(("end", None, time.monotonic()))

    def next(self, limit=10):
        try:
            return self.events.get(timeout=limit)
        except queue.Empty:
            return ("nothing", None, time.monotonic())

    def until(self, holds, limit=10):
        end = time.monotonic() + limit
        while (left := end - time.monotonic()) > 0:
            event = self.next(left)
            if event[0] in ("end", "nothing"):
                break
            if holds(event):
                return event
        return None


# --- the mesh ---------------------------------------------------------------------------------------------------------

SERVICES = ["ledger", "t4", "identity", "producer"]


class Node:
    def __init__(self, name):
        self.id, self.key = name, Key()
        self.service = {kind: Key() for kind in SERVICES}

    def registration(self, **changes):
        body = {
            "nodeId": self.id,
            "publicKey": self.key.public,
            "tailscaleHostname": f"{self.id}.example.ts.net",
            "tailscaleIP": "100.64.0.77",
            "services": [{"type": k, "port": 9000 + i, "publicKey": self.service[k].public} for i, k in enumerate(SERVICES)],
        }
        body.update(changes)
        if "signature" not in body:
            signed = {k: body[k] for k in ("nodeId", "publicKey", "tailscaleHostname")}
            body["signature"] = self.key.sign(compact(signed))
        return body

    def decision(self, verb, sovereign, at=None, short=False):
        at = at or now()
        text = f"{verb}:{self.id}" if short else f"{verb}:{self.id}:{self.key.public}:{at}"
        body = {"approverPublicKey": sovereign.public, "signature": sovereign.sign(text)}
        return body if short else body | {"timestamp": at}

    def heartbeat(self, at=None, **extra):
        at = at or now()
        return {"nodeId": self.id, "timestamp": at, "signature": self.key.sign(f"heartbeat:{self.id}:{at}")} | extra

    def token(self, service, lifetime=60_000, at=None, key=None, payload=None):
        at = at or now()
        claims = {"serviceId": service, "nodeId": self.id, "timestamp": at, "expiresAt": at + lifetime, "payload": payload or {}}
        signature = (key or self.service[service]).sign(compact(claims))
        return base64.b64encode(compact(claims | {"signature": signature}).encode()).decode()


def mesh(url, sovereign):
    suffix = os.urandom(3).hex()
    node = Node(f"peer-{suffix}")
    post = lambda path, body: requests.post(url + path, json=body, timeout=10)
    get = lambda path: requests.get(url + path, timeout=10)

    events = Stream(url + "/events")
    problem("register: a signature by another key", post("/register", node.registration(signature=Key().sign("x"))), 401)
    problem("register: no signature at all", post("/register", {k: v for k, v in node.registration().items() if k != "signature"}), 400)
    problem("register: an id that is none", post("/register", node.registration(nodeId="a:b")), 400)
    problem("register: a weak key", post("/register", node.registration(publicKey="00" * 32)), 400)
    problem("register: not JSON", requests.post(url + "/register", data="{", headers={"content-type": "application/json"}, timeout=10), 400)
    problem("register: another media type", requests.post(url + "/register", data="{}", headers={"content-type": "text/plain"}, timeout=10), 415)
    problem("register: oversized", post("/register", node.registration(tailscaleHostname="x" * (3 << 20))), 413)
    upper = node.key.public.upper()
    problem("register: signed in another spelling than sent", post("/register", node.registration() | {"publicKey": upper}), 401)
    answered("register: in upper case, signed as sent", post("/register", node.registration(publicKey=upper)), 201,
             success=True, nodeId=node.id, status="pending")
    found = events.until(lambda e: e[0] == "registered" and e[1]["id"] == node.id)
    check("events: the registration is told", found is not None)
    problem("register: the id is taken", post("/register", node.registration()), 409)
    twin = Node(f"twin-{suffix}")
    twin.key = node.key
    problem("register: the key is taken", post("/register", twin.registration()), 409)

    shown = get(f"/nodes/{node.id}").json()["node"]
    check("node: column names", all(k in shown for k in ("id", "public_key", "tailscale_hostname", "tailscale_ip", "status",
                                                         "registered_at", "services", "registration_signature")), shown)
    check("node: services", [s["service_type"] for s in shown["services"]] == SERVICES and shown["services"][0]["type"] == "ledger")
    problem("node: unknown", get("/nodes/nobody-knows"), 404)
    problem("nodes: no such status", get("/nodes?status=dead"), 400)
    check("nodes: pending", node.id in [n["id"] for n in get("/nodes?status=pending").json()["nodes"]])
    check("nodes: active by default", node.id not in [n["id"] for n in get("/nodes").json()["nodes"]])

    problem("heartbeat: of a pending node", post("/heartbeat", node.heartbeat()), 403)
    problem("approve: by a stranger", post(f"/approve/{node.id}", node.decision("approve", Key())), 403)
    problem("approve: with a denial", post(f"/approve/{node.id}", node.decision("deny", sovereign)), 401)
    problem("approve: stale", post(f"/approve/{node.id}", node.decision("approve", sovereign, now() - 61_000)), 400, "stale-timestamp")
    problem("approve: of nobody", post("/approve/nobody-knows", node.decision("approve", sovereign)), 404)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: post(f"/approve/{node.id}", node.decision("approve", sovereign)).status_code, range(8)))
    check("approve: of eight at once one", sorted(answers) == [200] + [409] * 7, answers)
    check("events: the approval is told", events.until(lambda e: e[0] == "approved" and e[1]["id"] == node.id) is not None)
    problem("approve: the short form on a decided node", post(f"/approve/{node.id}", node.decision("approve", sovereign, short=True)), 409)

    beat = node.heartbeat(height=7, services=[{"type": "ledger", "healthy": True, "lastCheck": now()}],
                          peers=[{"nodeId": node.id, "latencyMs": 4}])
    answered("heartbeat", post("/heartbeat", beat), 200, success=True)
    problem("heartbeat: replayed", post("/heartbeat", beat), 409, "replayed")
    problem("heartbeat: stale", post("/heartbeat", node.heartbeat(now() - 61_000)), 400, "stale-timestamp")
    problem("heartbeat: from the future", post("/heartbeat", node.heartbeat(now() + 65_000)), 400, "stale-timestamp")
    problem("heartbeat: another's signature", post("/heartbeat", node.heartbeat() | {"signature": Key().sign("x")}), 401)
    problem("heartbeat: of nobody", post("/heartbeat", Node("nobody-knows").heartbeat()), 404)
    topology = get("/topology").json()
    mine = next((n for n in topology["nodes"] if n["id"] == node.id), {})
    check("topology: height and health", mine.get("height") == 7 and mine["services"][0]["healthy"] is True
          and mine["services"][0]["publicKey"] == node.service["ledger"].public, mine)
    check("topology: links", {"from": node.id, "to": node.id, "latency_ms": 4}.items()
          <= next((l for l in topology["links"] if l["from"] == node.id), {}).items(), topology["links"])
    validators = get("/validators/active").json()["validators"]
    check("validators", {"id": node.id, "publicKey": node.key.public, "wsUrl": "ws://100.64.0.77:9003"}.items()
          <= next((v for v in validators if v["id"] == node.id), {}).items(), validators)

    refused = Node(f"refused-{suffix}")
    answered("register: another node", post("/register", refused.registration()), 201)
    answered("deny: in the short form", post(f"/deny/{refused.id}", refused.decision("deny", sovereign, short=True)), 200, status="denied")
    problem("deny: twice", post(f"/deny/{refused.id}", refused.decision("deny", sovereign)), 409)
    problem("heartbeat: of a denied node", post("/heartbeat", refused.heartbeat()), 403)

    extra = Key()
    at = now()
    adding = {"publicKey": extra.public, "description": "peer", "addedBy": sovereign.public, "timestamp": at,
              "signature": sovereign.sign(f"sovereign:add:{extra.public}:{at}")}
    stranger = Key()
    problem("sovereign: added by a stranger",
            post("/sovereign/add", adding | {"addedBy": stranger.public, "signature": stranger.sign(f"sovereign:add:{extra.public}:{at}")}), 403)
    problem("sovereign: another's signature", post("/sovereign/add", adding | {"signature": stranger.sign("x")}), 401)
    answered("sovereign: added", post("/sovereign/add", adding), 201)
    problem("sovereign: added twice", post("/sovereign/add", adding), 409)
    following, at = Key(), now()
    text = f"sovereign:rotate:{extra.public}:{following.public}:{at}"
    rotation = {"oldPublicKey": extra.public, "newPublicKey": following.public, "timestamp": at,
                "signature": extra.sign(text), "newSignature": following.sign(text)}
    problem("sovereign: the new key must sign", post("/sovereign/rotate", rotation | {"newSignature": extra.sign(text)}), 401)
    answered("sovereign: replaced", post("/sovereign/rotate", rotation), 200)
    problem("sovereign: replaced twice", post("/sovereign/rotate", rotation), 403)
    keys = [k["publicKey"] for k in get("/sovereign").json()["keys"]]
    check("sovereign: both within the overlap", extra.public in keys and following.public in keys, keys)
    answered("sovereign: verify", post("/sovereign/verify", {"message": "m", "signature": following.sign("m")}), 200,
             valid=True, publicKey=following.public)
    problem("sovereign: verify a stranger's", post("/sovereign/verify", {"message": "m", "signature": stranger.sign("m")}), 401)
    problem("sovereign: verify a claimed stranger", post("/sovereign/verify", {"message": "m", "signature": stranger.sign("m"), "publicKey": stranger.public}), 403)
    info = get("/info").json()
    check("info", info["service"] == "mesh" and set(info["nodes"]) == {"pending", "active", "offline", "total"}, info)
    return node


# --- the content store ------------------------------------------------------------------------------------------------

def t4(url, node):
    data = os.urandom(300_000)
    sha = hashlib.sha256(data).hexdigest()
    place = f"{url}/content/{sha}"
    put = lambda body, token, where=place: requests.put(where, data=body, timeout=30, headers={"authorization": f"Bearer {token}"} if token else {})
    problem("put: no token", put(data, None), 401)
    problem("put: not a token", put(data, "abc"), 401)
    problem("put: a producer's token", put(data, node.token("producer")), 403)
    problem("put: another key's token", put(data, node.token("ledger", key=Key())), 401)
    problem("put: an expired token", put(data, node.token("ledger", at=now() - 200_000)), 401)
    problem("put: a token from the future", put(data, node.token("ledger", at=now() + 120_000)), 401)
    problem("put: a token that lives two hours", put(data, node.token("ledger", lifetime=7_200_000)), 401)
    token = node.token("ledger", payload={"scope": "content"})
    problem("put: other bytes", put(data + b"x", token), 400, "hash-mismatch")
    problem("put: not a hash", put(data, token, f"{url}/content/xyz"), 400)
    problem("get: nothing was kept", requests.get(place, timeout=10), 404)
    answered("put", put(data, token), 201, hash=sha, size=len(data), stored=True)
    answered("put: again", put(data, token), 200, hash=sha, stored=True)
    got = requests.get(place, timeout=10)
    check("get", got.status_code == 200 and got.content == data and got.headers["content-type"] == "application/octet-stream"
          and got.headers["x-content-hash"] == sha and got.headers["x-content-size"] == str(len(data))
          and got.headers["cache-control"] == "public, max-age=31536000, immutable", got.headers)
    head = requests.head(place, timeout=10)
    check("head", head.status_code == 200 and head.headers["content-length"] == str(len(data)) and head.content == b"", head.headers)
    known = requests.get(place, timeout=10, headers={"if-none-match": got.headers["etag"]})
    check("get: known by its tag", known.status_code == 304 and known.content == b"")
    part = requests.get(place, timeout=10, headers={"range": "bytes=1000-1999"})
    check("get: a range", part.status_code == 206 and part.content == data[1000:2000]
          and part.headers["content-range"] == f"bytes 1000-1999/{len(data)}", part.headers)
    tail = requests.get(place, timeout=10, headers={"range": "bytes=-10"})
    check("get: the end", tail.status_code == 206 and tail.content == data[-10:])
    beyond = requests.get(place, timeout=10, headers={"range": f"bytes={len(data)}-"})
    check("get: beyond the end", beyond.status_code == 416 and beyond.headers["content-range"] == f"bytes */{len(data)}", beyond.headers)
    delete = lambda token: requests.delete(place, timeout=10, headers={"authorization": f"Bearer {token}"} if token else {})
    problem("delete: no token", delete(None), 401)
    problem("delete: a producer's token", delete(node.token("producer")), 403)
    answered("delete", delete(token), 200, hash=sha, deleted=True)
    problem("delete: again", delete(token), 404)
    store_more(url, node, put)


def store_more(url, node, put):
    """What is cut off, too large, listed, asked for conditionally, read against its hash."""
    token = node.token("ledger")
    problem("put: a token for another service", put(b"x", node.token("ledger", payload={"aud": "mesh"})), 401)
    data = [os.urandom(5000 + n) for n in range(3)]
    hashes = [hashlib.sha256(d).hexdigest() for d in data]
    place = lambda sha: f"{url}/content/{sha}"
    for d, sha in zip(data, hashes):
        answered("put: one of three", put(d, token, place(sha)), 201, hash=sha)

    # Cut off in the middle: what came is not kept.
    whole = os.urandom(50_000)
    sha = hashlib.sha256(whole).hexdigest()
    address = urllib.parse.urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as cut:
        head = f"PUT /content/{sha} HTTP/1.1\r\nhost: t4\r\nauthorization: Bearer {token}\r\ncontent-length: {len(whole)}\r\n\r\n"
        cut.sendall(head.encode() + whole[:20_000])
    problem("put: truncated, nothing is kept", requests.get(place(sha), timeout=10), 404)
    answered("put: truncated before, whole now", put(whole, token, place(sha)), 201, size=len(whole))

    limit = requests.get(f"{url}/info", timeout=10).json()["maxBytes"]
    large = b"\0" * (limit + 1)
    large_sha = hashlib.sha256(large).hexdigest()
    problem("put: oversized", put(large, token, place(large_sha)), 413, "too-large")
    parts = (large[at:at + 65536] for at in range(0, len(large), 65536))
    problem("put: oversized, of unknown length", put(parts, token, place(large_sha)), 413, "too-large")
    problem("get: the oversized is not there", requests.get(place(large_sha), timeout=10), 404)

    get = lambda sha, **headers: requests.get(place(sha), timeout=10, headers=headers)
    tag = get(hashes[0]).headers["etag"]
    match = {"if-none-match": f'"other", W/{tag}'}
    check("get: known by one tag of several, weakly", requests.get(place(hashes[0]), headers=match, timeout=10).status_code == 304)
    ranged = {"range": "bytes=0-9", "if-range": '"other"'}
    check("get: if-range of another tag gives all", requests.get(place(hashes[0]), headers=ranged, timeout=10).content == data[0])
    ranged["if-range"] = tag
    check("get: if-range of this tag gives the part", requests.get(place(hashes[0]), headers=ranged, timeout=10).content == data[0][:10])
    nonsense = get(hashes[0], range="bytes=nonsense")
    check("get: a range that is none gives all", nonsense.status_code == 200 and nonsense.content == data[0])
    several = get(hashes[0], range="bytes=0-1,4-5")
    check("get: several ranges give all", several.status_code == 200 and several.content == data[0])
    head = requests.head(place(hashes[0]), headers={"range": "bytes=0-9"}, timeout=10)
    check("head: a range is of GET alone", head.status_code == 200 and head.headers["content-length"] == str(len(data[0])), head.headers)
    check("head: missing", requests.head(place("0" * 64), timeout=10).status_code == 404)
    verified = requests.get(place(hashes[1]) + "?verify=true", timeout=10)
    check("get: read against its hash", verified.status_code == 200 and verified.content == data[1])
    upper = get(hashes[2].upper())
    check("get: a hash in upper case is the same", upper.status_code == 200 and upper.content == data[2], upper.status_code)
    problem("get: too short a hash", get("ab"), 400)
    problem("get: a path out of the store", requests.get(f"{url}/content/..%2f..%2fetc%2fpasswd", timeout=10), 400)
    problem("post: no such method", requests.post(place(hashes[0]), timeout=10), 405)

    bearer = {"authorization": f"Bearer {token}"}
    problem("list: without a token", requests.get(f"{url}/content", timeout=10), 401)
    problem("list: a producer's token", requests.get(f"{url}/content", headers={"authorization": f"Bearer {node.token('producer')}"}, timeout=10), 403)
    seen, at = [], f"{url}/content?limit=2"
    while at:
        page = requests.get(at, headers=bearer, timeout=10)
        seen += [entry["hash"] for entry in page.json()]
        at = page.links["next"]["url"] if "next" in page.links else None
        at = urllib.parse.urljoin(url, at) if at else None
    check("list: each once, in order, page after page", seen == sorted(set(seen)) and set(hashes) <= set(seen), seen)
    problem("list: no such limit", requests.get(f"{url}/content?limit=501", headers=bearer, timeout=10), 400)
    problem("list: a cursor that is none", requests.get(f"{url}/content?cursor=x", headers=bearer, timeout=10), 400)

    problem("scrub: without a token", requests.post(f"{url}/scrub", timeout=10), 401)
    answered("scrub", requests.post(f"{url}/scrub", headers=bearer, timeout=10), 200, service="t4")
    def scrubbed():
        return requests.get(f"{url}/info", timeout=10).json()["scrub"]
    check("scrub: ends, and nothing has rotted", until(lambda: not scrubbed()["running"] and scrubbed().get("finishedAt"))
          and scrubbed()["rotten"] == 0 and scrubbed()["checked"] >= 4, scrubbed())
    info = requests.get(f"{url}/info", timeout=10).json()
    check("info", info["count"] == len(seen) and info["bytes"] >= sum(map(len, data)) and info["quarantined"] == [], info)


# --- the identity service ---------------------------------------------------------------------------------------------

def identity(url, user, data):
    post = lambda path, body=None: requests.post(url + path, json=body, timeout=10)
    get = lambda path, **kw: requests.get(url + path, timeout=10, **kw)
    username = data["username"]
    user_id = data["userId"]

    def create(**body):
        return answered("create", post("/auth/session/create", body), 201)

    def approval(session, **changes):
        fields = {"sessionId": session["qrData"]["sessionId"], "challenge": session["challenge"],
                  "userId": user_id, "username": username, "timestamp": now()}
        body = {"userId": user_id, "username": username, "publicKey": user.public}
        fields |= {k: v for k, v in changes.items() if k in fields}
        key = changes.get("key", user)
        message = compact(fields)
        body |= {"publicKey": key.public, "signature": key.sign(message), "message": message}
        return body | changes.get("body", {})

    for bad in ("javascript:alert(1)", "data:text/html,x", "nonsense"):
        problem(f"create: returnUrl {bad}", post("/auth/session/create", {"returnUrl": bad}), 400)
    problem("create: oversized name", post("/auth/session/create", {"appName": "x" * 5000}), 400)
    problem("create: wrong type", post("/auth/session/create", {"appName": 5}), 400)

    session = create(appName="Peer's site", appIcon="https://example.org/i.png", returnUrl="https://example.org/done")
    browser, public = session["sessionId"], session["qrData"]["sessionId"]
    qr = session["qrData"]
    check("create: two ids", browser != public and browser.startswith("sess_") and len(browser) == 21 and len(public) == 21, session)
    check("create: what the code says", list(qr) == ["protocol", "type", "version", "sessionId", "challenge", "server", "appName", "appIcon"]
          and qr["protocol"] == "tana" and qr["type"] == "auth" and qr["version"] == "1" and qr["challenge"] == session["challenge"]
          and len(session["challenge"]) == 64 and session["expiresIn"] == 300, qr)
    check("create: the short code", session["qrUri"].startswith(f"tana://auth?session={public}&server=http"), session["qrUri"])

    theirs, ours = Stream(f"{url}/auth/session/{public}/events"), Stream(f"{url}/auth/session/{browser}/events")
    for name, stream, sid in (("public", theirs, public), ("browser's", ours, browser)):
        event = stream.next()[1] or {}
        check(f"events: connected on the {name} stream", event.get("type") == "connected" and event.get("status") == "waiting"
              and event.get("sessionId") == sid, event)
    answered("get: by the browser's id it stays waiting", get(f"/auth/session/{browser}"), 200, status="waiting", sessionId=browser)
    answered("get: the first read by the public id is a scan", get(f"/auth/session/{public}"), 200, status="scanned", challenge=session["challenge"])
    event = ours.next()[1] or {}
    check("events: scanned", event.get("type") == "status_update" and event.get("status") == "scanned", event)
    answered("scan: again does no harm", post(f"/auth/session/{public}/scan"), 200, success=True, challenge=session["challenge"])

    path = f"/auth/session/{public}/approve"
    other = create()
    problem("approve: another session's message", post(path, approval(other)), 400, "message-mismatch")
    problem("approve: another challenge", post(path, approval(session, challenge="00" * 32)), 400, "message-mismatch")
    problem("approve: another user in the message", post(path, approval(session, userId="00000000-0000-8000-8000-000000000000")), 400, "message-mismatch")
    problem("approve: another name in the message", post(path, approval(session, username="@mallory")), 400, "message-mismatch")
    problem("approve: stale", post(path, approval(session, timestamp=now() - 301_000)), 400, "stale-timestamp")
    problem("approve: from the future", post(path, approval(session, timestamp=now() + 305_000)), 400, "stale-timestamp")
    problem("approve: the signature of something else", post(path, approval(session, body={"signature": user.sign("x")})), 401)
    problem("approve: truncated signature", post(path, approval(session, body={"signature": "ed25519_sig_00"})), 400)
    problem("approve: a message that is none", post(path, approval(session, body={"message": "hello"})), 400)
    problem("approve: by a key that the ledger does not know", post(path, approval(session, key=Key())), 403, "wrong-key")
    problem("approve: no such session", post("/auth/session/sess_0000000000000000/approve", approval(session)), 404)
    problem("approve: no session's id", post("/auth/session/nonsense/approve", approval(session)), 404)
    answered("approve: still open after all that", get(f"/auth/session/{public}"), 200, status="scanned")

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        started = time.monotonic()
        answers = list(pool.map(lambda _: post(path, approval(session)), range(4)))
    check("approve: of four at once one", sorted(a.status_code for a in answers) == [200, 409, 409, 409], [a.text for a in answers])
    phone = next((a.json() for a in answers if a.status_code == 200), {})
    check("approve: answer", phone.get("success") is True and phone.get("userId") == user_id and phone.get("username") == username, phone)
    _, event, at = ours.next()
    event = event or {}
    check("events: approved, with the token", event.get("type") == "approved" and event.get("userId") == user_id
          and len(event.get("sessionToken", "")) == 64, event)
    print(f"        (told {1000 * (at - started):.1f} ms after the four were sent)")
    check("events: then the stream ends", ours.next()[0] == "end")
    theirs.next()
    event = theirs.next()[1] or {}
    check("events: approved on the public stream, without the token", event.get("type") == "approved" and "sessionToken" not in event
          and "userId" not in event, event)
    token = answered("get: the token by the browser's id", get(f"/auth/session/{browser}"), 200, status="approved").get("sessionToken", "")
    answered("get: not by the public id", get(f"/auth/session/{public}"), 200, status="approved", sessionToken=None, userId=None)
    again = Stream(f"{url}/auth/session/{browser}/events")
    check("events: a stream that reconnects gets it again", again.until(lambda e: e[1].get("sessionToken") == token) is not None)
    problem("reject: after the approval", post(f"/auth/session/{public}/reject"), 409)
    problem("scan: after the approval", post(f"/auth/session/{public}/scan"), 409)

    bearer = lambda t: {"headers": {"authorization": f"Bearer {t}"}}
    answered("validate", post("/auth/session/validate", {"sessionToken": token}), 200, valid=True, userId=user_id, publicKey=user.public)
    answered("verify", get("/auth/session/verify", **bearer(token)), 200, valid=True, username=username)
    answered("verify: the phone's own token", get("/auth/session/verify", **bearer(phone.get("sessionToken"))), 200, valid=True)
    check("the phone's token is another", phone.get("sessionToken") != token)
    answered("validate: wrong", post("/auth/session/validate", {"sessionToken": "0" * 64}), 401, valid=False)
    problem("verify: without a token", get("/auth/session/verify"), 401, "bad-token")
    forged = hmac.new(b"guess", browser.encode(), hashlib.sha256).hexdigest()
    answered("verify: guessed", get("/auth/session/verify", **bearer(forged)), 401, valid=False)

    sessions = get("/auth/sessions", **bearer(token)).json()
    current = [s for s in sessions if s["current"]]
    check("sessions: listed", len(current) == 1 and current[0]["id"] == public and current[0]["appName"] == "Peer's site", sessions)
    problem("sessions: without a token", get("/auth/sessions"), 401)
    answered("sessions: ended", requests.delete(f"{url}/auth/sessions/{public}", timeout=10, **bearer(token)), 200, success=True)
    answered("verify: after the end", get("/auth/session/verify", **bearer(token)), 401, valid=False)
    answered("verify: the phone's too", get("/auth/session/verify", **bearer(phone.get("sessionToken"))), 401, valid=False)

    refused = create()
    rid = refused["qrData"]["sessionId"]
    stream = Stream(f"{url}/auth/session/{refused['sessionId']}/events")
    stream.next()
    answered("reject", post(f"/auth/session/{rid}/reject", {"reason": "not me"}), 200, success=True)
    event = stream.next()[1] or {}
    check("events: rejected", event.get("type") == "rejected" and event.get("reason") == "not me", event)
    problem("approve: a rejected session", post(f"/auth/session/{rid}/approve", approval(refused)), 409)

    one = create()
    message_id = one["sessionId"]
    fields = approval(one, sessionId=message_id)
    answered("approve: a client that uses one id for both", post(f"/auth/session/{message_id}/approve", fields), 200, success=True)


# --- transactions that a phone approves -------------------------------------------------------------------------------

class Push:
    """Takes what the identity service tells phones. Refuses the first, so that it has to come again."""

    def __init__(self, port):
        came = self.came = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                came.append(body)
                self.send_response(503 if len(came) == 1 else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, request):
        return [body for body in self.came if body["requestId"] == request]


class Visit:
    """A site at which the user is logged in, and the phone that has the user's key."""

    def __init__(self, url, ledger, user, data):
        self.url, self.ledger, self.user, self.data = url, ledger, user, data
        session = self.post("/auth/session/create", {"appName": "Peer's shop"}).json()
        public = session["qrData"]["sessionId"]
        fields = {"sessionId": public, "challenge": session["challenge"], "userId": data["userId"],
                  "username": data["username"], "timestamp": now()}
        message = compact(fields)
        body = {"userId": data["userId"], "username": data["username"], "publicKey": user.public,
                "signature": user.sign(message), "message": message}
        answered("shop: logged in", self.post(f"/auth/session/{public}/approve", body), 200)
        view = requests.get(f"{url}/auth/session/{session['sessionId']}", timeout=10).json()
        self.bearer = {"authorization": f"Bearer {view['sessionToken']}"}

    def post(self, path, body=None, **kw):
        return requests.post(self.url + path, json=body, timeout=10, **kw)

    def get(self, path, **kw):
        return requests.get(self.url + path, timeout=10, **kw)

    def delete(self, path, **kw):
        return requests.delete(self.url + path, timeout=10, **kw)

    def wanted(self, **changes):
        return {"type": "deposit", "to": self.data["username"], "amount": "7.25", "currencyCode": "USD",
                "metadata": {"order": 9}} | changes

    def ask(self, name, **changes):
        answer = answered(name, self.post("/auth/transaction/request", self.wanted(**changes), headers=self.bearer), 201, status="pending")
        return answer.get("requestId", "")

    def signed(self, message, key=None):
        key = key or self.user
        return {"message": message, "signature": key.sign(message), "publicKey": key.public}


def transactions(url, ledger, user, data, push):
    visit = Visit(url, ledger, user, data)
    post, get, bearer = visit.post, visit.get, visit.bearer

    for name, body in (("no push token", {}), ("an empty push token", {"pushToken": ""}), ("a push token of another type", {"pushToken": 7}),
                       ("an oversized push token", {"pushToken": "x" * 513}), ("a line break in its name", {"pushToken": "x", "deviceName": "a\nb"})):
        problem(f"device: {name}", post("/devices", body, headers=bearer), 400)
    problem("device: without a token", post("/devices", {"pushToken": "x"}), 401)
    phone = {"pushToken": "peer token", "deviceName": "Peer's phone", "platform": "ios", "appVersion": "1"}
    device = answered("device: registered", post("/devices", phone, headers=bearer), 201, deviceName="Peer's phone", platform="ios")
    answered("device: again it is the same", post("/devices", phone | {"appVersion": "2"}, headers=bearer), 201, id=device["id"], appVersion="2")
    listed = get("/devices", headers=bearer).json()
    check("device: listed, without its push token", [d["id"] for d in listed] == [device["id"]] and "pushToken" not in listed[0], listed)
    problem("device: listed without a token", get("/devices"), 401)

    problem("ask: without a token", post("/auth/transaction/request", visit.wanted()), 401)
    for name, changes in (("no such type", {"type": "gift"}), ("no amount that is one", {"amount": "seven"}), ("an amount that is a number", {"amount": 7.25}),
                          ("a negative amount", {"amount": "-1"}), ("a user creation", {"type": "user_creation"}), ("nobody that can be meant", {"to": "no one"}),
                          ("larger than a phone signs", {"metadata": {"x": "y" * 70_000}})):
        problem(f"ask: {name}", post("/auth/transaction/request", visit.wanted(**changes), headers=bearer), 400)

    request = visit.ask("ask")
    path = f"/auth/transaction/{request}"
    seen = answered("request: what the phone sees", get(path), 200, requestId=request, status="pending", appName="Peer's shop")
    answered("request: the same under /status", get(path + "/status"), 200, requestId=request)
    transaction = seen["transaction"]
    check("request: all that is signed is shown", compact(transaction) == seen["message"] and transaction["from"] == data["userId"]
          and transaction["amount"] == "7.25" and transaction["metadata"] == {"order": 9} and transaction["chainId"], seen)
    check("request: its keys are in the order that is signed", list(transaction) == [k for k in (
        "type", "from", "to", "timestamp", "nonce", "amount", "currencyCode", "contractId", "contractInput", "metadata", "chainId") if k in transaction], transaction)
    check("push: told, and told again where it was not taken", until(lambda: len(push.of(request)) == 2), push.came)
    told = push.of(request)[0] if push.of(request) else {}
    check("push: what it says", told.get("type") == "transaction_approval" and told.get("transaction") == transaction
          and told.get("device", {}).get("pushToken") == "peer token", told)

    mine = get("/auth/transactions?status=pending", headers=bearer).json()
    check("requests: listed for the user", [r["requestId"] for r in mine] == [request], mine)
    problem("requests: without a token", get("/auth/transactions"), 401)
    problem("requests: no such status", get("/auth/transactions?status=lost", headers=bearer), 400)

    approve = lambda body: post(path + "/approve", body)
    message = seen["message"]
    problem("approve: another amount", approve(visit.signed(message.replace("7.25", "7.26"))), 400, "message-mismatch")
    problem("approve: the same in another order", approve(visit.signed(compact(dict(reversed(transaction.items()))))), 400, "message-mismatch")
    problem("approve: another's key", approve(visit.signed(message, Key())), 403, "wrong-key")
    problem("approve: the signature of something else", approve(visit.signed(message) | {"signature": user.sign("x")}), 401, "bad-signature")
    problem("approve: a truncated signature", approve(visit.signed(message) | {"signature": "ed25519_sig_00"}), 400)
    problem("approve: a key of another type", approve(visit.signed(message) | {"publicKey": 1}), 400)
    problem("approve: the half of what is needed", approve({"message": message}), 400)
    problem("approve: both ways at once", approve(visit.signed(message) | {"transactionId": "tx_" + "0" * 64}), 400)
    problem("approve: a transaction that nobody knows", approve({"transactionId": "tx_" + "0" * 64}), 400, "message-mismatch")
    problem("approve: not JSON", requests.post(url + path + "/approve", data="{", headers={"content-type": "application/json"}, timeout=10), 400)
    problem("approve: oversized", approve(visit.signed("x" * (3 << 20))), 413)
    problem("approve: no such request", post("/auth/transaction/txreq_0000000000000000/approve", visit.signed(message)), 404)
    problem("approve: no request's id", post("/auth/transaction/nonsense/approve", visit.signed(message)), 404)
    answered("request: still pending after all that", get(path), 200, status="pending")

    stream = Stream(url + path + "/events")
    first = stream.next()[1] or {}
    check("events: connected", first.get("type") == "connected" and first.get("status") == "pending", first)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: approve(visit.signed(message)), range(4)))
    check("approve: of four at once one", sorted(a.status_code for a in answers) == [200, 409, 409, 409], [a.text for a in answers])
    transaction_id = next((a.json()["transactionId"] for a in answers if a.status_code == 200), "")
    signature = bytes.fromhex(visit.signed(message)["signature"].removeprefix("ed25519_sig_"))
    check("approve: the transaction's id follows from message and signature",
          transaction_id == "tx_" + hashlib.sha256(message.encode() + signature).hexdigest(), transaction_id)
    last = stream.until(lambda e: (e[1] or {}).get("type") in ("confirmed", "failed"), 30)
    check("events: confirmed, with the transaction", last is not None and last[1]["type"] == "confirmed" and last[1]["transactionId"] == transaction_id, last)
    check("events: then the stream ends", stream.next()[0] == "end")
    again = requests.get(url + path + "/events", headers={"last-event-id": "confirmed"}, timeout=10)
    check("events: who has seen the last is told to stay away", again.status_code == 204, again.status_code)
    answered("request: confirmed", get(path), 200, status="confirmed", transactionId=transaction_id)
    known = answered("the ledger has it", requests.get(f"{ledger}/transactions/{transaction_id}", timeout=10), 200, status="confirmed")
    check("the ledger has what was signed", known.get("amount") == "7.25" and known.get("metadata") == {"order": 9}, known)
    problem("approve: what is confirmed", approve(visit.signed(message)), 409)
    problem("reject: what is confirmed", post(path + "/reject"), 409)

    # The phone submits by itself and names what it has submitted.
    request = visit.ask("ask: another")
    path = f"/auth/transaction/{request}"
    problem("approve: an old payment", post(path + "/approve", {"transactionId": transaction_id}), 400, "message-mismatch")
    message = get(path).json()["message"]
    submitted = requests.post(f"{ledger}/transactions", json=json.loads(message) | {"signature": user.sign(message)}, timeout=10)
    answered("the phone submits it", submitted, 202)
    answered("approve: what was submitted", post(path + "/approve", {"transactionId": submitted.json()["id"]}), 200, success=True)
    check("request: confirmed as well", until(lambda: get(path).json()["status"] == "confirmed"), get(path).text)

    request = visit.ask("ask: a third")
    path = f"/auth/transaction/{request}"
    problem("reject: a reason of another type", post(path + "/reject", {"reason": 7}), 400)
    answered("reject", post(path + "/reject", {"reason": "too dear"}), 200, success=True)
    answered("request: rejected", get(path), 200, status="rejected", reason="too dear")
    problem("reject: twice", post(path + "/reject"), 409)
    problem("approve: what is rejected", post(path + "/approve", visit.signed(get(path).json()["message"])), 409)
    counts = [r["status"] for r in get("/auth/transactions", headers=bearer).json()]
    check("requests: newest first, at every status", counts == ["rejected", "confirmed", "confirmed"], counts)

    answered("device: removed", visit.delete(f"/devices/{device['id']}", headers=bearer), 200, success=True)
    problem("device: removed twice", visit.delete(f"/devices/{device['id']}", headers=bearer), 404)
    request = visit.ask("ask: with no phone left")
    time.sleep(0.3)
    check("push: nobody is told", push.of(request) == [], push.came)
    answered("log out everywhere", visit.delete("/auth/sessions", headers=bearer), 200, success=True)
    problem("ask: after the log-out", post("/auth/transaction/request", visit.wanted(), headers=bearer), 401)
    answered("request: what was asked for is there still", get(f"/auth/transaction/{request}"), 200, status="pending")


def page(url):
    """The page for browsers, and the code as a picture."""
    found = requests.get(url + "/", timeout=10)
    check("page", found.status_code == 200 and found.headers["content-type"].startswith("text/html")
          and "default-src 'none'" in found.headers["content-security-policy"], found.headers)
    for name in ("page.js", "page.css"):
        check(f"page: {name}", name in found.text and requests.get(f"{url}/{name}", timeout=10).status_code == 200)
    session = requests.post(f"{url}/auth/session/create", timeout=10).json()
    public = session["qrData"]["sessionId"]
    code = requests.get(f"{url}/auth/session/{public}/qr.svg", timeout=10)
    check("code: a picture", code.status_code == 200 and code.headers["content-type"] == "image/svg+xml" and code.text.startswith("<svg"), code.headers)
    answered("code: looking at it is no scan", requests.get(f"{url}/auth/session/{session['sessionId']}", timeout=10), 200, status="waiting")
    answered("code: rejected", requests.post(f"{url}/auth/session/{public}/reject", timeout=10), 200)
    problem("code: none of what is over", requests.get(f"{url}/auth/session/{public}/qr.svg", timeout=10), 409)
    problem("code: none of nothing", requests.get(f"{url}/auth/session/nonsense/qr.svg", timeout=10), 404)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--push-port", type=int, required=True)
    for service in ("mesh", "identity", "t4", "ledger"):
        parser.add_argument(f"--{service}", required=True)
    args = parser.parse_args()
    home = pathlib.Path(args.home)
    sovereign, _ = key_file(home / "sovereign-key.json")
    user, data = key_file(home / "users" / f"{args.user}.json")
    node = mesh(args.mesh, sovereign)
    t4(args.t4, node)
    identity(args.identity, user, data)
    transactions(args.identity, args.ledger, user, data, Push(args.push_port))
    page(args.identity)
    print(f"{CHECKS - len(FAILED)} of {CHECKS} checks hold")
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main())
