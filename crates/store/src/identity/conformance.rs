//! What every backend of [`IdentityStore`] must do. Run by each backend's tests on an empty store.

use std::time::Duration;

use tana_protocol::api::approval::RequestStatus;
use tana_protocol::login::{RequestId, SessionId, SessionStatus};
use tana_protocol::{Hash32, SecretKey, Timestamp, TransactionId, UserId};

use super::requests::{
    Added, Device, RequestFilter, RequestPlace, RequestStep, RequestStepped, Room,
    TransactionRequest,
};
use super::{IdentityStore, Login, Session, SessionKey, Step, Stepped};
use crate::error::StoreResult;

const START: u64 = 1_800_000_000_000;
const CODE: u64 = 300_000;
const TOKEN: u64 = 86_400_000;

fn at(ms: u64) -> Timestamp {
    Timestamp::from_ms(START + ms)
}

fn browser_id(number: u8) -> SessionId {
    let mut bytes = [number; 16];
    // No number below this one makes a public id of it.
    bytes[0] = 35;
    SessionId::from_random(bytes)
}

fn session(number: u8) -> Session {
    let created = at(u64::from(number));
    Session {
        public_id: SessionId::from_random([number; 16]),
        browser_hash: Hash32::of(browser_id(number).as_str().as_bytes()),
        challenge: hex::encode([number; 32]),
        status: SessionStatus::Waiting,
        return_url: (number == 1).then(|| "https://example.org/".to_owned()),
        app_name: (number == 1).then(|| "Größe & <b>".to_owned()),
        app_icon: None,
        created_at: created,
        expires_at: created.plus(Duration::from_millis(CODE)),
        token_hash: Hash32::of(&[number, 1]),
        phone_token_hash: Hash32::of(&[number, 2]),
        login: None,
        reason: None,
    }
}

fn user(number: u8) -> UserId {
    UserId::created_by(&TransactionId(Hash32::of(&[number])))
}

fn login(number: u8, now: Timestamp) -> Login {
    Login {
        user_id: user(number),
        username: "@alice".parse().expect("a valid name"),
        public_key: SecretKey::from_seed(&[number; 32]).public(),
        approved_at: now,
        token_expires_at: now.plus(Duration::from_millis(TOKEN)),
        last_used_at: now,
    }
}

/// Runs the whole suite.
///
/// # Errors
/// The store's own.
///
/// # Panics
/// Where the store does not do what it must.
pub async fn check(store: &dyn IdentityStore) -> StoreResult<()> {
    store.ping().await?;
    sessions(store).await?;
    many_at_once(store).await?;
    expiry(store).await?;
    tokens(store).await?;
    forgetting(store).await?;
    transactions(store).await
}

/// Does a step that can be done, and answers the session as it is kept.
async fn done(
    store: &dyn IdentityStore,
    before: &Session,
    step: &Step,
    now: Timestamp,
) -> StoreResult<Session> {
    assert_eq!(
        store.step(&before.public_id, step, now).await?,
        Stepped::Done
    );
    let kept = store.session(&SessionKey::of(&before.public_id)).await?;
    assert_eq!(kept, Some(before.clone().after(step)), "as the step says");
    Ok(before.clone().after(step))
}

async fn sessions(store: &dyn IdentityStore) -> StoreResult<()> {
    assert_eq!(store.next_expiry().await?, None);
    let first = session(1);
    store.create(&first).await?;
    for id in [first.public_id.clone(), browser_id(1)] {
        let found = store.session(&SessionKey::of(&id)).await?;
        assert_eq!(found.as_ref(), Some(&first), "found by either id");
    }
    let nobody = SessionKey::of(&browser_id(99));
    assert_eq!(store.session(&nobody).await?, None);
    assert_eq!(store.next_expiry().await?, Some(first.expires_at));

    let (one, two) = futures::join!(
        store.step(&first.public_id, &Step::Scan, at(10)),
        store.step(&first.public_id, &Step::Scan, at(10))
    );
    let scans = [one?, two?];
    let scanned = scans.iter().filter(|step| **step == Stepped::Done).count();
    assert_eq!(scanned, 1, "of two scans at once one is done: {scans:?}");

    let approval = Step::Approve(Box::new(login(1, at(20))));
    let (one, two) = futures::join!(
        store.step(&first.public_id, &approval, at(20)),
        store.step(&first.public_id, &Step::Reject(None), at(20))
    );
    let steps = [one?, two?];
    let (winner, loser) = match &steps {
        [Stepped::Done, loser] => (&approval, loser),
        [loser, _] => (&Step::Reject(None), loser),
    };
    assert!(steps.contains(&Stepped::Done), "{steps:?}");
    let stands = first.clone().after(winner);
    assert!(
        matches!(loser, Stepped::TooLate(told) if **told == stands),
        "the loser is told how it stands: {loser:?}"
    );

    let second = session(2);
    store.create(&second).await?;
    let approval = Step::Approve(Box::new(login(2, at(30))));
    let approved = done(store, &second, &approval, at(30)).await?;
    assert_eq!(
        approved,
        Session {
            status: SessionStatus::Approved,
            login: Some(login(2, at(30))),
            ..second.clone()
        },
        "a phone may approve without having scanned"
    );
    let third = session(3);
    store.create(&third).await?;
    let reject = Step::Reject(Some("not me".into()));
    let rejected = done(store, &third, &reject, at(30)).await?;
    assert_eq!(rejected.status, SessionStatus::Rejected);
    assert_eq!(rejected.reason.as_deref(), Some("not me"));
    let unknown = SessionId::from_random([77; 16]);
    assert_eq!(
        store.step(&unknown, &Step::Scan, at(30)).await?,
        Stepped::Unknown
    );
    Ok(())
}

/// Each of many at once is answered for itself.
async fn many_at_once(store: &dyn IdentityStore) -> StoreResult<()> {
    let many: Vec<Session> = (9..35).map(session).collect();
    let created = many.iter().map(|session| store.create(session));
    for created in futures::future::join_all(created).await {
        created?;
    }
    let again = many.iter().take(2).map(|session| store.create(session));
    for again in futures::future::join_all(again).await {
        assert!(again.is_err(), "an id is there once");
    }
    // Two phones at once on each, and one on a session that there is not.
    let approvals: Vec<Step> = (4..=5)
        .map(|number| Step::Approve(Box::new(login(number, at(20)))))
        .collect();
    let unknown = session(0);
    let taken = many.iter().chain([&unknown]).flat_map(|session| {
        let steps = approvals.iter();
        steps.map(|step| store.step(&session.public_id, step, at(20)))
    });
    let mut taken = futures::future::join_all(taken).await.into_iter();
    for session in &many {
        let [one, two] = [taken.next(), taken.next()].map(|it| it.expect("two for each"));
        let (winner, loser) = match (one?, two?) {
            (Stepped::Done, loser) => (&approvals[0], loser),
            (loser, Stepped::Done) => (&approvals[1], loser),
            neither => panic!("one of two is done: {neither:?}"),
        };
        let stands = session.clone().after(winner);
        assert_eq!(loser, Stepped::TooLate(Box::new(stands.clone())));
        let kept = store.session(&SessionKey::of(&session.public_id)).await?;
        assert_eq!(kept, Some(stands));
    }
    for unknown in taken {
        assert_eq!(unknown?, Stepped::Unknown);
    }
    for number in [4, 5] {
        store.revoke(&user(number), None, at(30)).await?;
    }
    Ok(())
}

async fn expiry(store: &dyn IdentityStore) -> StoreResult<()> {
    let fourth = session(4);
    store.create(&fourth).await?;
    let end = fourth.expires_at;
    let late = store.step(&fourth.public_id, &Step::Scan, end).await?;
    assert!(
        matches!(late, Stepped::TooLate(_)),
        "a code that has ended is not open, whether or not anybody has marked it: {late:?}"
    );
    assert_eq!(store.next_expiry().await?, Some(end));
    let before = Timestamp::from_ms(end.ms() - 1);
    assert!(store.expire(before).await?.is_empty());
    assert_eq!(
        store.expire(end).await?,
        std::slice::from_ref(&fourth.public_id)
    );
    assert!(store.expire(end).await?.is_empty(), "only once");
    let found = store.session(&SessionKey::of(&fourth.public_id)).await?;
    assert_eq!(
        found.map(|session| session.status),
        Some(SessionStatus::Expired)
    );
    assert_eq!(store.next_expiry().await?, None);
    Ok(())
}

async fn tokens(store: &dyn IdentityStore) -> StoreResult<()> {
    let second = session(2);
    for hash in [second.token_hash, second.phone_token_hash] {
        let found = store.login(hash, at(40)).await?.expect("the token holds");
        assert_eq!(
            (&found.id, &found.login),
            (&second.public_id, &login(2, at(30)))
        );
    }
    assert_eq!(
        store.login(session(3).token_hash, at(40)).await?,
        None,
        "a rejected session has no token"
    );
    assert_eq!(store.login(Hash32::ZERO, at(40)).await?, None);

    let used = at(30 + 61_000);
    store.login(second.token_hash, used).await?;
    let live = store.logins(&user(2), used).await?;
    assert_eq!(live.len(), 1);
    assert_eq!(live[0].login.last_used_at, used, "its use is noted");
    let end = at(30 + TOKEN);
    assert_eq!(store.login(second.token_hash, end).await?, None, "it ends");
    assert!(store.logins(&user(2), end).await?.is_empty());

    for number in [5, 6, 7] {
        store.create(&session(number)).await?;
        let approval = Step::Approve(Box::new(login(2, at(100 + u64::from(number)))));
        done(store, &session(number), &approval, at(100)).await?;
    }
    let ids = |now| async move {
        let live = store.logins(&user(2), now).await?;
        Ok::<_, crate::StoreError>(live.into_iter().map(|live| live.id).collect::<Vec<_>>())
    };
    let expected: Vec<SessionId> = [7, 6, 5, 2].map(|n| session(n).public_id).into();
    assert_eq!(ids(at(200)).await?, expected, "newest first");
    let sixth = session(6);
    let other = store
        .revoke(&user(9), Some(&sixth.public_id), at(200))
        .await?;
    assert_eq!(other, 0, "nobody ends another's session");
    let one = store
        .revoke(&user(2), Some(&sixth.public_id), at(200))
        .await?;
    assert_eq!(one, 1);
    assert_eq!(store.login(sixth.token_hash, at(200)).await?, None);
    assert_eq!(store.login(sixth.phone_token_hash, at(200)).await?, None);
    assert!(store.login(session(7).token_hash, at(200)).await?.is_some());
    assert_eq!(store.revoke(&user(2), None, at(200)).await?, 3);
    assert!(ids(at(200)).await?.is_empty());
    Ok(())
}

async fn forgetting(store: &dyn IdentityStore) -> StoreResult<()> {
    store.create(&session(8)).await?;
    let approval = Step::Approve(Box::new(login(3, at(50))));
    done(store, &session(8), &approval, at(50)).await?;
    let later = at(CODE + 10_000);
    assert_eq!(store.forget(at(0), later).await?, 0, "nothing is old");
    assert!(store.forget(later, later).await? >= 6);
    let key = SessionKey::of(&session(8).public_id);
    assert!(
        store.session(&key).await?.is_some(),
        "a live login is not forgotten"
    );
    let much_later = at(50 + TOKEN);
    assert!(store.forget(later, much_later).await? >= 1);
    assert_eq!(store.session(&key).await?, None);
    Ok(())
}

fn request(number: u8) -> TransactionRequest {
    TransactionRequest {
        id: RequestId::from_random([number; 16]),
        user_id: user(1),
        public_key: SecretKey::from_seed(&[1; 32]).public(),
        status: RequestStatus::Pending,
        message: r#"{"type":"transfer","note":"ü"}"#.to_owned(),
        app_name: Some("Shop".to_owned()),
        created_at: at(0),
        expires_at: at(u64::from(number) * 1000),
        transaction_id: None,
        reason: None,
    }
}

fn move_on(from: RequestStatus, to: RequestStatus) -> RequestStep {
    RequestStep {
        from,
        also_from: None,
        to,
        transaction_id: None,
        reason: None,
    }
}

/// Two pending requests of the same user and the same time, in the order of their ids.
async fn lists(
    store: &dyn IdentityStore,
    [first, second]: &[&TransactionRequest; 2],
) -> StoreResult<()> {
    let all = RequestFilter {
        limit: 500,
        ..RequestFilter::default()
    };
    let ids = |filter: RequestFilter| async move {
        let found = store.requests(&filter).await?;
        Ok::<_, crate::StoreError>(found.into_iter().map(|found| found.id).collect::<Vec<_>>())
    };
    assert_eq!(
        ids(all.clone()).await?,
        [&second.id, &first.id].map(Clone::clone)
    );
    let of = |user, status| RequestFilter {
        user,
        status,
        ..all.clone()
    };
    assert_eq!(
        ids(of(Some(user(1)), Some(RequestStatus::Pending)))
            .await?
            .len(),
        2
    );
    assert!(ids(of(Some(user(9)), None)).await?.is_empty());
    assert!(
        ids(of(None, Some(RequestStatus::Approved)))
            .await?
            .is_empty()
    );
    let page = RequestFilter {
        limit: 1,
        ..all.clone()
    };
    let place = RequestPlace {
        created_at: second.created_at,
        id: second.id.clone(),
    };
    assert_eq!(ids(page.clone()).await?, std::slice::from_ref(&second.id));
    let next = RequestFilter {
        after: Some(place),
        ..page.clone()
    };
    assert_eq!(ids(next).await?, std::slice::from_ref(&first.id));
    let skipped = RequestFilter { offset: 1, ..page };
    assert_eq!(ids(skipped).await?, std::slice::from_ref(&first.id));

    let untold = store.untold(at(500)).await?;
    assert_eq!(untold, [(*first).clone(), (*second).clone()]);
    store.told(&first.id, at(500)).await?;
    assert_eq!(store.untold(at(500)).await?, std::slice::from_ref(*second));
    let over = store.untold(second.expires_at).await?;
    assert!(over.is_empty(), "nobody is told of what is over");
    Ok(())
}

async fn transactions(store: &dyn IdentityStore) -> StoreResult<()> {
    use RequestStatus::{Approved, Confirmed, Expired, Pending, Submitted};
    let (first, second) = (request(1), request(2));
    let room = |most| Room {
        most,
        since: Timestamp::from_ms(START - 1),
    };
    for wanted in [&first, &second] {
        assert_eq!(store.add_request(wanted, room(2)).await?, Added::Kept);
    }
    let third = store.add_request(&request(3), room(2)).await?;
    assert_eq!(third, Added::NoRoom);
    assert_eq!(store.request(&request(3).id).await?, None);
    assert_eq!(store.request(&first.id).await?, Some(first.clone()));
    assert_eq!(store.request(&request(9).id).await?, None);
    assert_eq!(store.next_request_expiry().await?, Some(first.expires_at));

    lists(store, &[&first, &second]).await?;
    let id = TransactionId(Hash32::of(b"tx"));
    let approve = RequestStep {
        transaction_id: Some(id),
        ..move_on(Pending, Approved)
    };
    let (one, two) = futures::join!(
        store.step_request(&first.id, &approve, at(10)),
        store.step_request(&first.id, &approve, at(10))
    );
    let steps = [one?, two?];
    let approved = TransactionRequest {
        status: Approved,
        transaction_id: Some(id),
        ..first.clone()
    };
    assert!(steps.contains(&RequestStepped::Done(Box::new(approved.clone()))));
    assert!(steps.contains(&RequestStepped::TooLate(Box::new(approved.clone()))));
    assert_eq!(store.unsettled().await?, [approved]);
    let either = RequestStep {
        also_from: Some(Approved),
        ..move_on(Submitted, Submitted)
    };
    let found = store.step_request(&first.id, &either, at(30)).await?;
    assert!(matches!(&found, RequestStepped::Done(_)), "{found:?}");
    let found = store.step_request(&first.id, &either, at(30)).await?;
    assert!(matches!(&found, RequestStepped::Done(_)), "{found:?}");
    for (from, to) in [(Submitted, Submitted), (Submitted, Confirmed)] {
        // Long after its time: only a pending one ends by it.
        let done = store
            .step_request(&first.id, &move_on(from, to), at(90_000))
            .await?;
        assert!(
            matches!(&done, RequestStepped::Done(request)
                if request.status == to && request.transaction_id == Some(id)),
            "{done:?}"
        );
    }
    assert!(store.unsettled().await?.is_empty());

    let used = store.step_request(&second.id, &approve, at(20)).await?;
    assert_eq!(
        used,
        RequestStepped::TooLate(Box::new(second.clone())),
        "one transaction answers one request"
    );
    let late = move_on(Pending, Approved);
    let late = store
        .step_request(&second.id, &late, second.expires_at)
        .await?;
    assert!(matches!(late, RequestStepped::TooLate(_)), "{late:?}");
    let expired = store.expire_requests(second.expires_at).await?;
    assert_eq!(
        expired,
        [TransactionRequest {
            status: Expired,
            ..second.clone()
        }]
    );
    assert_eq!(store.next_request_expiry().await?, None);
    let unknown = store.step_request(&request(9).id, &approve, at(1)).await?;
    assert_eq!(unknown, RequestStepped::Unknown);
    let answered = store.add_request(&request(4), room(2)).await?;
    assert_eq!(answered, Added::Kept, "one that was signed takes no room");
    assert_eq!(
        store.add_request(&request(5), room(2)).await?,
        Added::NoRoom,
        "one that is over does"
    );
    let later = Room {
        most: 1,
        since: first.created_at,
    };
    let later = store.add_request(&request(5), later).await?;
    assert_eq!(later, Added::Kept, "until it is old");
    assert_eq!(store.forget_requests(second.expires_at).await?, 1);
    assert_eq!(store.request(&first.id).await?, None);
    phones(store).await
}

async fn phones(store: &dyn IdentityStore) -> StoreResult<()> {
    let device = |number: u8, name: &str| Device {
        id: format!("dev_{number}"),
        user_id: user(1),
        push_token: format!("token {}", number % 2),
        device_name: Some(name.to_owned()),
        platform: None,
        app_version: None,
        created_at: at(u64::from(number)),
    };
    for (number, name) in [(1, "one"), (2, "two")] {
        let wanted = device(number, name);
        assert_eq!(store.add_device(&wanted, 2).await?, Some(wanted));
    }
    let one_more = Device {
        push_token: "token of one more".to_owned(),
        ..device(4, "one more")
    };
    assert_eq!(store.add_device(&one_more, 2).await?, None);
    let again = store.add_device(&device(3, "one again"), 2).await?;
    assert_eq!(
        again.map(|again| (again.id, again.device_name)),
        Some(("dev_1".to_owned(), Some("one again".to_owned()))),
        "the same phone is registered once"
    );
    let names: Vec<_> = store.devices(&user(1)).await?;
    let names: Vec<_> = names.iter().map(|device| device.id.as_str()).collect();
    assert_eq!(names, ["dev_2", "dev_1"]);
    assert_eq!(store.remove_device(&user(2), "dev_1").await?, 0);
    assert_eq!(store.remove_device(&user(1), "dev_1").await?, 1);
    assert_eq!(store.devices(&user(1)).await?.len(), 1);
    Ok(())
}
