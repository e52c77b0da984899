//! Approving and denying: what is asked, and what may be asked at all.

use super::model::{self, Check};
use crate::effect::Effect;
use crate::keys::Action;
use crate::model::{Mode, Model, Overlay};
use crate::theme::Tone;
use crate::widgets::dialog::{Button, Dialog, Harm};
use tana_protocol::message::Decision;

/// Checks the signatures of registrations that are new or have changed.
pub(crate) fn check(model: &mut Model) {
    let mut found = Vec::new();
    for node in model.mesh.pending() {
        let known = model.approvals.checked.get(&node.id);
        if known.is_none_or(|(key, signature, _)| {
            *key != node.public_key || *signature != node.registration_signature
        }) {
            let check = if node.verify_registration().is_ok() {
                Check::Fits
            } else {
                Check::Wrong
            };
            found.push((
                node.id.clone(),
                (node.public_key, node.registration_signature, check),
            ));
        }
    }
    model.approvals.checked.extend(found);
}

/// The keys of an ssh-agent are looked for each time the screen opens: they come and go.
pub(crate) fn opened() -> Vec<Effect> {
    vec![Effect::LoadAgent]
}

pub(crate) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    let decision = match action {
        Action::Approve => Decision::Approve,
        Action::Deny => Decision::Deny,
        Action::NextSigner => {
            let count = model::signers(model).len();
            if count < 2 {
                model.say(
                    Tone::Plain,
                    "no other key can sign here: an ssh-agent's key must be a sovereign's (tana sovereign add)",
                );
            } else {
                model.approvals.signer = (model.approvals.signer + 1) % count;
            }
            return Vec::new();
        }
        _ => return Vec::new(),
    };
    let Some(node) = model::selected(model) else {
        model.say(Tone::Plain, "no node waits for approval");
        return Vec::new();
    };
    if model.mode == Mode::ReadOnly {
        model.say(
            Tone::Warn,
            "this console is read-only: nothing is decided here",
        );
        return Vec::new();
    }
    let Some(signer) = model::signer(model) else {
        let text = format!(
            "no sovereign key in {} nor in an ssh-agent; bring one, or decide where it is",
            model.here.home
        );
        model.say(Tone::Warn, text);
        return Vec::new();
    };
    let check = model::check(model, &node.id);
    if decision == Decision::Approve && check == Some(Check::Wrong) {
        let text = format!(
            "{}: the registration's signature does not fit its key; it can only be denied",
            node.id
        );
        model.say(Tone::Bad, text);
        return Vec::new();
    }
    let role = crate::features::mesh::model::role(node);
    let host = crate::show::clean(&node.tailscale_hostname);
    let key = node.public_key;
    let id = node.id.clone();
    let signed = format!("Signed with {} ({}).", signer.key.short(), signer.place);
    let halves = halves(&key.fingerprint());
    let dialog = match decision {
        Decision::Approve => Dialog {
            title: format!("approve {id}"),
            body: vec![
                format!(
                    "{id} ({role}, {host}) joins the mesh: its services are trusted by all others, and its heartbeats count."
                ),
                String::new(),
                halves.0,
                halves.1,
                "Compare it with what its operator reads to you.".to_owned(),
                signed.clone(),
            ],
            safe: "not now",
            doing: "approve",
            chosen: Button::Safe,
            harm: Harm::None,
        },
        Decision::Deny => Dialog {
            title: format!("deny {id}"),
            body: vec![
                format!(
                    "{id} ({role}, {host}) stays out. The name and the key are refused from now on; to come back it needs both anew."
                ),
                String::new(),
                "This cannot be undone here.".to_owned(),
                signed,
            ],
            safe: "leave it waiting",
            doing: "deny",
            chosen: Button::Safe,
            harm: Harm::Harmful,
        },
    };
    model.overlay = Some(Overlay::Ask {
        dialog,
        effect: Effect::Decide {
            node: id,
            key: Box::new(key),
            decision,
            with: signer.with,
        },
    });
    Vec::new()
}

/// A fingerprint in two lines of eight groups, as the details show it.
fn halves(fingerprint: &str) -> (String, String) {
    let groups: Vec<&str> = fingerprint.split(' ').collect();
    let (first, second) = groups.split_at(groups.len() / 2);
    (
        format!("key  {}", first.join(" ")),
        format!("     {}", second.join(" ")),
    )
}
