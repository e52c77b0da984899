//! Limits on one client: a token bucket for each address, of all its requests or of those that were refused.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::extract::{ConnectInfo, Request};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};
use tana_protocol::problem::Code;

use crate::error::ApiError;

/// Addresses that are remembered at most; those that have their whole bucket back are forgotten first.
const REMEMBERED: usize = 10_000;

/// A token bucket for each client. Clones share it.
#[derive(Clone, Debug)]
pub struct RateLimit {
    buckets: Arc<DefaultKeyedRateLimiter<IpAddr>>,
    clock: DefaultClock,
}

impl RateLimit {
    /// `per_second` requests on average, twice as many at once; `None` for 0, which means no limit.
    #[must_use]
    pub fn new(per_second: u32) -> Option<Self> {
        let rate = NonZeroU32::new(per_second)?;
        let burst = rate.saturating_add(per_second);
        Some(Self {
            buckets: Arc::new(DefaultKeyedRateLimiter::keyed(
                Quota::per_second(rate).allow_burst(burst),
            )),
            clock: DefaultClock::default(),
        })
    }

    /// Takes one token of a client.
    ///
    /// # Errors
    /// [`Code::RateLimited`] with the seconds until there is one again.
    pub fn check(&self, client: IpAddr) -> Result<(), ApiError> {
        let client = network(client);
        if self.buckets.len() > REMEMBERED {
            self.buckets.retain_recent();
        }
        self.buckets.check_key(&client).map_err(|refused| {
            let wait = refused.wait_time_from(self.clock.now());
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            ApiError::new(
                Code::RateLimited,
                format!("too many requests from {client}; try again in {seconds} s"),
            )
            .retry_after(seconds.max(1))
        })
    }

    /// Takes one token of a request's client.
    pub(crate) fn check_request(&self, request: &Request) -> Result<(), ApiError> {
        match request.extensions().get::<ConnectInfo<SocketAddr>>() {
            Some(ConnectInfo(client)) => self.check(client.ip()),
            // On a Unix socket there is no address: its file mode says who may call.
            None => Ok(()),
        }
    }
}

/// Keeps a client that is refused again and again waiting, whoever it tries to be: a guess costs time. What it does
/// rightly costs it nothing. Clones share it.
#[derive(Clone, Debug)]
pub struct FailureLimit {
    buckets: Arc<DefaultKeyedRateLimiter<IpAddr>>,
    clock: DefaultClock,
    /// Who waits, until when.
    waiting: Arc<Mutex<HashMap<IpAddr, Instant>>>,
}

impl FailureLimit {
    /// `per_second` refusals on average, ten times as many at once; `None` for 0, which means no limit.
    #[must_use]
    pub fn new(per_second: u32) -> Option<Self> {
        let rate = NonZeroU32::new(per_second)?;
        let burst = rate.saturating_mul(NonZeroU32::new(10)?);
        Some(Self {
            buckets: Arc::new(DefaultKeyedRateLimiter::keyed(
                Quota::per_second(rate).allow_burst(burst),
            )),
            clock: DefaultClock::default(),
            waiting: Arc::default(),
        })
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<IpAddr, Instant>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a client may try again.
    ///
    /// # Errors
    /// [`Code::RateLimited`] with the seconds until it may.
    pub fn check(&self, client: IpAddr) -> Result<(), ApiError> {
        let client = network(client);
        let Some(until) = self.waiting().get(&client).copied() else {
            return Ok(());
        };
        let wait = until.saturating_duration_since(Instant::now());
        if wait.is_zero() {
            self.waiting().remove(&client);
            return Ok(());
        }
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Err(ApiError::new(
            Code::RateLimited,
            format!("{client} was refused too often; try again in {seconds} s"),
        )
        .retry_after(seconds.max(1)))
    }

    /// Notes that a client was refused.
    pub fn failed(&self, client: IpAddr) {
        let client = network(client);
        if self.buckets.len() > REMEMBERED {
            self.buckets.retain_recent();
        }
        if let Err(refused) = self.buckets.check_key(&client) {
            let until = Instant::now() + refused.wait_time_from(self.clock.now());
            let mut waiting = self.waiting();
            if waiting.len() > REMEMBERED {
                let now = Instant::now();
                waiting.retain(|_, until| *until > now);
            }
            waiting.insert(client, until);
        }
    }
}

/// One IPv6 client has a whole /64: it is counted as one.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => v4.into(),
            None => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::RateLimit;

    #[test]
    fn the_bucket_of_one_client_does_not_empty_anothers() {
        let rate = RateLimit::new(1).unwrap();
        let one = "2001:db8::1".parse().unwrap();
        let neighbour = "2001:db8::2".parse().unwrap();
        let other = "192.0.2.1".parse().unwrap();
        assert!(rate.check(one).is_ok());
        assert!(rate.check(neighbour).is_ok());
        let refused = rate.check(one).unwrap_err();
        assert_eq!(refused.problem().retry_after, Some(1));
        assert!(rate.check(other).is_ok());
        assert!(RateLimit::new(0).is_none());
    }
}
