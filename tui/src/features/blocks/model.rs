//! The newest blocks, the one that is looked at, and what was verified of it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use tana_protocol::Timestamp;
use tana_protocol::api::ledger::{BlockVerification, BlockView, ChainInfo, CheckName};

use crate::widgets::cursor::{Move, moved};

/// Blocks kept in the list.
pub(crate) const LISTED: usize = 500;
/// Whole blocks kept.
const WHOLE: usize = 16;

#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) info: Option<ChainInfo>,
    /// Newest first, without gaps between neighbours that matter: heights descend.
    pub(crate) list: Vec<BlockView>,
    /// The height looked at; the newest when none.
    pub(crate) at: Option<u64>,
    pub(crate) whole: BTreeMap<u64, WholeBlock>,
    pub(crate) failed: Option<(u64, String)>,
    pub(crate) loading: Option<u64>,
    /// When a newest block was last asked for by itself.
    pub(crate) followed: Option<Timestamp>,
    pub(crate) replayed: HashMap<u64, Replay>,
    /// Which transaction of the block.
    pub(crate) transaction: usize,
    pub(crate) queued: u64,
    pub(crate) queue: Waiting,
}

/// How the queue has fared, as its length was told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Waiting {
    /// Since when transactions have waited without a block.
    pub(crate) waiting_since: Option<Timestamp>,
    lengths: VecDeque<u64>,
}

impl Waiting {
    /// Lengths remembered.
    const KEPT: usize = 6;

    pub(crate) fn length(&mut self, length: u64, now: Timestamp) {
        self.waiting_since = match length {
            0 => None,
            _ => self.waiting_since.or(Some(now)),
        };
        self.lengths.push_back(length);
        if self.lengths.len() > Self::KEPT {
            self.lengths.pop_front();
        }
    }

    pub(crate) fn block(&mut self, now: Timestamp) {
        if self.waiting_since.is_some() {
            self.waiting_since = Some(now);
        }
    }

    /// Whether it was longer each time that it was told.
    pub(crate) fn grows(&self) -> bool {
        self.lengths.len() == Self::KEPT
            && self
                .lengths
                .iter()
                .zip(self.lengths.iter().skip(1))
                .all(|(a, b)| a < b)
    }
}

/// A block with all it holds and what was checked of it here.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct WholeBlock {
    pub(crate) block: BlockView,
    pub(crate) checks: Vec<LocalCheck>,
    /// Names of users by their ids, as far as they are known.
    pub(crate) names: HashMap<String, String>,
}

/// A check that was done in this process.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct LocalCheck {
    pub(crate) name: CheckName,
    pub(crate) finding: Finding,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Finding {
    Holds,
    Broken(String),
    /// Could not be decided here, and why.
    Open(String),
}

/// The ledger's verification by replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Replay {
    Asked,
    Answered(BlockVerification),
    Failed(String),
}

/// What is known of a block's validity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Unknown,
    /// This many checks hold, none is broken.
    Holds(usize),
    Broken,
}

/// Between two newest blocks that are read whole by themselves: where one comes each second nobody reads each.
const FOLLOW: Duration = Duration::from_secs(3);

impl Model {
    /// When the newest block is to be read, should it be the one that is looked at and be unread.
    pub(crate) fn next_follow(&self) -> Option<Timestamp> {
        let newest = self.newest()?.header.height;
        let unread = self.at.is_none()
            && self.loading.is_none()
            && !self.whole.contains_key(&newest)
            && self.failed.as_ref().is_none_or(|(h, _)| *h != newest);
        self.followed.filter(|_| unread).map(|at| at.plus(FOLLOW))
    }

    /// The height that is looked at.
    pub(crate) fn height(&self) -> Option<u64> {
        self.at
            .or_else(|| self.list.first().map(|b| b.header.height))
    }

    pub(crate) fn newest(&self) -> Option<&BlockView> {
        self.list.first()
    }

    /// Takes blocks, whatever their order.
    pub(crate) fn take(&mut self, blocks: impl IntoIterator<Item = BlockView>) {
        for block in blocks {
            let height = block.header.height;
            match self.list.binary_search_by(|b| height.cmp(&b.header.height)) {
                Ok(i) => {
                    // A different hash at a height that was seen: what was known of it is void.
                    if self.list[i].hash != block.hash {
                        self.whole.remove(&height);
                        self.replayed.remove(&height);
                    }
                    self.list[i] = block;
                }
                Err(i) => self.list.insert(i, block),
            }
        }
        self.list.truncate(LISTED);
    }

    pub(crate) fn keep_whole(&mut self, block: WholeBlock) {
        let height = block.block.header.height;
        self.whole.insert(height, block);
        while self.whole.len() > WHOLE {
            let looked_at = self.height().unwrap_or(height);
            let farthest = self
                .whole
                .keys()
                .copied()
                .max_by_key(|h| h.abs_diff(looked_at));
            if let Some(farthest) = farthest {
                self.whole.remove(&farthest);
            }
        }
    }

    pub(crate) fn verdict(&self, height: u64) -> Verdict {
        if let Some(Replay::Answered(v)) = self.replayed.get(&height)
            && !v.valid
        {
            return Verdict::Broken;
        }
        let local = self.whole.get(&height).map(|w| &w.checks);
        let mut names: Vec<CheckName> = Vec::new();
        for check in local.into_iter().flatten() {
            match check.finding {
                Finding::Broken(_) => return Verdict::Broken,
                Finding::Holds => names.push(check.name),
                Finding::Open(_) => {}
            }
        }
        if let Some(Replay::Answered(v)) = self.replayed.get(&height) {
            for check in &v.checks {
                if check.ok && !names.contains(&check.name) {
                    names.push(check.name);
                }
            }
        }
        if names.is_empty() {
            Verdict::Unknown
        } else {
            Verdict::Holds(names.len())
        }
    }

    /// Moves to another block.
    pub(crate) fn go(&mut self, heights: &[u64], page: usize, by: Move) {
        if heights.is_empty() {
            return;
        }
        let at = self
            .height()
            .and_then(|h| heights.iter().position(|x| *x == h))
            .unwrap_or(0);
        let to = moved(at, heights.len(), page, by);
        self.transaction = 0;
        // On the newest one the cursor follows what comes.
        self.at =
            if to == 0 && self.list.first().map(|b| b.header.height) == heights.first().copied() {
                None
            } else {
                heights.get(to).copied()
            };
    }

    /// Milliseconds from each block to the next, oldest first.
    pub(crate) fn intervals(&self) -> Vec<u64> {
        self.list
            .windows(2)
            .filter(|w| w[0].header.height == w[1].header.height + 1 && w[1].header.height > 0)
            .map(|w| {
                w[0].header
                    .timestamp
                    .ms()
                    .saturating_sub(w[1].header.timestamp.ms())
            })
            .rev()
            .collect()
    }

    /// Transactions of each block, oldest first.
    pub(crate) fn transactions(&self) -> Vec<u64> {
        self.list
            .iter()
            .rev()
            .map(|b| u64::from(b.header.tx_count))
            .collect()
    }
}

/// The rows in view.
pub(crate) fn rows(model: &crate::model::Model) -> Vec<&BlockView> {
    let filter = model.filter();
    model
        .blocks
        .list
        .iter()
        .filter(|b| {
            filter.is_none_or(|f| {
                f.matches(&format!(
                    "{} {} {}",
                    b.header.height, b.header.producer, b.hash
                ))
            })
        })
        .collect()
}

pub(crate) fn heights(model: &crate::model::Model) -> Vec<u64> {
    rows(model).iter().map(|b| b.header.height).collect()
}
