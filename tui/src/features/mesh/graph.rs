//! The mesh as a picture: nodes on an ellipse, this one at the left, who reaches whom as dotted lines with the round trip on them.

use ratatui::layout::Rect;
use tana_protocol::api::mesh::{Node, NodeStatus};

use super::model::Standing;
use crate::model::Model;
use crate::theme::Tone;
use crate::widgets::Paint;

/// Dots of a cell: two across, four down.
struct Canvas {
    area: Rect,
    cells: Vec<u8>,
}

impl Canvas {
    fn new(area: Rect) -> Self {
        Self {
            area,
            cells: vec![0; usize::from(area.width) * usize::from(area.height)],
        }
    }

    fn dot(&mut self, x: i32, y: i32) {
        const BITS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else {
            return;
        };
        let (cx, cy) = (x / 2, y / 4);
        if cx < usize::from(self.area.width) && cy < usize::from(self.area.height) {
            self.cells[cy * usize::from(self.area.width) + cx] |= BITS[x % 2][y % 4];
        }
    }

    /// A line of dots, every second one left out; gaps where it is broken.
    fn line(&mut self, from: (i32, i32), to: (i32, i32), stroke: Stroke) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let steps = dx.abs().max(dy.abs()).max(1);
        for i in 0..=steps {
            let drawn = match stroke {
                Stroke::Dotted => i % 2 == 0,
                Stroke::Broken => i % 8 < 3,
            };
            if drawn {
                self.dot(from.0 + dx * i / steps, from.1 + dy * i / steps);
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stroke {
    Dotted,
    Broken,
}

pub(crate) fn draw(model: &Model, area: Rect, paint: &mut Paint<'_>) {
    let here = model.here.node.as_ref();
    let mut nodes: Vec<&Node> = model
        .mesh
        .nodes
        .values()
        .filter(|n| matches!(n.status, NodeStatus::Active | NodeStatus::Offline))
        .collect();
    nodes.sort_by_key(|n| (Some(&n.id) != here, n.id.as_str()));
    let places = places(area, nodes.len());
    let centre = |i: usize| {
        (
            i32::from(places[i].0 - area.x) * 2 + 1,
            i32::from(places[i].1 - area.y) * 4 + 2,
        )
    };
    let mut canvas = Canvas::new(area);
    let mut labels = Vec::new();
    for a in 0..nodes.len() {
        for b in a + 1..nodes.len() {
            let link = model.mesh.latency(Some(&nodes[a].id), &nodes[b].id);
            let down = [a, b]
                .iter()
                .any(|i| nodes[*i].status == NodeStatus::Offline);
            let Some(ms) = link else { continue };
            let (from, to) = (centre(a), centre(b));
            canvas.line(from, to, if down { Stroke::Broken } else { Stroke::Dotted });
            let text = if down {
                "no answer".to_owned()
            } else {
                format!("{ms} ms")
            };
            labels.push((from, to, text, down));
        }
    }
    let style = paint.look.line();
    for (i, bits) in canvas.cells.iter().enumerate().filter(|(_, b)| **b != 0) {
        let i = u16::try_from(i).unwrap_or(0);
        let (x, y) = (area.x + i % area.width, area.y + i / area.width);
        let symbol = char::from_u32(0x2800 + u32::from(*bits))
            .unwrap_or('·')
            .to_string();
        paint.buf.set_string(x, y, symbol, style);
    }
    let mut taken: Vec<Rect> = places
        .iter()
        .zip(&nodes)
        .map(|((x, y), n)| label_room(*x, *y, n.id.as_str().len() + 10))
        .collect();
    for (from, to, text, down) in labels {
        // The first place along the line that no other text has.
        let spot = [10, 7, 13, 5, 15].into_iter().find_map(|part| {
            let half = i32::try_from(text.len() / 2).unwrap_or(0) + 1;
            let x = (from.0 + (to.0 - from.0) * part / 20) / 2 - half;
            let y = (from.1 + (to.1 - from.1) * part / 20) / 4;
            let (x, y) = (u16::try_from(x.max(0)).ok()?, u16::try_from(y).ok()?);
            let room = label_room(area.x + x, area.y + y, text.len() + 2);
            let free = !taken.iter().any(|t| t.intersects(room));
            free.then_some((x, y, room))
        });
        let Some((x, y, room)) = spot else { continue };
        taken.push(room);
        let words = paint.words();
        let line = if down {
            words.tone(Tone::Warn, format!(" {text} "))
        } else {
            words.dim(format!(" {text} "))
        }
        .line();
        paint.line(area.x + x, area.y + y, area.width.saturating_sub(x), &line);
    }
    for (node, (x, y)) in nodes.iter().zip(places) {
        let standing = model.mesh.standing(node, model.clock.now);
        let own = here == Some(&node.id);
        let tone = if own && standing == Standing::Active {
            Tone::Accent
        } else {
            standing.tone()
        };
        let mut words = paint
            .words()
            .tone(tone, tone.mark())
            .gap(1)
            .strong(node.id.as_str());
        if standing != Standing::Active {
            words = words.tone(tone, format!(" {}", standing.word()));
        }
        let line = words.gap(1).line();
        let width = u16::try_from(line.width()).unwrap_or(1);
        let x = x.min(area.right().saturating_sub(width));
        paint.line(x, y, width, &line);
    }
}

/// The cells that a text of this length takes.
fn label_room(x: u16, y: u16, length: usize) -> Rect {
    Rect::new(x, y, u16::try_from(length).unwrap_or(u16::MAX), 1)
}

/// Cells on an ellipse, the first at the left, names growing to the right of each.
fn places(area: Rect, count: usize) -> Vec<(u16, u16)> {
    let name = 18.0_f64;
    let (rx, ry) = (
        f64::from(area.width).mul_add(0.5, -name).max(4.0),
        f64::from(area.height.saturating_sub(1)) / 2.0,
    );
    let (cx, cy) = (
        f64::from(area.x) + f64::from(area.width) / 2.0 - name / 3.0,
        f64::from(area.y) + ry,
    );
    (0..count)
        .map(|i| {
            #[allow(clippy::cast_precision_loss)]
            let angle =
                std::f64::consts::PI + std::f64::consts::TAU * i as f64 / count.max(1) as f64;
            let (x, y) = (angle.cos().mul_add(rx, cx), angle.sin().mul_add(ry, cy));
            // Both lie inside `area`, which is made of u16.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let cell = (x.max(0.0) as u16, y.round().max(0.0) as u16);
            (
                cell.0.clamp(area.x, area.right() - 1),
                cell.1.clamp(area.y, area.bottom() - 1),
            )
        })
        .collect()
}
