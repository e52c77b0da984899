#!/usr/bin/env python3
"""Plays nodes and sovereigns against two meshes, and services against a content store, with none of the project's code:
removal, other keys, labels, several sovereigns, the log of decisions, service tokens, and bodies that are wrong.

    sovereigns.py --home DIR --mesh URL --mesh-of-two URL --t4 URL

At --mesh-of-two it takes two sovereigns to decide. Prints one line a check and exits with 1 if any failed.
"""
import argparse
import concurrent.futures
import datetime
import hashlib
import json
import os
import pathlib
import socket
import sys
import time
import urllib.parse

import requests

import peer
from peer import Key, Node, Stream, answered, check, compact, key_file, now, problem

ZERO = "0" * 64


class Mesh:
    def __init__(self, url):
        self.url = url
        self.events = Stream(url + "/events")

    def post(self, path, body):
        return requests.post(self.url + path, json=body, timeout=10)

    def get(self, path):
        return requests.get(self.url + path, timeout=10)

    def node(self, node):
        return self.get(f"/nodes/{node.id}").json()["node"]

    def status(self, node):
        return self.node(node)["status"]

    def told(self, name, node):
        return self.events.until(lambda e: e[0] == name and e[1]["id"] == node.id)

    def joined(self, name, sovereign):
        node = Node(f"{name}-{os.urandom(3).hex()}")
        answered(f"register {name}", self.post("/register", node.registration()), 201)
        answered(f"approve {name}", self.post(f"/approve/{node.id}", node.decision("approve", sovereign)), 200, status="active")
        return node


def moment(text):
    """Milliseconds of a time as bodies have it."""
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=datetime.timezone.utc).timestamp() * 1000


def with_key(node, key):
    """The same name with another key."""
    other = Node(node.id)
    other.key = key
    return other


# --- put out, and back with another key -------------------------------------------------------------------------------

def removal(mesh, sovereign, t4):
    node = Node(f"out-{os.urandom(3).hex()}")
    mesh.post("/register", node.registration())
    remove = lambda body: mesh.post(f"/remove/{node.id}", body)
    problem("remove: a node that waits", remove(node.decision("remove", sovereign)), 409, "already-decided")
    mesh.post(f"/approve/{node.id}", node.decision("approve", sovereign))
    check("token: taken while the node is in", stored(t4, node.token("ledger")) == 201)
    problem("remove: nobody", mesh.post("/remove/nobody-knows", node.decision("remove", sovereign)), 404)
    problem("remove: by a stranger", remove(node.decision("remove", Key())), 403, "forbidden")
    problem("remove: with an approval", remove(node.decision("approve", sovereign)), 401, "bad-signature")
    problem("remove: without a time", remove(node.decision("remove", sovereign, short=True)), 400, "malformed")
    problem("remove: stale", remove(node.decision("remove", sovereign, now() - 61_000)), 400, "stale-timestamp")
    another = with_key(node, Key())
    problem("remove: signed for another key", remove(another.decision("remove", sovereign)), 401, "bad-signature")
    check("remove: nothing has changed it", mesh.status(node) == "active")
    body = node.decision("remove", sovereign)
    answered("remove", remove(body), 200, success=True, nodeId=node.id, status="denied")
    check("events: the removal is told", mesh.told("removed", node) is not None)
    problem("remove: again", remove(body), 409, "already-decided")
    shown = mesh.node(node)
    check("removed: shown as such", shown["status"] == "denied" and abs(moment(shown["removed_at"]) - now()) < 10_000, shown)
    problem("removed: its heartbeat", mesh.post("/heartbeat", node.heartbeat()), 403, "node-not-active")
    check("removed: in no topology", node.id not in [n["id"] for n in mesh.get("/topology").json()["nodes"]])
    check("removed: no validator", node.id not in [v["id"] for v in mesh.get("/validators/active").json()["validators"]])
    check("token: refused once the node is out", waits(lambda: stored(t4, node.token("ledger")) == 401, 5))

    problem("back: with the same key", mesh.post("/register", node.registration()), 409, "already-exists")
    elsewhere = with_key(Node(f"else-{os.urandom(3).hex()}"), node.key)
    problem("back: the same key under another name", mesh.post("/register", elsewhere.registration()), 409, "already-exists")
    answered("back: with another key", mesh.post("/register", another.registration()), 201, status="pending")
    problem("back: the short form would be a replay", mesh.post(f"/approve/{node.id}", another.decision("approve", sovereign, short=True)), 409, "already-decided")
    problem("back: an approval of the old key", mesh.post(f"/approve/{node.id}", node.decision("approve", sovereign)), 401, "bad-signature")
    problem("back: the old key under another name still", mesh.post("/register", elsewhere.registration()), 409, "already-exists")
    answered("back: decided on anew", mesh.post(f"/approve/{node.id}", another.decision("approve", sovereign)), 200, status="active")
    check("back: no trace of the removal", "removed_at" not in mesh.node(node))

    denied = Node(f"denied-{os.urandom(3).hex()}")
    mesh.post("/register", denied.registration())
    answered("deny", mesh.post(f"/deny/{denied.id}", denied.decision("deny", sovereign)), 200, status="denied")
    problem("denied: approved after all", mesh.post(f"/approve/{denied.id}", denied.decision("approve", sovereign)), 409, "already-decided")
    problem("denied: registered again", mesh.post("/register", denied.registration()), 409, "already-exists")
    problem("denied: removed", mesh.post(f"/remove/{denied.id}", denied.decision("remove", sovereign)), 409, "already-decided")
    answered("denied: with another key", mesh.post("/register", with_key(denied, Key()).registration()), 201, status="pending")


# --- labels and other keys --------------------------------------------------------------------------------------------

def label(node, key, region, at=None):
    at = at or now()
    return {"region": region, "publicKey": key.public, "timestamp": at, "signature": key.sign(f"label:{node.id}:{at}:{region}")}


def labels(mesh, sovereign):
    node = mesh.joined("label", sovereign)
    post = lambda body: mesh.post(f"/label/{node.id}", body)
    mine = label(node, node.key, "eu-west", now() - 5000)
    answered("label: by its own key", post(mine), 200, success=True, region="eu-west")
    check("events: the label is told", mesh.told("changed", node) is not None)
    check("label: shown", mesh.node(node)["region"] == "eu-west")
    answered("label: by a sovereign", post(label(node, sovereign, "Lisbon")), 200, region="Lisbon")
    problem("label: an older one again", post(mine), 409, "replayed")
    problem("label: by a stranger", post(label(node, Key(), "moon")), 403, "forbidden")
    problem("label: another text than signed", post(label(node, node.key, "moon") | {"region": "mars"}), 401, "bad-signature")
    problem("label: another node's", mesh.post("/label/nobody-knows", label(node, node.key, "moon")), 404)
    problem("label: stale", post(label(node, node.key, "moon", now() - 61_000)), 400, "stale-timestamp")
    problem("label: too long", post(label(node, node.key, "x" * 65)), 400, "malformed")
    problem("label: with a control character", post(label(node, node.key, "a\u001bb")), 400, "malformed")
    check("label: stays", mesh.node(node)["region"] == "Lisbon")
    answered("label: taken off", post(label(node, node.key, "")), 200, success=True)
    check("label: none", "region" not in mesh.node(node))


def rotation(node, new, host, services, at=None):
    at = at or now()
    text = f"node:rotate:{node.id}:{node.key.public}:{new.public}:{at}"
    registration = compact({"nodeId": node.id, "publicKey": new.public, "tailscaleHostname": host})
    return {"oldPublicKey": node.key.public, "newPublicKey": new.public, "timestamp": at, "services": services,
            "signature": node.key.sign(text), "newSignature": new.sign(text), "registrationSignature": new.sign(registration)}


def other_keys(mesh, sovereign, t4):
    node = mesh.joined("rotate", sovereign)
    another = mesh.joined("other", sovereign)
    after = with_key(node, Key())
    offered = after.registration()
    host, services = offered["tailscaleHostname"], offered["services"]
    post = lambda body: mesh.post(f"/rotate/{node.id}", body)
    good = rotation(node, after.key, host, services)
    check("token: by its old key", stored(t4, node.token("ledger")) == 201)
    problem("rotate: nobody", mesh.post("/rotate/nobody-knows", good), 404)
    problem("rotate: from another's key", post(rotation(another, after.key, host, services)), 403, "forbidden")
    for field in ("signature", "newSignature", "registrationSignature"):
        problem(f"rotate: a wrong {field}", post(good | {field: Key().sign("x")}), 401, "bad-signature")
    problem("rotate: stale", post(rotation(node, after.key, host, services, now() - 61_000)), 400, "stale-timestamp")
    problem("rotate: to another's key", post(rotation(node, another.key, host, services)), 409, "already-exists")
    problem("rotate: a service twice", post(good | {"services": services + services[:1]}), 400, "malformed")
    waiting = Node(f"waits-{os.urandom(3).hex()}")
    mesh.post("/register", waiting.registration())
    problem("rotate: a node that waits",
            mesh.post(f"/rotate/{waiting.id}", rotation(waiting, Key(), f"{waiting.id}.example.ts.net", services)), 403, "node-not-active")
    check("rotate: nothing has changed it", mesh.node(node)["public_key"] == node.key.public)
    changed = answered("rotate", post(good), 200).get("node", {})
    check("rotate: the new key and its services'", changed.get("public_key") == after.key.public and changed["status"] == "active"
          and changed["services"][0]["public_key"] == after.service["ledger"].public, changed)
    check("events: the key is told", mesh.told("changed", node) is not None)
    problem("rotate: again", post(good), 403, "forbidden")
    problem("rotated: the old key's heartbeat", mesh.post("/heartbeat", node.heartbeat()), 401, "bad-signature")
    answered("rotated: the new key's heartbeat", mesh.post("/heartbeat", after.heartbeat()), 200)
    check("token: by its new key", waits(lambda: stored(t4, after.token("ledger")) == 201, 5))
    check("token: its old key's is refused", stored(t4, node.token("ledger")) == 401)
    back = with_key(Node(f"back-{os.urandom(3).hex()}"), node.key)
    problem("rotated: the old key registers", mesh.post("/register", back.registration()), 409, "already-exists")


# --- several sovereigns -----------------------------------------------------------------------------------------------

def addition(key, by, at=None):
    at = at or now()
    return {"publicKey": key.public, "addedBy": by.public, "timestamp": at, "signature": by.sign(f"sovereign:add:{key.public}:{at}")}


def several(mesh, first):
    second, third = Key(), Key()
    check("threshold: two", mesh.get("/sovereign").json()["threshold"] == 2)
    answered("sovereigns: the only one adds a second", mesh.post("/sovereign/add", addition(second, first)), 201, success=True)
    answered("sovereigns: one of two adds no third", mesh.post("/sovereign/add", addition(third, first)), 202, votes=1, needed=2)
    check("sovereigns: two", len(mesh.get("/sovereign").json()["keys"]) == 2)
    problem("sovereigns: the same wish again", mesh.post("/sovereign/add", addition(third, first)), 409, "already-decided")
    answered("sovereigns: both add a third", mesh.post("/sovereign/add", addition(third, second)), 201, publicKey=third.public)

    node = Node(f"votes-{os.urandom(3).hex()}")
    mesh.post("/register", node.registration())
    approve = lambda by, at=None: mesh.post(f"/approve/{node.id}", node.decision("approve", by, at))
    at = now()
    answered("vote: one of two", approve(first, at), 200, status="pending", votes=1, needed=2)
    check("events: the vote is told", mesh.told("voted", node) is not None)
    votes = mesh.node(node)["votes"]
    check("vote: shown", [(v["decision"], v["by"]) for v in votes] == [("approve", first.public)], votes)
    problem("vote: again", approve(first), 409, "already-decided")
    problem("vote: by a stranger", approve(Key()), 403, "forbidden")
    answered("vote: a changed mind", mesh.post(f"/deny/{node.id}", node.decision("deny", first, at + 1)), 200, status="pending", votes=1)
    problem("vote: the first one replayed", approve(first, at), 409, "replayed")
    problem("vote: the short form after another", mesh.post(f"/approve/{node.id}", node.decision("approve", first, short=True)), 409, "already-decided")
    answered("vote: another approves", approve(second), 200, status="pending", votes=1, needed=2)
    answered("vote: two approve", approve(third), 200, status="active")
    check("vote: none is left", "votes" not in mesh.node(node))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        racing = Node(f"race-{os.urandom(3).hex()}")
        mesh.post("/register", racing.registration())
        wish = lambda by: mesh.post(f"/approve/{racing.id}", racing.decision("approve", by))
        answers = [a for a in pool.map(wish, [first, second, third] * 4)]
    decided = [a.json()["status"] for a in answers if a.status_code == 200]
    check("vote: of twelve at once two decide", sorted(decided) == ["active", "pending"]
          and all(a.status_code in (200, 409) for a in answers), [a.text for a in answers])

    following, at = Key(), now()
    text = f"sovereign:rotate:{first.public}:{following.public}:{at}"
    answered("rotate the first sovereign", mesh.post("/sovereign/rotate", {
        "oldPublicKey": first.public, "newPublicKey": following.public, "timestamp": at,
        "signature": first.sign(text), "newSignature": following.sign(text)}), 200)
    old = next(k for k in mesh.get("/sovereign").json()["keys"] if k["publicKey"] == first.public)
    check("rotated: ends, and is replaced", old["replacedBy"] == following.public and "endsAt" in old, old)
    twice = Node(f"twice-{os.urandom(3).hex()}")
    mesh.post("/register", twice.registration())
    vote = lambda by: mesh.post(f"/approve/{twice.id}", twice.decision("approve", by))
    answered("vote: by the key that is replaced", vote(first), 200, status="pending", votes=1)
    answered("vote: by the key that follows it is the same sovereign's", vote(following), 200, status="pending", votes=1, needed=2)
    answered("vote: by another one", vote(second), 200, status="active")

    out = lambda by: mesh.post(f"/remove/{twice.id}", twice.decision("remove", by))
    answered("removal: one of two", out(second), 200, status="active", votes=1, needed=2)
    answered("removal: two of two", out(third), 200, status="denied")


# --- the log of decisions ---------------------------------------------------------------------------------------------

def log(mesh, least):
    entries, end = [], None
    while True:
        page = mesh.get(f"/decisions?from={len(entries) + 1}&limit=7").json()
        end = page
        if not page["decisions"]:
            break
        entries += page["decisions"]
    previous, wrong = ZERO, []
    for number, entry in enumerate(entries, 1):
        # RFC 8785 of what has only texts and whole numbers: keys in order, no spaces.
        text = json.dumps(entry | {"hash": ZERO}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        if entry["number"] != number or entry["previousHash"] != previous or entry["hash"] != hashlib.sha256(text.encode()).hexdigest():
            wrong.append(entry)
        previous = entry["hash"]
    check("log: a chain of hashes", not wrong and len(entries) >= least, (len(entries), wrong[:1]))
    check("log: its end", (end["count"], end["hash"]) == (len(entries), previous))
    info = mesh.get("/info").json()["decisions"]
    check("log: its end is in /info", info == {"count": len(entries), "hash": previous}, info)
    problem("log: no such page", mesh.get("/decisions?from=x"), 400)
    return {entry["kind"] for entry in entries}


# --- service tokens ---------------------------------------------------------------------------------------------------

def stored(t4, token):
    """The status that storing something new with a token is answered with."""
    data = os.urandom(64)
    place = f"{t4}/content/{hashlib.sha256(data).hexdigest()}"
    return requests.put(place, data=data, timeout=10, headers={"authorization": f"Bearer {token}"}).status_code


def waits(holds, limit):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.02)
    return holds()


def tokens(mesh, sovereign, t4):
    node = mesh.joined("tokens", sovereign)
    token = lambda **payload: node.token("ledger", payload=payload)
    check("token: for this service", stored(t4, token(aud="t4")) == 201)
    check("token: for another service", stored(t4, token(aud="ledger")) == 401)
    check("token: for every service it names none", stored(t4, token()) == 201)
    check("token: within its scope", stored(t4, token(scope=["PUT /content/"])) == 201)
    check("token: outside its scope", stored(t4, token(scope=["DELETE /content/"])) == 401)
    check("token: an empty scope is good for nothing", stored(t4, token(scope=[])) == 401)
    once = token(jti=os.urandom(8).hex())
    check("token: for one use", stored(t4, once) == 201)
    check("token: used again", stored(t4, once) == 409)
    single = token(jti=os.urandom(8).hex())
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = sorted(pool.map(lambda _: stored(t4, single), range(8)))
    check("token: of eight uses at once one", answers == [201] + [409] * 7, answers)
    old = node.token("ledger", at=now() - 30_000, payload={"jti": os.urandom(8).hex()})
    check("token: for one use, from before this store was there", stored(t4, old) == 401)
    check("token: of a service that the node has not", stored(t4, Node(node.id).token("ledger")) == 401)
    check("token: of nobody", stored(t4, Node("nobody-knows").token("ledger")) == 401)
    check("token: within the clocks' difference", stored(t4, node.token("ledger", at=now() + 50_000)) == 201)
    check("token: beyond it", stored(t4, node.token("ledger", at=now() + 70_000)) == 401)
    check("token: longer than any", stored(t4, "A" * 9000) in (401, 431))
    good = node.token("ledger")
    check("token: cut short", stored(t4, good[: len(good) // 2]) == 401)


# --- bodies that are wrong --------------------------------------------------------------------------------------------

def wrong_bodies(mesh, sovereign):
    node = mesh.joined("bodies", sovereign)
    at = now()
    bodies = {
        "/register": Node(f"new-{os.urandom(3).hex()}").registration(),
        f"/approve/{node.id}": node.decision("approve", sovereign),
        f"/deny/{node.id}": node.decision("deny", sovereign),
        f"/remove/{node.id}": node.decision("remove", sovereign),
        f"/label/{node.id}": label(node, node.key, "x"),
        # Signed too long ago: whatever else is right with it, it is not taken.
        f"/rotate/{node.id}": rotation(node, Key(), f"{node.id}.example.ts.net", [], at - 61_000),
        "/heartbeat": node.heartbeat(height=1, peers=[], services=[]),
        "/sovereign/add": addition(Key(), sovereign),
        "/sovereign/rotate": {"oldPublicKey": sovereign.public, "newPublicKey": sovereign.public, "timestamp": at,
                              "signature": sovereign.sign("x"), "newSignature": sovereign.sign("x")},
        "/sovereign/verify": {"message": "m", "signature": sovereign.sign("m")},
    }
    values = [None, True, 0, -1, 1 << 70, 1.5, "", "x" * 5000, "\u0000", [], [[]], {}, {"a": 1}]
    answers, before = [], mesh.node(node)
    for path, body in bodies.items():
        for field in body:
            for value in values:
                sent = body | {field: value}
                answers.append((path, field, str(value)[:20], mesh.post(path, sent)))
            answers.append((path, field, "absent", mesh.post(path, {k: v for k, v in body.items() if k != field})))
        for whole in ([], None, 1, "x", {}):
            answers.append((path, "", str(whole), mesh.post(path, whole)))
    broken = [(p, f, v, a.status_code) for p, f, v, a in answers if a.status_code >= 500]
    check(f"bodies: {len(answers)} wrong ones, no defect of ours", not broken, broken[:5])
    shapeless = [(p, f, v, a.text[:80]) for p, f, v, a in answers if a.status_code >= 400 and a.json().get("error") != a.json().get("detail")]
    check("bodies: every refusal is a problem document", not shapeless, shapeless[:5])
    # An optional field that is absent, null or another good one may be taken; nothing else is.
    taken = sorted({(p.split("/")[1], f) for p, f, _, a in answers if a.status_code < 300})
    may = {("heartbeat", "height"), ("heartbeat", "peers"), ("heartbeat", "services"), ("register", "tailscaleIP"), ("register", "services")}
    check("bodies: nothing wrong is taken", set(taken) <= may, taken)
    after = mesh.node(node)
    check("bodies: the node is as it was", all(before[k] == after[k] for k in ("status", "public_key", "services")), (before, after))

    place = urllib.parse.urlsplit(mesh.url)
    text = json.dumps(node.heartbeat()).encode()
    for sent in (text[:40], b""):
        with socket.create_connection((place.hostname, place.port), timeout=10) as raw:
            raw.sendall(b"POST /heartbeat HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(text) + sent)
            raw.shutdown(socket.SHUT_WR)
            answer = raw.recv(200)
        check("bodies: cut short", answer == b"" or answer.startswith(b"HTTP/1.1 400"), answer)
    problem("bodies: deeper than any", requests.post(mesh.url + "/heartbeat", data="[" * 100_000, headers={"content-type": "application/json"}, timeout=10), 400)
    problem("bodies: not UTF-8", requests.post(mesh.url + "/heartbeat", data=b'{"nodeId":"\xff"}', headers={"content-type": "application/json"}, timeout=10), 400)
    problem("bodies: oversized", requests.post(mesh.url + "/heartbeat", data=b" " * (3 << 20), headers={"content-type": "application/json"}, timeout=10), 413)
    health = mesh.get("/health").json()
    check("bodies: the mesh is well", all(c["ok"] for c in health["checks"]), health)


def main():
    parser = argparse.ArgumentParser()
    for name in ("home", "mesh", "mesh-of-two", "t4"):
        parser.add_argument(f"--{name}", required=True)
    args = parser.parse_args()
    sovereign, _ = key_file(pathlib.Path(args.home) / "sovereign-key.json")
    mesh = Mesh(args.mesh)
    removal(mesh, sovereign, args.t4)
    labels(mesh, sovereign)
    other_keys(mesh, sovereign, args.t4)
    tokens(mesh, sovereign, args.t4)
    wrong_bodies(mesh, sovereign)
    kinds = log(mesh, 12)
    check("log: every kind", kinds >= {"sovereign-seed", "approve", "deny", "remove", "label", "node-rotate"}, kinds)
    two = Mesh(args.mesh_of_two)
    several(two, sovereign)
    kinds = log(two, 10)
    check("log: votes too", kinds >= {"vote-sovereign-add", "sovereign-add", "vote-approve", "approve", "vote-deny",
                                      "sovereign-rotate", "vote-remove", "remove"}, kinds)
    print(f"{peer.CHECKS - len(peer.FAILED)} of {peer.CHECKS} checks hold")
    return 1 if peer.FAILED else 0


if __name__ == "__main__":
    sys.exit(main())
