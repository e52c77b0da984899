//! What the chain refers to and what of it the content store of this node has: for the command and for the screen.

use std::collections::BTreeMap;

use futures::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use tana_client::{ClientError, ContentClient, LedgerClient, PageQuery};
use tana_protocol::Hash32;

/// Blocks on one page of the ledger's list.
const PAGE: u32 = 500;
/// Objects that are asked for at the same time.
const AT_ONCE: usize = 8;
/// Objects that are asked for at most.
const OBJECTS: usize = 5000;

/// Content that a block refers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Object {
    pub(crate) hash: Hash32,
    /// The newest block that refers to it.
    pub(crate) height: u64,
    /// Its bytes, where the store has it.
    pub(crate) size: Option<u64>,
}

/// What was found, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Survey {
    pub(crate) objects: Vec<Object>,
    /// The oldest block that was looked at.
    pub(crate) from: u64,
    /// The newest.
    pub(crate) to: u64,
}

impl Survey {
    pub(crate) fn missing(&self) -> usize {
        self.objects.iter().filter(|o| o.size.is_none()).count()
    }

    /// Bytes that the store has of it.
    pub(crate) fn bytes(&self) -> u64 {
        self.objects.iter().filter_map(|o| o.size).sum()
    }
}

/// Looks through the newest `blocks` blocks.
///
/// # Errors
/// When the ledger or the store does not answer.
pub(crate) async fn survey(
    ledger: &LedgerClient,
    store: &ContentClient,
    blocks: u64,
) -> Result<Survey, ClientError> {
    let mut found: BTreeMap<Hash32, u64> = BTreeMap::new();
    let (mut to, mut from) = (None, 0);
    let mut query = PageQuery::first(PAGE);
    'pages: loop {
        let page = ledger.blocks(&query).await?;
        for block in &page.items {
            let header = &block.header;
            let newest = *to.get_or_insert(header.height);
            if newest - header.height.min(newest) >= blocks || found.len() >= OBJECTS {
                break 'pages;
            }
            from = header.height;
            for hash in &header.content_refs {
                found.entry(*hash).or_insert(header.height);
            }
        }
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => break,
        }
    }
    let mut asked = stream::iter(found)
        .map(|(hash, height)| async move {
            let size = store.size(&hash).await?;
            Ok::<_, ClientError>(Object { hash, height, size })
        })
        .buffer_unordered(AT_ONCE);
    let mut objects = Vec::new();
    while let Some(object) = asked.next().await {
        objects.push(object?);
    }
    objects.sort_by_key(|o| (std::cmp::Reverse(o.height), o.hash));
    // Without references the store's silence would not be noticed.
    if objects.is_empty() {
        store.health().await?;
    }
    Ok(Survey {
        objects,
        from,
        to: to.unwrap_or(0),
    })
}

/// `12.3 MiB`: a size as it is read.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = (1..UNITS.len())
        .rev()
        .find(|i| bytes >> (10 * i) > 0)
        .unwrap_or(0);
    if unit == 0 {
        return format!("{bytes} B");
    }
    let tenths = (u128::from(bytes) * 10) >> (10 * unit);
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_are_read_in_their_unit() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (10_752, "10.5 KiB"),
            (u64::MAX, "16777215.9 TiB"),
        ] {
            assert_eq!(super::size(bytes), text);
        }
    }
}
