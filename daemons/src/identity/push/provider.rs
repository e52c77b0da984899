//! The forms in which push services take notifications: a generic webhook, and the Expo push API.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use serde::Deserialize;
use serde_json::{Value, json};
use tana_client::{ClientError, PushAnswer, PushClient};
use tana_home::{PushProvider as Kind, PushSettings, Secret};
use tana_protocol::Transaction;
use tana_store::identity::requests::{Device, TransactionRequest};

/// Phones in one post to Expo, at most.
const EXPO_MOST: usize = 100;

/// What a phone is told.
pub(in crate::identity) struct Notification {
    pub(in crate::identity) request: TransactionRequest,
    pub(in crate::identity) transaction: Transaction,
}

/// What became of telling one phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::identity) enum Outcome {
    Delivered,
    /// There is no such phone any more.
    Gone,
    /// It will never be taken.
    Refused(String),
    /// It may be taken later, and not before `not_before` has passed.
    Again {
        why: String,
        not_before: Option<Duration>,
    },
}

/// Somebody who takes notifications to phones.
pub(in crate::identity) trait PushProvider: Send + Sync + 'static {
    /// Hands a notification over for each of the phones, and answers what became of it, in the same order.
    fn deliver<'a>(
        &'a self,
        notification: &'a Notification,
        devices: &'a [Device],
    ) -> BoxFuture<'a, Vec<Outcome>>;
}

/// The provider of the settings.
pub(in crate::identity) fn open(
    settings: &PushSettings,
) -> Result<Arc<dyn PushProvider>, ClientError> {
    let client = PushClient::new(&settings.url)?;
    let secret = settings.secret.clone();
    Ok(match settings.provider {
        Kind::Webhook => Arc::new(Webhook { client, secret }),
        Kind::Expo => Arc::new(Expo { client, secret }),
    })
}

/// What every form has in it (wire.md, "push").
fn data(notification: &Notification) -> Value {
    json!({
        "type": "transaction_approval",
        "requestId": notification.request.id,
        "transaction": notification.transaction,
    })
}

/// Whether an answer takes, refuses or puts off all that was handed over.
fn outcome(answer: &PushAnswer) -> Outcome {
    match answer.status {
        200..300 => Outcome::Delivered,
        410 => Outcome::Gone,
        408 | 425 | 429 | 500.. => Outcome::Again {
            why: format!("the push service answers {}", answer.status),
            not_before: answer.retry_after,
        },
        status => Outcome::Refused(format!("the push service answers {status}")),
    }
}

fn unreached(error: &ClientError) -> Outcome {
    Outcome::Again {
        why: error.to_string(),
        not_before: None,
    }
}

/// Posts one JSON object a phone. 2xx: it was told; 410: it is gone.
struct Webhook {
    client: PushClient,
    secret: Option<Secret>,
}

impl Webhook {
    async fn one(&self, notification: &Notification, device: &Device) -> Outcome {
        let mut body = data(notification);
        body["appName"] = json!(notification.request.app_name);
        body["expiresAt"] = json!(notification.request.expires_at);
        body["userId"] = json!(notification.request.user_id);
        body["device"] = json!({
            "id": device.id, "pushToken": device.push_token, "platform": device.platform,
            "deviceName": device.device_name, "appVersion": device.app_version,
        });
        let secret = self.secret.as_ref().map(Secret::reveal);
        match self.client.post(&body, secret).await {
            Ok(answer) => outcome(&answer),
            Err(error) => unreached(&error),
        }
    }
}

impl PushProvider for Webhook {
    fn deliver<'a>(
        &'a self,
        notification: &'a Notification,
        devices: &'a [Device],
    ) -> BoxFuture<'a, Vec<Outcome>> {
        join_all(devices.iter().map(|device| self.one(notification, device))).boxed()
    }
}

/// Expo's push API: an array of messages, a ticket for each in the same order.
struct Expo {
    client: PushClient,
    secret: Option<Secret>,
}

#[derive(Deserialize)]
struct Tickets {
    data: Vec<Ticket>,
}

#[derive(Deserialize)]
struct Ticket {
    status: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    details: Details,
}

#[derive(Default, Deserialize)]
struct Details {
    #[serde(default)]
    error: String,
}

impl Ticket {
    fn outcome(self) -> Outcome {
        match (self.status.as_str(), self.details.error.as_str()) {
            ("ok", _) => Outcome::Delivered,
            (_, "DeviceNotRegistered") => Outcome::Gone,
            (_, "MessageRateExceeded" | "ExpoError" | "ProviderError") => Outcome::Again {
                why: self.message,
                not_before: None,
            },
            _ => Outcome::Refused(self.message),
        }
    }
}

/// What a phone shows before it is unlocked: that there is something to approve, not what.
fn body(notification: &Notification) -> String {
    match &notification.request.app_name {
        Some(app) => format!("{app} asks you to approve a transaction"),
        None => "You are asked to approve a transaction".to_owned(),
    }
}

impl Expo {
    async fn some(&self, notification: &Notification, devices: &[Device]) -> Vec<Outcome> {
        let request = &notification.request;
        let expires = request.expires_at.ms() / 1000;
        let messages: Vec<Value> = devices
            .iter()
            .map(|device| {
                json!({
                    "to": device.push_token, "title": "Approve a transaction", "body": body(notification),
                    "data": data(notification), "sound": "default", "priority": "high",
                    "expiration": expires,
                })
            })
            .collect();
        let secret = self.secret.as_ref().map(Secret::reveal);
        let answer = match self.client.post(&messages, secret).await {
            Ok(answer) => answer,
            Err(error) => return vec![unreached(&error); devices.len()],
        };
        match outcome(&answer) {
            Outcome::Delivered => {}
            // Here that is the service's address, not a phone's.
            Outcome::Gone => {
                let why = Outcome::Refused("the push service answers 410".to_owned());
                return vec![why; devices.len()];
            }
            other => return vec![other; devices.len()],
        }
        match serde_json::from_slice::<Tickets>(&answer.body) {
            Ok(tickets) if tickets.data.len() == devices.len() => {
                tickets.data.into_iter().map(Ticket::outcome).collect()
            }
            _ => {
                let why = "the push service's answer has not one ticket for each phone";
                vec![Outcome::Refused(why.to_owned()); devices.len()]
            }
        }
    }
}

impl PushProvider for Expo {
    fn deliver<'a>(
        &'a self,
        notification: &'a Notification,
        devices: &'a [Device],
    ) -> BoxFuture<'a, Vec<Outcome>> {
        let parts = devices.chunks(EXPO_MOST);
        join_all(parts.map(|part| self.some(notification, part)))
            .map(|parts| parts.concat())
            .boxed()
    }
}
