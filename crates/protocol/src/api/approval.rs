//! The identity service's bodies about transactions that a phone approves, and about the phones themselves.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::amount::{AmountText, CurrencyCode};
use crate::id::{ContractId, TransactionId};
use crate::key::{PublicKey, Signature};
use crate::login::RequestId;
use crate::time::{Timestamp, either};
use crate::transaction::{Party, Transaction, TransactionType};

/// Where a transaction request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestStatus {
    /// The phone has not answered.
    Pending,
    /// The phone has approved; the ledger has not answered yet.
    Approved,
    /// The phone has rejected.
    Rejected,
    /// Five minutes have passed.
    Expired,
    /// The ledger has it in its queue.
    Submitted,
    /// It is in a block.
    Confirmed,
    /// The ledger refused it, or it is in a block and changed nothing.
    Failed,
}

impl RequestStatus {
    /// The wire word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Submitted => "submitted",
            Self::Confirmed => "confirmed",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing will change any more.
    #[must_use]
    pub const fn is_last(self) -> bool {
        matches!(
            self,
            Self::Rejected | Self::Expired | Self::Confirmed | Self::Failed
        )
    }
}

impl fmt::Display for RequestStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for RequestStatus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [
            Self::Pending,
            Self::Approved,
            Self::Rejected,
            Self::Expired,
            Self::Submitted,
            Self::Confirmed,
            Self::Failed,
        ]
        .into_iter()
        .find(|status| status.as_str() == text)
        .ok_or_else(|| format!("no request status is called {text:?}"))
    }
}

/// `POST /auth/transaction/request`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestTransaction {
    /// What it does.
    #[serde(rename = "type")]
    pub kind: TransactionType,
    /// Whom it is for.
    pub to: Party,
    /// How much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<AmountText>,
    /// Of what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency_code: Option<CurrencyCode>,
    /// The contract that is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_id: Option<ContractId>,
    /// What is handed to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_input: Option<Value>,
    /// Anything the application adds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
}

/// What the QR code of a transaction request says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestQr {
    /// Always `tana`.
    pub protocol: String,
    /// Always `transaction`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Always `1`.
    pub version: String,
    /// The request.
    pub request_id: RequestId,
    /// The identity service's base URL, as the phone reaches it.
    pub server: String,
    /// The site's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_name: Option<String>,
}

impl RequestQr {
    /// The same, shorter, for small terminals.
    #[must_use]
    pub fn uri(&self) -> String {
        let server: String = url::form_urlencoded::byte_serialize(self.server.as_bytes()).collect();
        format!(
            "tana://transaction?request={}&server={server}",
            self.request_id
        )
    }
}

/// The answer to `POST /auth/transaction/request`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransactionRequested {
    /// The request.
    pub request_id: RequestId,
    /// `pending`.
    pub status: RequestStatus,
    /// When it ends.
    pub expires_at: Timestamp,
    /// What the QR code says.
    pub qr_data: RequestQr,
    /// The same, shorter.
    pub qr_uri: String,
}

/// `GET /auth/transaction/{id}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestView {
    /// The request.
    pub request_id: RequestId,
    /// Where it stands.
    pub status: RequestStatus,
    /// All that the phone signs.
    pub transaction: Transaction,
    /// The text of it: what is signed, byte for byte.
    pub message: String,
    /// The site's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_name: Option<String>,
    /// Once it was approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<TransactionId>,
    /// Why it was rejected or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// `POST /auth/transaction/{id}/approve`: either the first three, or what the phone has submitted itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApproveTransaction {
    /// The text that was signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Over it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// The user's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<PublicKey>,
    /// What the phone has submitted itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<TransactionId>,
}

/// The answer to an approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransactionApproved {
    /// Always true.
    pub success: bool,
    /// The transaction, as the ledger knows it.
    pub transaction_id: TransactionId,
}

/// One event of `GET /auth/transaction/{id}/events`: `connected` or `status_update` while it goes on, the status's own
/// word at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestEvent {
    /// What happened.
    #[serde(rename = "type")]
    pub kind: String,
    /// The request.
    pub request_id: RequestId,
    /// Where it stands.
    pub status: RequestStatus,
    /// When.
    #[serde(with = "either")]
    pub timestamp: Timestamp,
    /// Once it was approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<TransactionId>,
    /// Why it was rejected or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `POST /devices`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegisterDevice {
    /// Where the push service finds it.
    pub push_token: String,
    /// What its owner calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_name: Option<String>,
    /// Such as `ios`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// What runs on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_version: Option<String>,
}

/// One entry of `GET /devices`, and the answer to `POST /devices`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceView {
    /// The device.
    pub id: String,
    /// What its owner calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_name: Option<String>,
    /// Such as `ios`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// What runs on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_version: Option<String>,
    /// When it was registered.
    pub created_at: Timestamp,
}
