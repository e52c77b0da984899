// How a site uses the identity service: make a session, show its code, follow it, use the token. No library, no build.

const at = (id) => document.getElementById(id);
const KEPT = "tana-token";
let events = null;
let clock = null;

const WORDS = {
  waiting: "Waiting for your phone to scan the code.",
  scanned: "Your phone has read the code. Approve there.",
  approved: "Approved.",
  rejected: "Rejected on the phone.",
  expired: "The code has expired. Make a new one.",
};

function show(status, more) {
  at("status").dataset.status = status;
  at("status").textContent = (WORDS[status] ?? status) + (more ? ` ${more}` : "");
  const open = status === "waiting" || status === "scanned";
  at("code").hidden = !open;
  at("qr").hidden = !open;
  at("claims").hidden = status !== "approved";
  at("logout").hidden = status !== "approved";
  if (!open) clearInterval(clock);
}

async function call(path, options) {
  const answer = await fetch(path, options);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.detail ?? `${path} answered ${answer.status}`);
  return body;
}

const bearer = (token) => ({ headers: { authorization: `Bearer ${token}` } });

async function begin() {
  events?.close();
  sessionStorage.removeItem(KEPT);
  const session = await call("auth/session/create", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ appName: "Tana identity" }),
  });
  const shown = session.qrData.sessionId;
  at("qr").src = `auth/session/${shown}/qr.svg`;
  at("command").textContent = `tana phone approve ${shown} --user NAME`;
  count(Date.parse(session.expiresAt));
  show("waiting");
  follow(session.sessionId);
}

function count(end) {
  const tick = () => {
    const seconds = Math.max(0, Math.round((end - Date.now()) / 1000));
    at("left").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  };
  clearInterval(clock);
  clock = setInterval(tick, 1000);
  tick();
}

// The stream comes back by itself where it breaks, and then begins with how the session stands.
function follow(session) {
  events = new EventSource(`auth/session/${session}/events`);
  events.onmessage = (message) => {
    const event = JSON.parse(message.data);
    if (event.type === "approved") {
      events.close();
      approved(event.sessionToken).catch(failed);
    } else if (event.type === "rejected" || event.type === "expired") {
      events.close();
      show(event.type, event.reason);
    } else if (event.status === "waiting" || event.status === "scanned") {
      show(event.status);
    }
  };
}

async function approved(token) {
  const claims = await call("auth/session/verify", bearer(token));
  sessionStorage.setItem(KEPT, token);
  for (const name of ["username", "userId", "publicKey"]) at(name).textContent = claims[name];
  at("expiresAt").textContent = new Date(claims.expiresAt).toLocaleString();
  show("approved");
}

async function logOut() {
  const token = sessionStorage.getItem(KEPT);
  const sessions = await call("auth/sessions", bearer(token));
  const current = sessions.find((session) => session.current);
  await call(`auth/sessions/${current.id}`, { method: "DELETE", ...bearer(token) });
  await begin();
}

function failed(error) {
  show("failed", error.message);
  at("status").textContent = error.message;
}

at("again").addEventListener("click", () => begin().catch(failed));
at("logout").addEventListener("click", () => logOut().catch(failed));

const kept = sessionStorage.getItem(KEPT);
(kept ? approved(kept).catch(() => begin()) : begin()).catch(failed);
