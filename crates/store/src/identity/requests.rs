//! Transactions that wait for a phone, and the phones. The macro makes the implementation for a backend, as in
//! [`super::sql`].

use futures::future::BoxFuture;
use tana_protocol::api::approval::RequestStatus;
use tana_protocol::login::RequestId;
use tana_protocol::{PublicKey, Timestamp, TransactionId, UserId};

use crate::error::{StoreError, StoreResult};

/// A transaction that an application asks a user for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionRequest {
    /// Its id.
    pub id: RequestId,
    /// Who is asked.
    pub user_id: UserId,
    /// The user's key.
    pub public_key: PublicKey,
    /// Where it stands.
    pub status: RequestStatus,
    /// The text that the phone signs.
    pub message: String,
    /// Who asks.
    pub app_name: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The transaction, once approved.
    pub transaction_id: Option<TransactionId>,
    /// Why it was rejected or failed.
    pub reason: Option<String>,
}

/// What becomes of a request that stands at `from`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestStep {
    /// Where it must stand; a pending one must also be in its time.
    pub from: RequestStatus,
    /// Or there.
    pub also_from: Option<RequestStatus>,
    /// Where it stands then.
    pub to: RequestStatus,
    /// The transaction, where it is known now; `None` keeps what is there.
    pub transaction_id: Option<TransactionId>,
    /// Why.
    pub reason: Option<String>,
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestStepped {
    /// The request, as it stands now.
    Done(Box<TransactionRequest>),
    /// It stood elsewhere, its time was over, or the transaction answers another request; it stands like this.
    TooLate(Box<TransactionRequest>),
    /// There is no such request.
    Unknown,
}

/// How many requests a user may have that no transaction answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// So many.
    pub most: u32,
    /// Of those that were made after this.
    pub since: Timestamp,
}

/// Whether a request was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It was.
    Kept,
    /// The user has as many as there is room for.
    NoRoom,
}

/// Which requests a list has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestFilter {
    /// Of one user alone.
    pub user: Option<UserId>,
    /// At one status alone.
    pub status: Option<RequestStatus>,
    /// Behind this one: where the page before ended.
    pub after: Option<RequestPlace>,
    /// Skipping so many.
    pub offset: u32,
    /// At most.
    pub limit: u32,
}

/// Where a request stands in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestPlace {
    /// When it was made.
    pub created_at: Timestamp,
    /// Which it is.
    pub id: RequestId,
}

/// A phone that is told of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub user_id: UserId,
    /// Where the push service finds it.
    pub push_token: String,
    /// What its owner calls it.
    pub device_name: Option<String>,
    /// Such as `ios`.
    pub platform: Option<String>,
    /// What runs on it.
    pub app_version: Option<String>,
    /// When it was registered.
    pub created_at: Timestamp,
}

/// The part of the identity service's store that is about transactions and phones.
pub trait RequestStore: Send + Sync + 'static {
    /// Keeps a new request where its user has room for it. Of two at once PostgreSQL may keep both in the last place.
    fn add_request<'a>(
        &'a self,
        request: &'a TransactionRequest,
        room: Room,
    ) -> BoxFuture<'a, StoreResult<Added>>;

    /// One request.
    fn request<'a>(
        &'a self,
        id: &'a RequestId,
    ) -> BoxFuture<'a, StoreResult<Option<TransactionRequest>>>;

    /// Does a step. Of two at once one is done.
    fn step_request<'a>(
        &'a self,
        id: &'a RequestId,
        step: &'a RequestStep,
        now: Timestamp,
    ) -> BoxFuture<'a, StoreResult<RequestStepped>>;

    /// Requests as the filter says, newest first.
    fn requests<'a>(
        &'a self,
        filter: &'a RequestFilter,
    ) -> BoxFuture<'a, StoreResult<Vec<TransactionRequest>>>;

    /// The pending requests that no phone has been told of, oldest first, at most 500.
    fn untold(&self, now: Timestamp) -> BoxFuture<'_, StoreResult<Vec<TransactionRequest>>>;

    /// Notes that the phones were told of a request, or that there is nobody to tell.
    fn told<'a>(&'a self, id: &'a RequestId, now: Timestamp) -> BoxFuture<'a, StoreResult<()>>;

    /// The requests whose transaction is on its way: approved or submitted.
    fn unsettled(&self) -> BoxFuture<'_, StoreResult<Vec<TransactionRequest>>>;

    /// When the next pending request ends.
    fn next_request_expiry(&self) -> BoxFuture<'_, StoreResult<Option<Timestamp>>>;

    /// Marks the pending requests expired that ended at `now` or before, and answers them.
    fn expire_requests(
        &self,
        now: Timestamp,
    ) -> BoxFuture<'_, StoreResult<Vec<TransactionRequest>>>;

    /// Forgets requests that ended before `before` and are not on their way, a thousand at most; answers how many.
    fn forget_requests(&self, before: Timestamp) -> BoxFuture<'_, StoreResult<u64>>;

    /// Keeps a device, or what is new about one that the user has registered; answers it as it is kept. `None` where it is
    /// new and the user has `most` already, with the same reserve as for a request.
    fn add_device<'a>(
        &'a self,
        device: &'a Device,
        most: u32,
    ) -> BoxFuture<'a, StoreResult<Option<Device>>>;

    /// A user's devices, newest first.
    fn devices<'a>(&'a self, user: &'a UserId) -> BoxFuture<'a, StoreResult<Vec<Device>>>;

    /// Removes a user's device; answers how many there were.
    fn remove_device<'a>(
        &'a self,
        user: &'a UserId,
        id: &'a str,
    ) -> BoxFuture<'a, StoreResult<u64>>;
}

fn time(ms: i64) -> Timestamp {
    Timestamp::from_ms(u64::try_from(ms).unwrap_or_default())
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> StoreResult<T> {
    text.parse().map_err(|error: T::Err| StoreError::Damaged {
        what: "transaction request".to_owned(),
        detail: format!("{text:?}: {error}"),
    })
}

#[derive(sqlx::FromRow)]
pub(crate) struct RequestRow {
    id: String,
    user_id: String,
    public_key: String,
    status: String,
    message: String,
    app_name: Option<String>,
    created_at: i64,
    expires_at: i64,
    transaction_id: Option<String>,
    reason: Option<String>,
}

impl TryFrom<RequestRow> for TransactionRequest {
    type Error = StoreError;

    fn try_from(row: RequestRow) -> StoreResult<Self> {
        Ok(Self {
            id: parse(&row.id)?,
            user_id: parse(&row.user_id)?,
            public_key: parse(&row.public_key)?,
            status: parse(&row.status)?,
            message: row.message,
            app_name: row.app_name,
            created_at: time(row.created_at),
            expires_at: time(row.expires_at),
            transaction_id: row.transaction_id.map(|id| parse(&id)).transpose()?,
            reason: row.reason,
        })
    }
}

/// A row of `device_tokens`.
pub(crate) type DeviceRow = (
    String,
    String,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    i64,
);

/// A row as a device.
pub(crate) fn device(row: DeviceRow) -> StoreResult<Device> {
    let (id, user_id, push_token, device_name, platform, app_version, created_at) = row;
    Ok(Device {
        id,
        user_id: parse(&user_id)?,
        push_token,
        device_name,
        platform,
        app_version,
        created_at: time(created_at),
    })
}

macro_rules! request_columns {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " id, user_id, public_key, status, message, app_name, created_at, expires_at, \
             transaction_id, reason ",
            $after
        )
    };
}
pub(crate) use request_columns;

/// The implementation for one backend.
macro_rules! sql_request_store {
    ($store:ty, $failed:path) => {
        impl $store {
            async fn insert_request(
                &self,
                request: &TransactionRequest,
                room: Room,
            ) -> StoreResult<Added> {
                let query = sqlx::query(
                    "INSERT INTO transaction_requests (id, user_id, public_key, status, message, \
                     app_name, created_at, expires_at) \
                     SELECT $1, $2, $3, $4, $5, CAST($6 AS TEXT), CAST($7 AS BIGINT), CAST($8 AS BIGINT) \
                     WHERE (SELECT count(*) FROM transaction_requests WHERE user_id = $2 \
                     AND created_at > $9 AND transaction_id IS NULL) < $10",
                )
                .bind(request.id.as_str())
                .bind(request.user_id.to_string())
                .bind(request.public_key.to_string())
                .bind(request.status.as_str())
                .bind(&request.message)
                .bind(&request.app_name)
                .bind(ms(request.created_at))
                .bind(ms(request.expires_at))
                .bind(ms(room.since))
                .bind(i64::from(room.most));
                let done = self
                    .write("keeping a transaction request", move |connection| {
                        query.execute(connection).boxed()
                    })
                    .await?;
                Ok(match done.rows_affected() {
                    0 => Added::NoRoom,
                    _ => Added::Kept,
                })
            }

            async fn find_request(
                &self,
                id: &RequestId,
            ) -> StoreResult<Option<TransactionRequest>> {
                let found: Option<RequestRow> = sqlx::query_as(request_columns!(
                    "SELECT",
                    "FROM transaction_requests WHERE id = $1"
                ))
                .bind(id.as_str())
                .fetch_optional(self.reader())
                .await
                .map_err($failed("reading a transaction request"))?;
                found.map(TransactionRequest::try_from).transpose()
            }

            async fn take_request_step(
                &self,
                id: &RequestId,
                step: &RequestStep,
                now: Timestamp,
            ) -> StoreResult<RequestStepped> {
                let query = sqlx::query_as(request_columns!(
                    "UPDATE transaction_requests SET status = $3, \
                     transaction_id = coalesce($4, transaction_id), reason = $5 \
                     WHERE id = $1 AND status IN ($2, $7) AND (status <> 'pending' OR expires_at > $6) \
                     AND (CAST($4 AS TEXT) IS NULL OR NOT EXISTS (SELECT 1 FROM transaction_requests AS other \
                     WHERE other.transaction_id = CAST($4 AS TEXT) AND other.id <> $1)) RETURNING",
                    ""
                ))
                .bind(id.as_str().to_owned())
                .bind(step.from.as_str())
                .bind(step.to.as_str())
                .bind(step.transaction_id.map(|id| id.to_string()))
                .bind(step.reason.clone())
                .bind(ms(now))
                .bind(step.also_from.unwrap_or(step.from).as_str());
                let done: Option<RequestRow> = self
                    .write("changing a transaction request", move |connection| {
                        query.fetch_optional(connection).boxed()
                    })
                    .await?;
                if let Some(row) = done {
                    return Ok(RequestStepped::Done(Box::new(row.try_into()?)));
                }
                Ok(match self.find_request(id).await? {
                    Some(request) => RequestStepped::TooLate(Box::new(request)),
                    None => RequestStepped::Unknown,
                })
            }

            async fn list_requests(
                &self,
                filter: &RequestFilter,
            ) -> StoreResult<Vec<TransactionRequest>> {
                let place = filter.after.as_ref();
                let found: Vec<RequestRow> = sqlx::query_as(request_columns!(
                    "SELECT",
                    "FROM transaction_requests \
                     WHERE (CAST($1 AS TEXT) IS NULL OR user_id = CAST($1 AS TEXT)) \
                     AND (CAST($2 AS TEXT) IS NULL OR status = CAST($2 AS TEXT)) \
                     AND (CAST($3 AS BIGINT) IS NULL OR created_at < CAST($3 AS BIGINT) \
                     OR (created_at = CAST($3 AS BIGINT) AND id < CAST($4 AS TEXT))) \
                     ORDER BY created_at DESC, id DESC LIMIT $5 OFFSET $6"
                ))
                .bind(filter.user.map(|user| user.to_string()))
                .bind(filter.status.map(RequestStatus::as_str))
                .bind(place.map(|place| ms(place.created_at)))
                .bind(place.map(|place| place.id.as_str().to_owned()))
                .bind(i64::from(filter.limit))
                .bind(i64::from(filter.offset))
                .fetch_all(self.reader())
                .await
                .map_err($failed("listing transaction requests"))?;
                found.into_iter().map(TransactionRequest::try_from).collect()
            }

            async fn list_untold(&self, now: Timestamp) -> StoreResult<Vec<TransactionRequest>> {
                let found: Vec<RequestRow> = sqlx::query_as(request_columns!(
                    "SELECT",
                    "FROM transaction_requests WHERE status = 'pending' \
                     AND notified_at IS NULL AND expires_at > $1 ORDER BY created_at, id LIMIT 500"
                ))
                .bind(ms(now))
                .fetch_all(self.reader())
                .await
                .map_err($failed("reading transaction requests"))?;
                found.into_iter().map(TransactionRequest::try_from).collect()
            }

            async fn note_told(&self, id: &RequestId, now: Timestamp) -> StoreResult<()> {
                let query =
                    sqlx::query("UPDATE transaction_requests SET notified_at = $2 WHERE id = $1")
                        .bind(id.as_str())
                        .bind(ms(now));
                self.write("noting who was told", move |connection| {
                    query.execute(connection).boxed()
                })
                .await?;
                Ok(())
            }

            async fn on_their_way(&self) -> StoreResult<Vec<TransactionRequest>> {
                let found: Vec<RequestRow> = sqlx::query_as(request_columns!(
                    "SELECT",
                    "FROM transaction_requests WHERE status IN ('approved', 'submitted') \
                     ORDER BY created_at"
                ))
                .fetch_all(self.reader())
                .await
                .map_err($failed("reading transaction requests"))?;
                found.into_iter().map(TransactionRequest::try_from).collect()
            }

            async fn soonest_request(&self) -> StoreResult<Option<Timestamp>> {
                let found: Option<i64> = sqlx::query_scalar(
                    "SELECT min(expires_at) FROM transaction_requests WHERE status = 'pending'",
                )
                .fetch_one(self.reader())
                .await
                .map_err($failed("looking for requests that end"))?;
                Ok(found.map(|ms| Timestamp::from_ms(u64::try_from(ms).unwrap_or_default())))
            }

            async fn end_requests(&self, now: Timestamp) -> StoreResult<Vec<TransactionRequest>> {
                let query = sqlx::query_as(request_columns!(
                    "UPDATE transaction_requests SET status = 'expired' \
                     WHERE status = 'pending' AND expires_at <= $1 RETURNING",
                    ""
                ))
                .bind(ms(now));
                let found: Vec<RequestRow> = self
                    .write("ending requests", move |connection| {
                        query.fetch_all(connection).boxed()
                    })
                    .await?;
                found.into_iter().map(TransactionRequest::try_from).collect()
            }

            async fn delete_requests(&self, before: Timestamp) -> StoreResult<u64> {
                let query = sqlx::query(
                    "DELETE FROM transaction_requests WHERE id IN (SELECT id FROM transaction_requests \
                     WHERE expires_at < $1 AND status NOT IN ('approved', 'submitted') LIMIT 1000)",
                )
                .bind(ms(before));
                let done = self
                    .write("forgetting old requests", move |connection| {
                        query.execute(connection).boxed()
                    })
                    .await?;
                Ok(done.rows_affected())
            }

            async fn keep_device(
                &self,
                device: &Device,
                most: u32,
            ) -> StoreResult<Option<Device>> {
                let query = sqlx::query_as(
                    "INSERT INTO device_tokens (id, user_id, push_token, device_name, platform, \
                     app_version, created_at) \
                     SELECT $1, $2, $3, CAST($4 AS TEXT), CAST($5 AS TEXT), CAST($6 AS TEXT), CAST($7 AS BIGINT) \
                     WHERE (SELECT count(*) FROM device_tokens WHERE user_id = $2) < $8 \
                     OR EXISTS (SELECT 1 FROM device_tokens WHERE user_id = $2 AND push_token = $3) \
                     ON CONFLICT (user_id, push_token) DO UPDATE SET \
                     device_name = excluded.device_name, platform = excluded.platform, \
                     app_version = excluded.app_version \
                     RETURNING id, user_id, push_token, device_name, platform, app_version, created_at",
                )
                .bind(device.id.clone())
                .bind(device.user_id.to_string())
                .bind(device.push_token.clone())
                .bind(device.device_name.clone())
                .bind(device.platform.clone())
                .bind(device.app_version.clone())
                .bind(ms(device.created_at))
                .bind(i64::from(most));
                let kept: Option<requests::DeviceRow> = self
                    .write("keeping a device", move |connection| {
                        query.fetch_optional(connection).boxed()
                    })
                    .await?;
                kept.map(requests::device).transpose()
            }

            async fn list_devices(&self, user: &UserId) -> StoreResult<Vec<Device>> {
                let found: Vec<requests::DeviceRow> = sqlx::query_as(
                    "SELECT id, user_id, push_token, device_name, platform, app_version, created_at \
                     FROM device_tokens WHERE user_id = $1 ORDER BY created_at DESC, id LIMIT 500",
                )
                .bind(user.to_string())
                .fetch_all(self.reader())
                .await
                .map_err($failed("listing a user's devices"))?;
                found.into_iter().map(requests::device).collect()
            }

            async fn delete_device(&self, user: &UserId, id: &str) -> StoreResult<u64> {
                let query =
                    sqlx::query("DELETE FROM device_tokens WHERE user_id = $1 AND id = $2")
                        .bind(user.to_string())
                        .bind(id.to_owned());
                let done = self
                    .write("removing a device", move |connection| {
                        query.execute(connection).boxed()
                    })
                    .await?;
                Ok(done.rows_affected())
            }
        }

        impl RequestStore for $store {
            fn add_request<'a>(
                &'a self,
                request: &'a TransactionRequest,
                room: Room,
            ) -> BoxFuture<'a, StoreResult<Added>> {
                self.insert_request(request, room).boxed()
            }

            fn request<'a>(
                &'a self,
                id: &'a RequestId,
            ) -> BoxFuture<'a, StoreResult<Option<TransactionRequest>>> {
                self.find_request(id).boxed()
            }

            fn step_request<'a>(
                &'a self,
                id: &'a RequestId,
                step: &'a RequestStep,
                now: Timestamp,
            ) -> BoxFuture<'a, StoreResult<RequestStepped>> {
                self.take_request_step(id, step, now).boxed()
            }

            fn requests<'a>(
                &'a self,
                filter: &'a RequestFilter,
            ) -> BoxFuture<'a, StoreResult<Vec<TransactionRequest>>> {
                self.list_requests(filter).boxed()
            }

            fn untold(
                &self,
                now: Timestamp,
            ) -> BoxFuture<'_, StoreResult<Vec<TransactionRequest>>> {
                self.list_untold(now).boxed()
            }

            fn told<'a>(
                &'a self,
                id: &'a RequestId,
                now: Timestamp,
            ) -> BoxFuture<'a, StoreResult<()>> {
                self.note_told(id, now).boxed()
            }

            fn unsettled(&self) -> BoxFuture<'_, StoreResult<Vec<TransactionRequest>>> {
                self.on_their_way().boxed()
            }

            fn next_request_expiry(&self) -> BoxFuture<'_, StoreResult<Option<Timestamp>>> {
                self.soonest_request().boxed()
            }

            fn expire_requests(
                &self,
                now: Timestamp,
            ) -> BoxFuture<'_, StoreResult<Vec<TransactionRequest>>> {
                self.end_requests(now).boxed()
            }

            fn forget_requests(&self, before: Timestamp) -> BoxFuture<'_, StoreResult<u64>> {
                self.delete_requests(before).boxed()
            }

            fn add_device<'a>(
                &'a self,
                device: &'a Device,
                most: u32,
            ) -> BoxFuture<'a, StoreResult<Option<Device>>> {
                self.keep_device(device, most).boxed()
            }

            fn devices<'a>(&'a self, user: &'a UserId) -> BoxFuture<'a, StoreResult<Vec<Device>>> {
                self.list_devices(user).boxed()
            }

            fn remove_device<'a>(
                &'a self,
                user: &'a UserId,
                id: &'a str,
            ) -> BoxFuture<'a, StoreResult<u64>> {
                self.delete_device(user, id).boxed()
            }
        }
    };
}
pub(crate) use sql_request_store;
