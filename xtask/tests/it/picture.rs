//! A picture of the terminal, as a phone's camera gets it, and what a QR reader finds in it.

use std::num::NonZeroU16;

/// Cell size in pixels; twice as high as wide, as terminals draw.
const WIDTH: usize = 8;
const HEIGHT: usize = 16;

/// Reads every QR code in the picture of the screen.
pub(crate) fn qr_codes(screen: &vt100::Screen) -> Vec<String> {
    let (rows, columns): (NonZeroU16, NonZeroU16) = screen.size();
    let (width, height) = (
        usize::from(columns.get()) * WIDTH,
        usize::from(rows.get()) * HEIGHT,
    );
    let pixels = paint(screen, width, height);
    let mut image =
        rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| pixels[y * width + x]);
    image
        .detect_grids()
        .into_iter()
        .filter_map(|grid| grid.decode().ok())
        .map(|(_, text)| text)
        .collect()
}

fn paint(screen: &vt100::Screen, width: usize, height: usize) -> Vec<u8> {
    let mut pixels = vec![0; width * height];
    for y in 0..height {
        for x in 0..width {
            let at = |n: usize| u16::try_from(n).unwrap();
            let Some(cell) = screen.cell(at(y / HEIGHT), at(x / WIDTH)) else {
                continue;
            };
            let (mut ink, mut paper) = (
                luminance(cell.fgcolor(), 208),
                luminance(cell.bgcolor(), 24),
            );
            if cell.inverse() {
                std::mem::swap(&mut ink, &mut paper);
            }
            let inked = covers(cell.contents(), x % WIDTH, y % HEIGHT);
            pixels[y * width + x] = if inked { ink } else { paper };
        }
    }
    pixels
}

/// Whether a glyph puts ink on this pixel of its cell. Letters are drawn as a blot in the middle: nothing here reads them.
fn covers(glyph: &str, x: usize, y: usize) -> bool {
    let (left, top) = (x < WIDTH / 2, y < HEIGHT / 2);
    let quarter = match (left, top) {
        (true, true) => 1,
        (false, true) => 2,
        (true, false) => 4,
        (false, false) => 8,
    };
    let quarters = match glyph {
        "" | " " | "\u{a0}" => 0,
        "█" => 15,
        "▀" => 3,
        "▄" => 12,
        "▌" => 5,
        "▐" => 10,
        "▘" => 1,
        "▝" => 2,
        "▖" => 4,
        "▗" => 8,
        "▚" => 9,
        "▞" => 6,
        "▛" => 7,
        "▜" => 11,
        "▙" => 13,
        "▟" => 14,
        _ => return (2..6).contains(&x) && (4..12).contains(&y),
    };
    quarters & quarter != 0
}

fn luminance(colour: vt100::Color, default: u8) -> u8 {
    let (r, g, b) = match colour {
        vt100::Color::Default => return default,
        vt100::Color::Rgb(r, g, b) => (r, g, b),
        vt100::Color::Idx(index) => palette(index),
    };
    u8::try_from((u32::from(r) * 299 + u32::from(g) * 587 + u32::from(b) * 114) / 1000).unwrap()
}

/// The 256 colours of xterm.
fn palette(index: u8) -> (u8, u8, u8) {
    const BASE: [(u8, u8, u8); 16] = [
        (0, 0, 0),
        (205, 0, 0),
        (0, 205, 0),
        (205, 205, 0),
        (0, 0, 238),
        (205, 0, 205),
        (0, 205, 205),
        (229, 229, 229),
        (127, 127, 127),
        (255, 0, 0),
        (0, 255, 0),
        (255, 255, 0),
        (92, 92, 255),
        (255, 0, 255),
        (0, 255, 255),
        (255, 255, 255),
    ];
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    match index {
        0..=15 => BASE[usize::from(index)],
        16..=231 => {
            let n = usize::from(index - 16);
            (STEPS[n / 36], STEPS[n / 6 % 6], STEPS[n % 6])
        }
        232..=255 => {
            let grey = 8 + 10 * (index - 232);
            (grey, grey, grey)
        }
    }
}

/// The reader itself, so that a code that is not found is the console's fault.
#[test]
fn a_code_drawn_in_half_blocks_is_read() {
    let text = "tana://auth?session=sess_0a1b2c3d4e5f6g7h&server=http%3A%2F%2F127.0.0.1%3A8090";
    let code = qrcode::QrCode::new(text).unwrap();
    let width = code.width();
    let colours = code.to_colors();
    let dark = |x: usize, y: usize| {
        let inside = (4..width + 4).contains(&x) && (4..width + 4).contains(&y);
        inside && colours[(y - 4) * width + x - 4] == qrcode::Color::Dark
    };
    let size = |cells: usize| NonZeroU16::new(u16::try_from(cells).unwrap()).unwrap();
    let (columns, rows) = (width + 8, (width + 8).div_ceil(2));
    let mut parser = vt100::Parser::new(size(rows), size(columns), 0);
    parser.process(b"\x1b[38;2;0;0;0m\x1b[48;2;255;255;255m");
    for row in 0..rows {
        parser.process(format!("\x1b[{};1H", row + 1).as_bytes());
        for x in 0..columns {
            let glyph = match (dark(x, row * 2), dark(x, row * 2 + 1)) {
                (true, true) => "█",
                (true, false) => "▀",
                (false, true) => "▄",
                (false, false) => " ",
            };
            parser.process(glyph.as_bytes());
        }
    }
    assert_eq!(qr_codes(parser.screen()), [text]);
}
