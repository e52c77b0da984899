//! What changes the screen Blocks: news from the ledger, and where one looks.

use super::model::{Finding, Replay, heights};
use crate::effect::Effect;
use crate::keys::Action;
use crate::model::{Model, Overlay, Screen};
use crate::msg::ChainNews;
use crate::theme::Tone;
use crate::widgets::cursor::Move;
use crate::widgets::input::Input;

pub(crate) fn news(model: &mut Model, news: ChainNews) -> Vec<Effect> {
    let now = model.clock.now;
    let blocks = &mut model.blocks;
    match news {
        ChainNews::Info(info) => {
            // Another chain behind the same address: nothing of the old one holds.
            if blocks
                .info
                .as_ref()
                .is_some_and(|old| old.genesis_hash != info.genesis_hash)
            {
                *blocks = super::Model::default();
            }
            blocks.info = Some(*info);
        }
        ChainNews::Recent(list) | ChainNews::Older(list) => blocks.take(list),
        ChainNews::Block(block) => {
            // What a stream tells again is no fresh time.
            if blocks
                .newest()
                .is_some_and(|known| block.header.height > known.header.height)
            {
                let producer = block.header.producer.as_str();
                model.clocks.fresh(producer, block.header.timestamp, now);
            }
            if let Some(info) = &mut blocks.info {
                info.height = info.height.max(block.header.height);
            }
            blocks.take([*block]);
            blocks.queue.block(now);
        }
        ChainNews::QueueLength(length) => {
            blocks.queued = length;
            blocks.queue.length(length, now);
            return crate::features::queue::update::length(model, length);
        }
        ChainNews::Whole { height, result } => {
            if blocks.loading == Some(height) {
                blocks.loading = None;
            }
            match result {
                Ok(whole) => {
                    blocks.failed = None;
                    let broken = whole.checks.iter().find_map(|c| match &c.finding {
                        Finding::Broken(why) => Some(why.clone()),
                        _ => None,
                    });
                    if !blocks.list.iter().any(|b| b.header.height == height) {
                        blocks.take([whole.block.clone()]);
                    }
                    blocks.keep_whole(*whole);
                    if let Some(why) = broken {
                        model.say(Tone::Bad, format!("block {height} does not verify: {why}"));
                    }
                }
                Err(why) => blocks.failed = Some((height, why)),
            }
        }
        ChainNews::Verified { height, result } => {
            let replay = match result {
                Ok(v) => {
                    let text = if v.valid {
                        (
                            Tone::Good,
                            format!(
                                "block {height} is valid: all {} checks hold",
                                v.checks.len()
                            ),
                        )
                    } else {
                        let first = v.checks.iter().find(|c| !c.ok);
                        let what = first
                            .and_then(|c| c.detail.clone())
                            .unwrap_or_else(|| "a check fails".into());
                        (Tone::Bad, format!("block {height} is not valid: {what}"))
                    };
                    model.say(text.0, text.1);
                    Replay::Answered(v)
                }
                Err(why) => Replay::Failed(why),
            };
            // Forgotten with the blocks they belong to.
            if model.blocks.replayed.len() > super::model::LISTED {
                model.blocks.replayed.clear();
            }
            model.blocks.replayed.insert(height, replay);
        }
        ChainNews::Queue(result) => {
            let result = result.map(|found| *found);
            return crate::features::queue::update::answered(model, result);
        }
        ChainNews::Content(result) => crate::features::content::update::answered(model, result),
        ChainNews::Contracts(result) => crate::features::contracts::update::answered(model, result),
    }
    Vec::new()
}

/// Asks for the block that is looked at, one at a time however fast one scrolls.
pub(crate) fn want(model: &mut Model) -> Option<Effect> {
    if model.screen != Screen::Blocks || model.blocks.loading.is_some() {
        return None;
    }
    let height = model.blocks.height()?;
    let failed = model
        .blocks
        .failed
        .as_ref()
        .is_some_and(|(h, _)| *h == height);
    if failed || model.blocks.whole.contains_key(&height) {
        return None;
    }
    if model.blocks.at.is_none() {
        let now = model.clock.now;
        // A clock that was set back says nothing of how long ago it was.
        let lately = model.blocks.followed.is_some_and(|at| at <= now);
        if lately && model.blocks.next_follow().is_some_and(|at| at > now) {
            return None;
        }
        model.blocks.followed = Some(now);
    }
    model.blocks.loading = Some(height);
    Some(Effect::LoadBlock(height))
}

pub(crate) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    let Some(height) = model.blocks.height() else {
        return Vec::new();
    };
    let count = model
        .blocks
        .whole
        .get(&height)
        .and_then(|w| w.block.transactions.as_ref())
        .map_or(0, Vec::len);
    match action {
        Action::VerifyBlock => {
            model.blocks.replayed.insert(height, Replay::Asked);
            // Read anew as well: what is verified is what the ledger has now.
            model.blocks.whole.remove(&height);
            model.blocks.followed = None;
            model.blocks.failed = None;
            return vec![Effect::VerifyBlock(height)];
        }
        Action::GoToHeight => {
            model.overlay = Some(Overlay::Palette {
                input: Input::new("height "),
                chosen: 0,
            });
        }
        Action::Newest => {
            model.blocks.at = None;
            model.blocks.followed = None;
            model.blocks.transaction = 0;
        }
        Action::ReceiptDown => {
            model.blocks.transaction = (model.blocks.transaction + 1).min(count.saturating_sub(1));
        }
        Action::ReceiptUp => model.blocks.transaction = model.blocks.transaction.saturating_sub(1),
        _ => {}
    }
    Vec::new()
}

/// Moves, and asks for older blocks near the end of the list.
pub(crate) fn go(model: &mut Model, by: Move) -> Vec<Effect> {
    let heights = heights(model);
    let page = model.page;
    model.blocks.failed = None;
    model.blocks.go(&heights, page, by);
    let last = model.blocks.list.last().map(|b| b.header.height);
    match (last, model.blocks.height()) {
        (Some(last), Some(at))
            if last > 0 && at < last + 10 && model.blocks.list.len() < super::model::LISTED =>
        {
            vec![Effect::LoadOlder { before: last }]
        }
        _ => Vec::new(),
    }
}

/// Shows a height that may not be in the list.
pub(crate) fn jump(model: &mut Model, height: u64) -> Vec<Effect> {
    model.screen = Screen::Blocks;
    let tip = model.blocks.newest().map_or(0, |b| b.header.height);
    if height > tip {
        model.say(
            Tone::Warn,
            format!("there is no block {height} yet; the newest is {tip}"),
        );
        return Vec::new();
    }
    model.blocks.at = (height != tip).then_some(height);
    model.blocks.transaction = 0;
    model.blocks.failed = None;
    Vec::new()
}
