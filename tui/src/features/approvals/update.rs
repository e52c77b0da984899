//! Approving and denying: what is asked, and what may be asked at all.

use super::model::{self, ASK, Check, Scan};
use crate::effect::Effect;
use crate::keys::Action;
use crate::model::{Mode, Model, Overlay, Screen};
use crate::theme::Tone;
use crate::widgets::dialog::{Button, Dialog, Harm, Word};
use tana_protocol::api::approval::RequestView;
use tana_protocol::api::mesh::NodeStatus;
use tana_protocol::message::Decision;

/// Columns that a host's name may take in a question.
const HOST: usize = 40;

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
pub(crate) fn opened(model: &mut Model) -> Vec<Effect> {
    model.approvals.asked = Some(model.clock.now);
    vec![Effect::LoadAgent, Effect::LoadRequests]
}

/// Asks again for what phones are asked, while one looks.
pub(crate) fn want(model: &mut Model) -> Option<Effect> {
    let now = model.clock.now;
    let due = model.approvals.asked.is_some_and(|at| now.since(at) >= ASK);
    if model.screen != Screen::Approvals || !due {
        return None;
    }
    model.approvals.asked = Some(now);
    Some(Effect::LoadRequests)
}

/// Takes what phones are asked. What the service says anew is news only where it differs.
pub(crate) fn requests(model: &mut Model, result: Result<Vec<RequestView>, String>) {
    match result {
        Ok(requests) => {
            model.approvals.unknown = None;
            model.approvals.requests = requests;
        }
        Err(why) => model.approvals.unknown = Some(why),
    }
}

pub(crate) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    let decision = match action {
        Action::Approve => Decision::Approve,
        Action::Deny => Decision::Deny,
        Action::NextSigner => {
            let count = model::signers(model).len();
            model.approvals.signer = (model.approvals.signer + 1) % count;
            return Vec::new();
        }
        _ => return Vec::new(),
    };
    let Some(node) = model::selected(model) else {
        let text = match model::chosen(model) {
            Some(_) => "its user's phone decides on this one; nobody else can",
            None => "no node waits for approval",
        };
        model.say(Tone::Plain, text);
        return Vec::new();
    };
    if model.mode == Mode::ReadOnly {
        model.say(
            Tone::Warn,
            "this console is read-only: nothing is decided here",
        );
        return Vec::new();
    }
    let signer = model::signer(model);
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
    // Its own words, which may be long: never what pushes the key out of sight.
    let host = crate::show::fit(&crate::show::clean(&node.tailscale_hostname), HOST);
    let key = node.public_key;
    let producer = crate::validators::producer(node);
    let id = node.id.clone();
    let signed = match signer.key {
        Some(key) => format!("Signed with {} ({}).", key.short(), signer.place),
        None => "Signed by a phone: a code to scan comes next.".to_owned(),
    };
    let halves = halves(&key.fingerprint());
    let dialog = match decision {
        Decision::Approve => {
            let mut body = vec![
                halves.0,
                halves.1,
                "Compare it with what its operator reads to you.".to_owned(),
                signed.clone(),
                String::new(),
                format!(
                    "{id} ({role}, {host}) joins the mesh: its services are trusted by all others, and its heartbeats count."
                ),
            ];
            if let Some(producer) = producer {
                body.push(format!(
                    "It becomes a validator: blocks signed with {} are the chain's.",
                    producer.short()
                ));
            }
            Dialog {
                title: format!("approve {id}"),
                body,
                safe: "not now",
                doing: "approve",
                chosen: Button::Safe,
                harm: Harm::None,
                word: None,
            }
        }
        Decision::Deny | Decision::Remove => Dialog {
            title: format!("{} {id}", decision.verb()),
            body: vec![
                format!(
                    "{id} ({role}, {host}) stays out. Its key is refused from now on; to come back it needs a new one, on which you then decide."
                ),
                String::new(),
                "This cannot be undone here.".to_owned(),
                signed,
            ],
            safe: "leaves it waiting",
            doing: "deny",
            chosen: Button::Safe,
            harm: Harm::Harmful,
            word: Some(Word::new(id.to_string())),
        },
    };
    model.overlay = Some(Overlay::Ask {
        dialog,
        effect: Effect::Decide {
            node: id,
            key: Box::new(key),
            producer: producer.map(Box::new),
            decision,
            with: signer.with,
        },
    });
    Vec::new()
}

/// Renews a code whose time is running out, and puts it away once the decision is there.
pub(crate) fn woke(model: &mut Model) {
    let now = model.clock.now;
    let Some(Overlay::Scan(scan)) = &mut model.overlay else {
        return;
    };
    if now.since(scan.at) >= Scan::FRESH {
        scan.at = now;
    }
    let standing = model.mesh.nodes.get(&scan.node).map(|node| node.status);
    let text = match standing {
        Some(NodeStatus::Pending) => return,
        Some(status) => format!("{} is decided on: {status}", scan.node),
        None => format!("{} is gone", scan.node),
    };
    model.overlay = None;
    model.say(Tone::Good, text);
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
