//! Several codes in view, and none.

use super::canvas::{Canvas, y4m};
use super::qr_data::{Random, psbt};
use super::{json, payment, scan, symbols, text};
use psbt_tools::qr::Format;
use psbt_tools::show::Symbol;
use std::path::Path;

/// Two symbols beside each other.
fn beside(left: &Symbol, right: &Symbol) -> Canvas {
    let side = (left.side().max(right.side()) + 8) * 4;
    let mut canvas = Canvas::new(side * 2 + 40, side + 40, 200);
    canvas.put(left, 10, 20, 4);
    canvas.put(right, side + 30, 10, 4);
    canvas
}

/// A film in which two payloads are seen at once.
fn both(count: usize) -> (Vec<Canvas>, [Vec<u8>; 2]) {
    let (one, first) = payment(900, 1);
    let second = psbt(900, 2);
    let other = symbols(Format::Bbqr, &second, 10);
    let frame = |number: usize| beside(&one[number % one.len()], &other[number % other.len()]);
    ((0..count).map(frame).collect(), [first, second])
}

#[test]
fn two_payloads_in_view_are_told_apart_and_neither_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let (frames, _) = both(20);
    std::fs::write(folder.path().join("both.y4m"), y4m(&frames, "mono")).unwrap();
    let output = scan(folder.path(), &["--video", "both.y4m", "-o", "read", "--json"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let error = &json(&output)["error"];
    assert_eq!(error["code"], "several-payloads");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("by UR") && message.contains("by BBQr"), "{message}");
    assert!(!folder.path().join("read").exists());
}

#[test]
fn pictures_of_two_payloads_are_not_mixed() {
    let folder = tempfile::tempdir().unwrap();
    for (name, seed) in [("a", 1), ("b", 2)] {
        for (number, symbol) in payment(500, seed).0.iter().enumerate() {
            let path = folder.path().join(format!("{name}{number}.png"));
            std::fs::write(path, Canvas::of(symbol, 3).png()).unwrap();
        }
    }
    let output = scan(folder.path(), &[".", "-o", "read"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(text(&output.stderr).contains("several payloads are in view: psbt by UR"), "{output:?}");
}

/// A film of symbols; what a scan of it says, and that nothing was written.
fn refused(folder: &Path, symbols: &[&Symbol]) -> String {
    let side = symbols.iter().map(|symbol| (symbol.side() + 8) * 3).max().unwrap();
    let frame = |symbol: &&Symbol| {
        let mut canvas = Canvas::new(side, side, 255);
        canvas.put(symbol, 0, 0, 3);
        canvas
    };
    let frames: Vec<_> = symbols.iter().map(frame).collect();
    std::fs::write(folder.join("film.y4m"), y4m(&frames, "mono")).unwrap();
    let output = scan(folder, &["--video", "film.y4m", "-o", "read", "--json"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(!folder.join("read").exists());
    json(&output)["error"]["code"].as_str().unwrap().to_owned()
}

/// A payment in one code.
fn planted() -> Symbol {
    symbols(Format::Ur, &psbt(100, 77), 12).remove(0)
}

#[test]
fn a_code_that_is_planted_for_one_frame_is_not_taken_for_the_payload_around_it() {
    let folder = tempfile::tempdir().unwrap();
    let planted = planted();
    let (parts, _) = payment(2_000, 1);
    // Never whole: its first parts again and again.
    let honest = || parts.iter().cycle().take(2).chain(parts.iter().take(6).cycle().take(50));
    let mut film: Vec<_> = honest().collect();
    film.insert(2, &planted);
    assert_eq!(refused(folder.path(), &film), "several-payloads");
    // Whole in the end.
    film.extend(&parts);
    assert_eq!(refused(folder.path(), &film), "several-payloads");
    // At the end, for less than a while.
    let mut film: Vec<_> = honest().collect();
    film.extend([&planted; 20]);
    assert_eq!(refused(folder.path(), &film), "several-payloads");
}

#[test]
fn a_payload_that_one_frame_contradicts_does_not_leave_the_place_to_another() {
    let folder = tempfile::tempdir().unwrap();
    let planted = planted();
    let honest = symbols(Format::Bbqr, &psbt(2_000, 1), 10);
    // Another part of the same number: all of the other payload have the same header.
    let other = symbols(Format::Bbqr, &psbt(2_000, 2), 10);
    let mut film: Vec<_> = honest.iter().cycle().take(5).chain([&other[0], &planted]).collect();
    film.extend(honest.iter().cycle().take(60));
    assert_eq!(refused(folder.path(), &film), "several-payloads");
}

#[test]
fn a_whole_payload_among_pictures_of_another_is_not_taken() {
    for format in [Format::Ur, Format::Bbqr] {
        let folder = tempfile::tempdir().unwrap();
        let honest = symbols(format, &psbt(2_000, 1), 10);
        let save = |name: String, symbol: &Symbol| {
            std::fs::write(folder.path().join(name), Canvas::of(symbol, 3).png()).unwrap();
        };
        honest
            .iter()
            .skip(1)
            .enumerate()
            .for_each(|(number, symbol)| save(format!("{number:03}.png"), symbol));
        save("zz.png".to_owned(), &planted());
        let output = scan(folder.path(), &[".", "-o", "read"]);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        assert!(text(&output.stderr).contains("several payloads are in view: "), "{output:?}");
        // In parts as well, which are all there but were seen once.
        std::fs::remove_file(folder.path().join("zz.png")).unwrap();
        for (number, symbol) in symbols(Format::Bbqr, &psbt(700, 5), 10).iter().enumerate() {
            save(format!("zz{number}.png"), symbol);
        }
        let output = scan(folder.path(), &[".", "-o", "read"]);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
    }
}

#[test]
fn a_code_that_carries_nothing_beside_a_payload_does_not_hinder() {
    let folder = tempfile::tempdir().unwrap();
    let (parts, bytes) = payment(700, 1);
    let address = Symbol::of("HTTPS://EXAMPLE.COM", psbt_tools::qr::Version::new(3).unwrap()).unwrap();
    let frames: Vec<_> = parts.iter().map(|part| beside(part, &address)).collect();
    std::fs::write(folder.path().join("film.y4m"), y4m(&frames, "mono")).unwrap();
    let output = scan(folder.path(), &["--video", "film.y4m", "-o", "read"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(std::fs::read(folder.path().join("read")).unwrap(), bytes);
}

#[test]
fn a_payload_that_was_seen_before_does_not_hinder_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let (before, _) = payment(2_000, 1);
    let (after, bytes) = payment(2_000, 2);
    // Two codes of the one, then the other again and again.
    let after = after.iter().cycle().take(60);
    let frames: Vec<_> = before.iter().take(2).chain(after).map(|symbol| Canvas::of(symbol, 3)).collect();
    std::fs::write(folder.path().join("film.y4m"), y4m(&frames, "mono")).unwrap();
    let output = scan(folder.path(), &["--video", "film.y4m", "-o", "read"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(std::fs::read(folder.path().join("read")).unwrap(), bytes);
}

#[test]
fn any_order_and_any_loss_give_the_same_payload() {
    let folder = tempfile::tempdir().unwrap();
    let (symbols, bytes) = payment(600, 3);
    let canvases: Vec<_> = symbols.iter().map(|symbol| Canvas::of(symbol, 3)).collect();
    let empty = Canvas::new(canvases[0].width, canvases[0].height, 200);
    for seed in 1..=6 {
        let mut random = Random(seed);
        // Each symbol at least once, in any order, among duplicates and frames without any.
        let mut order: Vec<usize> = (0..canvases.len() * 3).map(|at| at % (canvases.len() + 1)).collect();
        order.extend(0..canvases.len());
        (1..order.len()).rev().for_each(|at| order.swap(at, random.below(at + 1)));
        let frames: Vec<_> =
            order.iter().map(|at| canvases.get(*at).cloned().unwrap_or_else(|| empty.clone())).collect();
        std::fs::write(folder.path().join("film.y4m"), y4m(&frames, "mono")).unwrap();
        let out = format!("read{seed}");
        let output = scan(folder.path(), &["--video", "film.y4m", "-o", &out]);
        assert_eq!(output.status.code(), Some(0), "{seed}: {output:?}");
        assert_eq!(std::fs::read(folder.path().join(out)).unwrap(), bytes, "{seed}");
    }
}

#[test]
fn codes_that_carry_nothing_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let symbol = Symbol::of("HTTPS://EXAMPLE.COM", psbt_tools::qr::Version::new(3).unwrap()).unwrap();
    std::fs::write(folder.path().join("a.png"), Canvas::of(&symbol, 4).png()).unwrap();
    let output = scan(folder.path(), &["a.png", "--json"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let message = json(&output)["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("1 codes that are not read here"), "{message}");
}
