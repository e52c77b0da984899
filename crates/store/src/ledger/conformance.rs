//! What every backend of [`LedgerStore`] must do. Run by each backend's tests on an empty store.

mod fixture;

use std::collections::BTreeMap;

use self::fixture::{
    ODD, Written, at, balance, contract, data, many, node, person, shop, transfer, usd, user,
    written,
};
use crate::error::{StoreError, StoreResult};
use tana_protocol::api::ledger::{OwnerType, TransactionStatus};
use tana_protocol::contract::DataKey;
use tana_protocol::state::{TreeNode, TreeNodeKey};
use tana_protocol::{ContractId, Hash32, StateKey, StateValue, TransactionType, UserId};

use super::{
    BalanceFilter, BlockRef, Committed, LedgerStore, Slice, TransactionFilter, UserRecord,
};

/// Writes a first block of more than a MiB, for tests of what a backend does when it has no room.
///
/// # Errors
/// The backend's.
pub async fn commit_large(store: &dyn LedgerStore) -> StoreResult<Committed> {
    let mut genesis = Written::genesis();
    genesis.nodes[0].bytes = vec![7; 1 << 20];
    genesis.commit(store).await
}

/// Writes so many blocks on top of each other. A commit that was tried again may find the block there.
///
/// # Errors
/// The backend's.
///
/// # Panics
/// Where a block is not taken.
pub async fn commit_many(store: &dyn LedgerStore, count: u64) -> StoreResult<()> {
    let mut parent = Hash32::ZERO;
    for height in 0..count {
        let written = many(height, parent);
        let done = written.commit(store).await?;
        assert!(
            matches!(done, Committed::Done | Committed::Known),
            "block {height}: {done:?}"
        );
        parent = written.block.content.hash;
    }
    Ok(())
}

/// Whether the blocks of [`commit_many`] are there, whole and once.
///
/// # Errors
/// The backend's.
///
/// # Panics
/// Where they are not.
pub async fn check_many(store: &dyn LedgerStore, count: u64) -> StoreResult<()> {
    let mut parent = Hash32::ZERO;
    for height in 0..count {
        let written = many(height, parent);
        let stored = store.block(BlockRef::Height(height)).await?;
        assert_eq!(stored.as_ref(), Some(&written.block));
        parent = written.block.content.hash;
    }
    let of = TransactionFilter::default();
    let all = store.transactions(of, page(None, u32::MAX)).await?;
    assert_eq!(all.len() as u64, count);
    let key = StateKey::Balance(person(2), usd());
    let state = store.state(std::slice::from_ref(&key)).await?;
    let last = balance(2, u128::from(count - 1), count - 1).1;
    assert_eq!(state.get(&key), Some(&last));
    Ok(())
}

fn page<C>(after: Option<C>, limit: u32) -> Slice<C> {
    Slice {
        after,
        offset: 0,
        limit,
    }
}

/// Runs the suite on an empty store.
///
/// # Errors
/// Those of the backend.
///
/// # Panics
/// Where the backend does not do what it must.
pub async fn check(store: &dyn LedgerStore) -> StoreResult<()> {
    assert_eq!(store.tip().await?, None);
    assert_eq!(store.height().await?, None);
    assert_eq!(store.block(BlockRef::Latest).await?, None);
    commits_in_order(store).await?;
    answers_blocks(store).await?;
    answers_transactions(store).await?;
    answers_state(store).await?;
    answers_lists(store).await?;
    answers_contracts(store).await?;
    compares_rows(store).await?;
    refuses_an_id_twice(store).await
}

async fn compares_rows(store: &dyn LedgerStore) -> StoreResult<()> {
    let written = [Written::genesis(), Written::second(), Written::third()];
    for (height, written) in (0..).zip(&written) {
        let stored = store.stored(height).await?;
        assert_eq!(stored.block()?.as_ref(), Some(&written.block));
        assert_eq!(stored.differences(&written.as_commit())?, []);
        assert_eq!(store.differences(height, &written.values).await?, []);
    }
    assert_eq!(store.strays().await?, []);
    assert_eq!(store.stored(3).await?.block()?, None);
    // Nothing was changed but what it is compared with.
    let mut other = Written::second();
    other.nodes[0].bytes[0] ^= 1;
    other.parties[0].to = None;
    let found = store.stored(1).await?.differences(&other.as_commit())?;
    let columns: Vec<_> = found.iter().map(|d| (d.table, d.column)).collect();
    assert_eq!(
        columns,
        [
            ("transactions", Some("to_id")),
            ("state_nodes", Some("node"))
        ]
    );
    // A value that a later block has changed is no difference; one that none has, is.
    assert_eq!(store.differences(1, &[user(1, 99, 1)]).await?, []);
    let found = store.differences(1, &[balance(1, 6, 1)]).await?;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (found[0].table, found[0].column),
        ("balances", Some("amount"))
    );
    let found = store.differences(2, &[data(1, "b", None)]).await?;
    assert_eq!(found.len(), 1, "it is not gone: {found:?}");
    Ok(())
}

async fn commits_in_order(store: &dyn LedgerStore) -> StoreResult<()> {
    let (genesis, second, third) = (Written::genesis(), Written::second(), Written::third());
    let wrong = |expected| Committed::WrongHeight { expected };
    assert_eq!(second.commit(store).await?, wrong(0));
    assert_eq!(store.tip().await?, None, "nothing was written");
    assert_eq!(genesis.commit(store).await?, Committed::Done);
    assert_eq!(genesis.commit(store).await?, Committed::Known);
    assert_eq!(third.commit(store).await?, wrong(1));
    assert_eq!(second.commit(store).await?, Committed::Done);
    assert_eq!(second.commit(store).await?, Committed::Known);
    let other = Written::new(1, Hash32::ZERO, vec![transfer(8)], Vec::new());
    assert_eq!(other.commit(store).await?, wrong(2), "another block 1");
    let orphan = Written::new(2, Hash32::ZERO, vec![transfer(8)], Vec::new());
    assert_eq!(orphan.commit(store).await?, wrong(2), "of another parent");
    assert_eq!(third.commit(store).await?, Committed::Done);
    Ok(())
}

async fn answers_blocks(store: &dyn LedgerStore) -> StoreResult<()> {
    let written = [Written::genesis(), Written::second(), Written::third()];
    let tip = store.tip().await?.expect("a tip");
    assert_eq!(tip.hash, written[2].block.content.hash);
    assert_eq!(store.height().await?, Some(2));
    assert_eq!(tip.header, written[2].block.content.header);
    for expected in &written {
        let block = &expected.block;
        let by_height = store.block(BlockRef::Height(block.height())).await?;
        assert_eq!(by_height.as_ref(), Some(block));
        let by_hash = store.block(BlockRef::Hash(block.content.hash)).await?;
        assert_eq!(by_hash.as_ref(), Some(block));
    }
    let latest = store.block(BlockRef::Latest).await?;
    assert_eq!(latest.as_ref(), Some(&written[2].block));
    assert_eq!(store.block(BlockRef::Height(3)).await?, None);
    let first = store.blocks(page(None, 2)).await?;
    let heights: Vec<u64> = first.iter().map(|b| b.header.height).collect();
    assert_eq!(heights, [2, 1]);
    assert_eq!(first[1].failed_count, 1);
    let rest = store.blocks(page(Some(1), 2)).await?;
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].header.height, 0);
    let skipped = store
        .blocks(Slice {
            after: None,
            offset: 2,
            limit: 5,
        })
        .await?;
    assert_eq!(skipped.len(), 1);
    let referring: Vec<_> = written
        .iter()
        .map(|written| &written.block.content.header)
        .filter(|header| !header.content_refs.is_empty() && header.height > 0)
        .map(|header| (header.height, header.content_refs.clone()))
        .collect();
    assert!(!referring.is_empty());
    assert_eq!(store.references(0, 500).await?, referring);
    assert_eq!(store.references(0, 1).await?, referring[..1]);
    assert!(store.references(2, 500).await?.is_empty());
    Ok(())
}

async fn answers_transactions(store: &dyn LedgerStore) -> StoreResult<()> {
    let (first, second, third) = (transfer(1), transfer(2), transfer(3));
    let found = store.transaction(&first.id()).await?.expect("it is there");
    assert_eq!(found.signed, first);
    assert_eq!(found.id, first.id());
    assert_eq!(found.status, TransactionStatus::Confirmed);
    assert_eq!((found.block_height, found.confirmed_at), (1, at(1)));
    let failed = store.transaction(&second.id()).await?.expect("it is there");
    assert_eq!(failed.status, TransactionStatus::Failed);
    assert_eq!(failed.receipt.code, "bad-nonce");
    assert_eq!(store.transaction(&transfer(9).id()).await?, None);
    let ids = [third.id(), transfer(9).id(), first.id()];
    let included = store.included(&ids).await?;
    assert_eq!(included.len(), 2);
    assert_eq!(included.get(&first.id()), Some(&1));
    assert_eq!(included.get(&third.id()), Some(&2));
    assert!(store.included(&[]).await?.is_empty());

    let any = TransactionFilter::default();
    let all = store.transactions(any, page(None, 10)).await?;
    let ids: Vec<_> = all.iter().map(|record| record.id).collect();
    assert_eq!(ids, [third.id(), second.id(), first.id()], "newest first");
    let next = store.transactions(any, page(Some(all[0].seq), 1)).await?;
    assert_eq!(next[0].id, second.id());
    let of = |account: u8| TransactionFilter {
        account: Some(person(account)),
        ..any
    };
    for account in [1, 2] {
        let found = store.transactions(of(account), page(None, 10)).await?;
        assert_eq!(found, all, "from and to");
        let found = store
            .transactions(of(account), page(Some(all[0].seq), 1))
            .await?;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].id, second.id());
    }
    assert!(store.transactions(of(3), page(None, 10)).await?.is_empty());
    let failed = TransactionFilter {
        status: Some(TransactionStatus::Failed),
        kind: Some(TransactionType::Transfer),
        account: Some(person(1)),
    };
    let found = store.transactions(failed, page(None, 10)).await?;
    assert_eq!(found.len(), 1);
    let deposits = TransactionFilter {
        kind: Some(TransactionType::Deposit),
        ..any
    };
    assert!(
        store
            .transactions(deposits, page(None, 10))
            .await?
            .is_empty()
    );
    Ok(())
}

async fn answers_state(store: &dyn LedgerStore) -> StoreResult<()> {
    let genesis = Written::genesis();
    let mut keys: Vec<StateKey> = genesis.values.iter().map(|(key, _)| key.clone()).collect();
    keys.push(StateKey::Balance(person(2), usd()));
    keys.push(StateKey::User(person(3)));
    keys.push(StateKey::User(person(7)));
    keys.push(StateKey::Currency("XYZ".parse().expect("a code")));
    keys.push(StateKey::Username("nobody".parse().expect("a name")));
    let mut expected: BTreeMap<_, _> = genesis.values.into_iter().collect();
    for (key, _) in Written::second()
        .values
        .iter()
        .chain(&Written::third().values)
    {
        if !keys.contains(key) {
            keys.push(key.clone());
        }
    }
    assert_eq!(store.state_at(&keys, 0).await?, expected);
    written(&mut expected, Written::second().values);
    assert_eq!(store.state_at(&keys, 1).await?, expected);
    written(&mut expected, Written::third().values);
    assert_eq!(store.state_at(&keys, 2).await?, expected);
    assert_eq!(store.state(&keys).await?, expected);
    assert!(store.state(&[]).await?.is_empty());

    let mut wanted: Vec<TreeNodeKey> = (0..3).map(|height| node(height, &[0]).key).collect();
    wanted.push(node(7, &[0]).key);
    let mut found = store.nodes(&wanted).await?;
    found.sort_by_key(|node| node.key.version);
    let all: Vec<TreeNode> = (0..3).map(|height| node(height, &[0])).collect();
    assert_eq!(found, all);
    Ok(())
}

async fn answers_lists(store: &dyn LedgerStore) -> StoreResult<()> {
    let users = store.users(page(None, 10)).await?;
    let ids: Vec<UserId> = users.iter().map(|user| user.id).collect();
    // Of those that one block created, the greater id first.
    let mut genesis = vec![person(1), person(2)];
    genesis.sort_by(|a, b| b.cmp(a));
    assert_eq!(ids[0], person(3), "newest first, changed or not");
    assert_eq!(ids[1..], genesis);
    let after = |user: &UserRecord| Some((user.state.created_at, user.id));
    let next = store.users(page(after(&users[0]), 1)).await?;
    assert_eq!(next, users[1..2]);
    let rest = store.users(page(after(&users[1]), 10)).await?;
    assert_eq!(rest, users[2..]);
    let first = users.iter().find(|user| user.id == person(1));
    assert_eq!(first.expect("it is there").state.nonce, 3);

    let any = BalanceFilter::default();
    let all = store.balances(&any, page(None, 10)).await?;
    assert_eq!(all.len(), 2);
    let after = Some((all[0].owner, all[0].currency.clone()));
    let rest = store.balances(&any, page(after, 10)).await?;
    assert_eq!(rest, all[1..]);
    let one = BalanceFilter {
        owner: Some(person(2)),
        owner_type: Some(OwnerType::User),
        currency: Some(usd()),
    };
    let found = store.balances(&one, page(None, 10)).await?;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].state.amount.units(), 7);
    let contracts = BalanceFilter {
        owner_type: Some(OwnerType::Contract),
        ..any
    };
    assert!(store.balances(&contracts, page(None, 10)).await?.is_empty());
    let currencies = store.currencies().await?;
    assert_eq!(currencies.len(), 1);
    assert_eq!(currencies[0].0, usd());
    Ok(())
}

async fn answers_contracts(store: &dyn LedgerStore) -> StoreResult<()> {
    let stored = |pairs: &[(&str, &str)]| -> BTreeMap<DataKey, String> {
        let pair =
            |(key, value): &(&str, &str)| (DataKey::new(key).expect("a key"), (*value).to_owned());
        pairs.iter().map(pair).collect()
    };
    let early = stored(&[("a", "1"), (ODD, ODD)]);
    let late = stored(&[("b", "new"), (ODD, "2")]);
    assert!(store.storage(shop(1), Some(0)).await?.is_empty());
    assert_eq!(store.storage(shop(1), Some(1)).await?, early);
    assert_eq!(store.storage(shop(1), Some(2)).await?, late);
    assert_eq!(store.storage(shop(1), None).await?, late);
    let other = stored(&[("a", "of another")]);
    assert_eq!(store.storage(shop(2), None).await?, other);
    assert!(store.storage(shop(3), None).await?.is_empty());

    let all = store.contracts(None, page(None, 10)).await?;
    let mut ids = [shop(1), shop(2)];
    ids.sort_by(|a, b| b.cmp(a));
    let found: Vec<ContractId> = all.iter().map(|contract| contract.id).collect();
    assert_eq!(found, ids, "of those of one block, the greater id first");
    let first = all.iter().find(|contract| contract.id == shop(1));
    let first = first.expect("it is there").state.clone();
    assert_eq!(StateValue::Contract(Box::new(first)), contract(1, 1).1);
    let place = (all[0].state.created_at, all[0].id);
    let next = store.contracts(None, page(Some(place), 10)).await?;
    assert_eq!(next, all[1..]);
    assert_eq!(store.contracts(Some(person(1)), page(None, 10)).await?, all);
    let none = store.contracts(Some(person(2)), page(None, 10)).await?;
    assert!(none.is_empty());
    Ok(())
}

async fn refuses_an_id_twice(store: &dyn LedgerStore) -> StoreResult<()> {
    let tip = store.tip().await?.expect("a tip");
    let again = Written::new(3, tip.hash, vec![transfer(3)], vec![balance(1, 1, 3)]);
    let refused = again.commit(store).await;
    assert!(
        matches!(refused, Err(StoreError::Conflict(_))),
        "{refused:?}"
    );
    assert_eq!(store.tip().await?, Some(tip), "nothing was written");
    let key = StateKey::Balance(person(1), usd());
    let state = store.state(std::slice::from_ref(&key)).await?;
    assert_eq!(state.get(&key), Some(&balance(1, 5, 1).1));
    Ok(())
}

/// Runs on the store of [`check`] after it was closed and opened again.
///
/// # Errors
/// Those of the backend.
///
/// # Panics
/// Where something is not there any more.
pub async fn check_reopened(store: &dyn LedgerStore) -> StoreResult<()> {
    answers_blocks(store).await?;
    answers_transactions(store).await?;
    answers_state(store).await?;
    answers_lists(store).await?;
    answers_contracts(store).await
}
