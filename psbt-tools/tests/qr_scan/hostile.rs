//! What was made to do harm costs itself and nothing else: each of these lies among honest pictures, or in an honest
//! video, and the payload is whole all the same.

use super::canvas::{Canvas, y4m};
use super::qr_data::{Random, noise};
use super::{json, payment, scan, scan_input, text};
use flate::stored;
use std::path::Path;
use std::time::Instant;

mod flate;

type Named = (String, Vec<u8>);

/// A PNG of these chunks.
fn png(chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    for (name, data) in chunks {
        bytes.extend((data.len() as u32).to_be_bytes());
        let body = [&name[..], data].concat();
        bytes.extend(&body);
        bytes.extend(crc32fast::hash(&body).to_be_bytes());
    }
    bytes
}

fn header(width: u32, height: u32, depth: u8, colours: u8, interlace: u8) -> (&'static [u8; 4], Vec<u8>) {
    let sides = [width.to_be_bytes(), height.to_be_bytes()].concat();
    (b"IHDR", [sides, vec![depth, colours, 0, 0, interlace]].concat())
}

fn pngs() -> Vec<Named> {
    let end = || (b"IEND", Vec::new());
    let pixels = |bytes: &[u8]| (b"IDAT", stored(bytes));
    let square = |interlace| header(8, 8, 8, 0, interlace);
    let of = |name: &str, chunks: &[(&[u8; 4], Vec<u8>)]| (format!("png {name}"), png(chunks));
    let mut all = vec![
        of("nothing", &[]),
        of("header only", &[square(0)]),
        of("no pixels", &[square(0), end()]),
        of("zero wide", &[header(0, 8, 8, 0, 0), pixels(&[0; 72]), end()]),
        of("zero high", &[header(8, 0, 8, 0, 0), pixels(&[0; 72]), end()]),
        of("largest", &[header(u32::MAX, u32::MAX, 8, 6, 0), pixels(&[0; 72]), end()]),
        of("a long row", &[header(0x7fff_ffff, 1, 16, 6, 0), pixels(&[0; 72]), end()]),
        of("above the limit", &[header(4_097, 4_096, 8, 0, 0), pixels(&[0; 72]), end()]),
        of("at the limit, without pixels", &[header(4_096, 4_096, 16, 6, 0), pixels(&[0; 72]), end()]),
        of("few pixels", &[square(0), pixels(&[0; 10]), end()]),
        of("many pixels", &[square(0), pixels(&[0; 10_000]), end()]),
        of("unknown filter", &[square(0), pixels(&[9; 72]), end()]),
        of("unknown depth", &[header(8, 8, 7, 0, 0), pixels(&[0; 72]), end()]),
        of("unknown colours", &[header(8, 8, 8, 5, 0), pixels(&[0; 72]), end()]),
        of("palette that is missing", &[header(8, 8, 8, 3, 0), pixels(&[0; 72]), end()]),
        of("interlaced and cut", &[square(1), pixels(&[0; 20]), end()]),
        of("two headers", &[square(0), header(3_000, 3_000, 8, 0, 0), pixels(&[0; 72]), end()]),
        of("garbage for pixels", &[square(0), (b"IDAT", noise(500, 1)), end()]),
        of("a bomb", &[header(4_096, 4_096, 8, 0, 0), (b"IDAT", flate::bomb(200 << 20)), end()]),
        of("a bomb of 16 bits", &[header(4_096, 4_096, 16, 6, 0), (b"IDAT", flate::bomb(400 << 20)), end()]),
        of(
            "a bomb of text",
            &[
                square(0),
                (b"zTXt", [b"a\0\0".to_vec(), flate::bomb(200 << 20)].concat()),
                pixels(&[0; 72]),
                end(),
            ],
        ),
        of(
            "a bomb of colours",
            &[
                square(0),
                (b"iCCP", [b"a\0\0".to_vec(), flate::bomb(200 << 20)].concat()),
                pixels(&[0; 72]),
                end(),
            ],
        ),
    ];
    let mut wrong = png(&[square(0), pixels(&[0; 72]), end()]);
    wrong[20] ^= 1;
    all.push(("png check sum".to_owned(), wrong));
    let mut long = png(&[square(0)]);
    long.extend([0xff, 0xff, 0xff, 0xff]);
    long.extend(b"IDAT");
    all.push(("png chunk of 4 GiB".to_owned(), long));
    all
}

fn gif(screen: (u16, u16), flags: u8, rest: &[u8]) -> Vec<u8> {
    let (width, height) = screen;
    [b"GIF89a", &width.to_le_bytes()[..], &height.to_le_bytes(), &[flags, 0, 0], rest].concat()
}

fn frame(left: u16, top: u16, width: u16, height: u16, data: &[u8]) -> Vec<u8> {
    let place = [left, top, width, height].map(u16::to_le_bytes).concat();
    [b",", &place[..], &[0x80], &[0, 0, 0, 255, 255, 255], data].concat()
}

fn gifs() -> Vec<Named> {
    // A code of one black pixel, and the end.
    let pixel = [2, 2, 0x44, 0x01, 0];
    let of = |name: &str, bytes: Vec<u8>| (format!("gif {name}"), bytes);
    let many: Vec<u8> = (0..3_000).flat_map(|_| frame(0, 0, 1, 1, &pixel)).collect();
    vec![
        of("magic only", b"GIF89a".to_vec()),
        of("no screen", gif((0, 0), 0, b";")),
        of("largest screen", gif((65_535, 65_535), 0, b";")),
        of("screen above the limit", gif((4_097, 4_096), 0, &frame(0, 0, 1, 1, &pixel))),
        of("empty", gif((8, 8), 0, b";")),
        of("frame without pixels", gif((8, 8), 0, &frame(0, 0, 0, 0, &pixel))),
        of("frame larger than its screen", gif((8, 8), 0, &frame(0, 0, 65_535, 65_535, &pixel))),
        of("frame beside its screen", gif((8, 8), 0, &frame(60_000, 60_000, 4, 4, &pixel))),
        of("code size 12", gif((8, 8), 0, &frame(0, 0, 8, 8, &[12, 2, 0xff, 0xff, 0]))),
        of("code size 255", gif((8, 8), 0, &frame(0, 0, 8, 8, &[255, 2, 0xff, 0xff, 0]))),
        of("garbage", gif((64, 64), 0, &frame(0, 0, 64, 64, &noise(900, 2)))),
        of("block that does not end", gif((8, 8), 0, &frame(0, 0, 8, 8, &[2, 255, 1, 2, 3]))),
        of("colours that are missing", gif((8, 8), 0x87, b",")),
        of("extension without end", gif((8, 8), 0, &[b"!\xff".to_vec(), vec![255; 5_000]].concat())),
        of("frames of one pixel", gif((8, 8), 0, &[many, b";".to_vec()].concat())),
        of("unknown block", gif((8, 8), 0, &[7; 100])),
    ]
}

fn jpegs(good: &[u8]) -> Vec<Named> {
    let of = |name: &str, bytes: Vec<u8>| (format!("jpeg {name}"), bytes);
    let place = good.windows(2).position(|two| two == [0xff, 0xc0]).unwrap();
    let sized = |height: u16, width: u16| {
        let mut bytes = good.to_vec();
        bytes[place + 5..place + 7].copy_from_slice(&height.to_be_bytes());
        bytes[place + 7..place + 9].copy_from_slice(&width.to_be_bytes());
        bytes
    };
    let with = |at: usize, value: u8| {
        let mut bytes = good.to_vec();
        bytes[place + at] = value;
        bytes
    };
    vec![
        of("magic only", vec![0xff, 0xd8, 0xff]),
        of("no header", vec![0xff, 0xd8, 0xff, 0xd9]),
        of("zero wide", sized(8, 0)),
        of("zero high", sized(0, 8)),
        of("largest", sized(65_535, 65_535)),
        of("above the limit", sized(4_097, 4_096)),
        of("larger than its pixels", sized(4_000, 4_000)),
        of("no components", with(9, 0)),
        of("255 components", with(9, 255)),
        of("sampling of zero", with(11, 0)),
        of("sampling of fifteen", with(11, 0xff)),
        of("table that is missing", with(12, 3)),
        of("twelve bits", with(4, 12)),
        of("arithmetic", with(1, 0xc9)),
        of("lossless", with(1, 0xc3)),
        of("progressive by name only", with(1, 0xc2)),
        of("cut", good[..good.len() / 2].to_vec()),
        of("markers only", [0xff, 0xd8].iter().copied().chain([0xff; 20_000]).collect()),
        of("segment that is longer than the file", vec![0xff, 0xd8, 0xff, 0xe0, 0xff, 0xff, 0]),
        of("many restarts", [&good[..good.len() - 2], &[0xff, 0xd0].repeat(20_000)].concat()),
    ]
}

fn others(good: &[u8]) -> Vec<Named> {
    let mut random = Random(9);
    let mut all: Vec<Named> = (0..8)
        .map(|number| {
            let mut bytes = good.to_vec();
            (0..20).for_each(|_| {
                let at = random.below(bytes.len());
                bytes[at] = random.next() as u8;
            });
            (format!("changed {number}"), bytes)
        })
        .collect();
    all.extend([
        ("empty".to_owned(), Vec::new()),
        ("noise".to_owned(), noise(10_000, 1)),
        ("a picture of another format".to_owned(), b"RIFF\0\0\0\0WEBPVP8 ".to_vec()),
        ("a program".to_owned(), b"\x7fELF\x02\x01\x01".to_vec()),
        ("a text".to_owned(), b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec()),
    ]);
    all
}

#[test]
fn a_hostile_picture_costs_itself_only() {
    let (symbols, bytes) = payment(500, 1);
    let canvases: Vec<_> = symbols.iter().map(|symbol| Canvas::of(symbol, 3)).collect();
    let mut hostile = pngs();
    hostile.extend(gifs());
    hostile.extend(jpegs(&canvases[0].jpeg(80, false)));
    hostile.extend(others(&canvases[0].png()));
    assert!(hostile.len() >= 60, "{}", hostile.len());
    let folder = tempfile::tempdir().unwrap();
    for (number, (_, picture)) in hostile.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{number:03}")), picture).unwrap();
    }
    for (number, canvas) in canvases.iter().enumerate() {
        std::fs::write(folder.path().join(format!("z{number}")), canvas.png()).unwrap();
    }
    let begun = Instant::now();
    let output = scan(folder.path(), &[".", "-o", "read", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(std::fs::read(folder.path().join("read")).unwrap(), bytes);
    let lost = json(&output)["lost"].as_u64().unwrap() as usize;
    assert!(lost * 2 > hostile.len(), "{lost} of {}: {output:?}", hostile.len());
    assert!(begun.elapsed().as_secs() < 120);
    // Without optimisation the largest pictures may need longer than the deadline.
    for name in ["panic", "crash:", "memory:", "nonsense:"] {
        assert!(!text(&output.stderr).contains(name), "a bound that does not hold: {output:?}");
    }
}

#[test]
fn a_hostile_video_is_refused_and_says_why() {
    let (symbols, _) = payment(300, 1);
    let good = y4m(&[Canvas::of(&symbols[0], 3)], "mono");
    let folder = tempfile::tempdir().unwrap();
    let head = |words: &str| format!("YUV4MPEG2 {words}\nFRAME\n").into_bytes();
    for (name, video, reason) in [
        ("no header", b"YUV4MPEG W8 H8\n".to_vec(), "no Y4M video"),
        ("no line", vec![b'Y'; 5_000], "no Y4M video"),
        ("no width", head("H8"), "no Y4M video"),
        ("zero", head("W0 H8"), "have no pixels"),
        ("negative", head("W-8 H8"), "no Y4M video"),
        ("above the limit", head("W4097 H4096"), "have no pixels, or more"),
        ("overflow", head("W18446744073709551615 H18446744073709551615"), "have no pixels, or more"),
        ("beyond a number", head("W99999999999999999999 H1"), "no Y4M video"),
        ("ten bits", head("W8 H8 C420p10"), "8 bits of 420"),
        ("control characters", head("W8 H8 C\x1b[2J"), "\\u{1b}"),
        ("other bytes", b"YUV4MPEG2 W8 H8 \xff\nFRAME\n".to_vec(), "no Y4M video"),
        ("no frame", [&good[..], b"GRAME\n"].concat(), "no Y4M video"),
        ("frame line without end", [&good[..], &[b'F'; 5_000]].concat(), "no Y4M video"),
    ] {
        std::fs::write(folder.path().join("video"), &video).unwrap();
        let output = scan(folder.path(), &["--video", "video", "--json"]);
        assert_eq!(output.status.code(), Some(3), "{name}: {output:?}");
        let message = json(&output)["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with("video is not read: ") && message.contains(reason), "{name}: {message}");
    }
    for (name, video) in [
        ("empty", Vec::new()),
        ("header only", head("W8 H8")[..19].to_vec()),
        ("frame that is cut", [head("W640 H480"), vec![0; 9_000]].concat()),
    ] {
        let output = scan_input(folder.path(), &["--video", "-"], &video);
        assert_eq!(output.status.code(), Some(3), "{name}: {output:?}");
        assert!(text(&output.stderr).contains("no payload in 0 frames"), "{name}: {output:?}");
    }
}

#[test]
fn a_payload_that_would_grow_above_the_limit_is_given_up() {
    // BBQr of one part, compressed: 200 MiB of nothing.
    let bomb = flate::raw_bomb(200 << 20);
    let body = data_encoding::BASE32_NOPAD.encode(&bomb);
    let texts: Vec<String> = {
        let pieces: Vec<_> = body.as_bytes().chunks(4_200).collect();
        let count = pieces.len() as u32;
        let two = |number: u32| -> String {
            [number / 36, number % 36].iter().map(|digit| char::from_digit(*digit, 36).unwrap()).collect()
        };
        let piece = |(number, piece): (u32, &&[u8])| {
            format!("B$ZP{}{}{}", two(count), two(number), String::from_utf8_lossy(piece)).to_uppercase()
        };
        (0..).zip(&pieces).map(piece).collect()
    };
    let folder = tempfile::tempdir().unwrap();
    let version = psbt_tools::qr::Version::new(40).unwrap();
    for (number, text) in texts.iter().enumerate() {
        let symbol = psbt_tools::show::Symbol::of(text, version).unwrap();
        std::fs::write(folder.path().join(format!("{number:04}.png")), Canvas::of(&symbol, 3).png()).unwrap();
    }
    let output = scan(folder.path(), &[".", "--json"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(output_names(&output, "above 33554432 bytes"), "{output:?}");
}

fn output_names(output: &std::process::Output, words: &str) -> bool {
    text(&output.stderr).contains(words) || text(&output.stdout).contains(words)
}

/// Where a folder holds nothing but hostile pictures, it says that there is no payload.
#[test]
fn nothing_but_hostile_pictures_is_no_payload() {
    let folder = tempfile::tempdir().unwrap();
    for (number, (_, picture)) in pngs().iter().chain(&gifs()).enumerate() {
        std::fs::write(folder.path().join(format!("{number:03}")), picture).unwrap();
    }
    let output = scan(Path::new(folder.path()), &["."]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(text(&output.stderr).contains("error: no payload in "), "{output:?}");
}
