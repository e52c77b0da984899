//! The mesh as a picture. A few nodes stand on an ellipse, this one at the left, and who reaches whom is drawn as dotted
//! lines with the round trip on them. More of them stand on a ring with their names outside, and only the lines of the one
//! that is selected are drawn: all of them would be a black disc.

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

    fn paint(&self, paint: &mut Paint<'_>) {
        let (area, style) = (self.area, paint.look.line());
        for (i, bits) in self.cells.iter().enumerate().filter(|(_, b)| **b != 0) {
            let i = u16::try_from(i).unwrap_or(0);
            let (x, y) = (area.x + i % area.width, area.y + i / area.width);
            let symbol = char::from_u32(0x2800 + u32::from(*bits))
                .unwrap_or('·')
                .to_string();
            paint.buf.set_string(x, y, symbol, style);
        }
    }

    /// A line of dots, every second one left out; gaps where it is broken.
    fn line(&mut self, from: (i32, i32), to: (i32, i32), stroke: Stroke) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let steps = dx.abs().max(dy.abs()).max(1);
        for i in 0..=steps {
            let drawn = match stroke {
                Stroke::Dotted => i % 2 == 0,
                Stroke::Thin => i % 5 == 0,
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
    /// Where many lines meet.
    Thin,
    Broken,
}

/// Nodes of which every link is drawn.
const WEB: usize = 6;
/// More nodes than this are a table, not a picture.
const MOST: usize = 60;

/// The nodes of the picture.
fn nodes(model: &Model) -> Vec<&Node> {
    let linked = |n: &&Node| matches!(n.status, NodeStatus::Active | NodeStatus::Offline);
    model.mesh.nodes.values().filter(linked).collect()
}

/// The rows that the picture needs in a body of this size; none where there is no room for it, or nothing to draw.
pub(crate) fn rows(model: &Model, body: Rect) -> Option<u16> {
    if model.mesh.links.is_empty() || body.width < 70 {
        return None;
    }
    let count = nodes(model).len();
    match count {
        2..=WEB => (body.height >= 24).then(|| (body.height * 2 / 5).clamp(9, 16)),
        0..=1 => None,
        count if count <= MOST => {
            let rows = u16::try_from(count.div_ceil(2)).unwrap_or(u16::MAX).max(9) + 1;
            // The table keeps a heading, five rows and a gap.
            (rows + 8 <= body.height).then_some(rows)
        }
        _ => None,
    }
}

/// Draws it, with the links of `selected` where not all of them can be seen.
pub(crate) fn draw(model: &Model, selected: Option<&Node>, area: Rect, paint: &mut Paint<'_>) {
    if nodes(model).len() > WEB {
        ring(model, selected, area, paint);
    } else {
        web(model, area, paint);
    }
}

fn ring(model: &Model, selected: Option<&Node>, area: Rect, paint: &mut Paint<'_>) {
    let mut nodes = nodes(model);
    // Neighbours on the ring are neighbours in the world, as far as it is known.
    nodes.sort_by_key(|n| (n.region.clone(), n.id.as_str().to_owned()));
    let here = model.here.node.as_ref();
    let own = nodes.iter().position(|n| Some(&n.id) == here);
    let focus = selected
        .and_then(|s| nodes.iter().position(|n| n.id == s.id))
        .or(own)
        .unwrap_or(0);
    let name = nodes[focus].id.as_str().to_owned();
    let heading = paint.words().dim(format!("round trips of {name}")).line();
    paint.line(area.x + 3, area.y, area.width.saturating_sub(3), &heading);
    let area = Rect {
        y: area.y + 1,
        height: area.height.saturating_sub(1),
        ..area
    };
    let seats = seats(area, nodes.len());
    let mut canvas = Canvas::new(area);
    let dot = |seat: &Seat| {
        (
            i32::from(seat.x.saturating_sub(area.x)) * 2 + 1,
            i32::from(seat.y.saturating_sub(area.y)) * 4 + 2,
        )
    };
    let trips: Vec<Option<u32>> = nodes
        .iter()
        .map(|n| model.mesh.latency(Some(&nodes[focus].id), &n.id))
        .collect();
    for (i, trip) in trips.iter().enumerate() {
        if i == focus || trip.is_none() {
            continue;
        }
        let down = [i, focus]
            .iter()
            .any(|i| nodes[*i].status == NodeStatus::Offline);
        let stroke = match down {
            true => Stroke::Broken,
            false if nodes.len() > THIN => Stroke::Thin,
            false => Stroke::Dotted,
        };
        canvas.line(dot(&seats[focus]), dot(&seats[i]), stroke);
    }
    canvas.paint(paint);
    for (i, (node, seat)) in nodes.iter().zip(&seats).enumerate() {
        let standing = model.mesh.standing(node, model.clock.now);
        let tone = if here == Some(&node.id) && standing == Standing::Active {
            Tone::Accent
        } else {
            standing.tone()
        };
        let mark = paint.words().tone(tone, tone.mark()).line();
        paint.line(seat.x, seat.y, 1, &mark);
        let name = crate::show::fit(node.id.as_str(), NAME);
        let named = match (i == focus, standing) {
            (true, _) => paint.words().title(name),
            (false, Standing::Active) => paint.words().text(name),
            (false, _) => paint.words().tone(tone, name),
        };
        let trip = match (i == focus, trips[i]) {
            (false, Some(_)) if standing == Standing::Offline => "no answer".to_owned(),
            (false, Some(ms)) => format!("{ms} ms"),
            _ => String::new(),
        };
        let beside = match seat.side {
            Side::Left => paint.words().dim(trip).gap(1).line(),
            Side::Right => paint.words().gap(1).dim(trip).line(),
        };
        let line = match seat.side {
            Side::Left => {
                let mut line = beside;
                line.spans.extend(named.gap(1).line().spans);
                line
            }
            Side::Right => {
                let mut line = named.line();
                line.spans.extend(beside.spans);
                line
            }
        };
        let width = u16::try_from(line.width()).unwrap_or(0);
        let x = match seat.side {
            Side::Left => seat.x.saturating_sub(width).max(area.x),
            Side::Right => seat.x + 2,
        };
        paint.line(x, seat.y, area.right().saturating_sub(x), &line);
    }
}

/// More nodes than this have thin lines.
const THIN: usize = 20;
/// Columns of a name on the ring.
const NAME: usize = 20;

/// On which side of the ring a node stands: its name is outside.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

struct Seat {
    x: u16,
    y: u16,
    side: Side,
}

/// Places on a ring, one or two a row, the first at the top left and on downwards, then up on the right.
fn seats(area: Rect, count: usize) -> Vec<Seat> {
    let left = count.div_ceil(2);
    let right = count - left;
    let half = |rows: usize, side: Side| {
        (0..rows).map(move |i| {
            // Evenly over the height, whether there are as many nodes as rows or fewer.
            let (i, rows) = (
                u32::try_from(i).unwrap_or(0),
                u32::try_from(rows).unwrap_or(1),
            );
            let height = f64::from(area.height.saturating_sub(1));
            let share = if rows > 1 {
                f64::from(i) / f64::from(rows - 1)
            } else {
                0.5
            };
            let down = (share * height).round();
            let centre = f64::from(area.width) / 2.0;
            // What the names on both sides leave.
            let radius = (centre - 32.0).max(6.0);
            let off = 1.0 - 2.0 * share;
            // Flattened: the names near the top and the bottom stand apart as well.
            let out = (radius * (1.0 - off * off * 0.75).max(0.0).sqrt()).round();
            let x = match side {
                Side::Left => centre - out,
                Side::Right => centre + out,
            };
            // Both lie inside `area`, which is made of u16.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            Seat {
                x: (area.x + x.max(0.0) as u16).min(area.right().saturating_sub(1)),
                y: (area.y + down as u16).min(area.bottom().saturating_sub(1)),
                side,
            }
        })
    };
    let mut seats: Vec<Seat> = half(left, Side::Left).collect();
    seats.extend(
        half(right, Side::Right)
            .collect::<Vec<_>>()
            .into_iter()
            .rev(),
    );
    seats
}

fn web(model: &Model, area: Rect, paint: &mut Paint<'_>) {
    let here = model.here.node.as_ref();
    let mut nodes = nodes(model);
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
    canvas.paint(paint);
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
