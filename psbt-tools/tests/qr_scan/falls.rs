//! Frames that make the child fall: each costs itself, and the scan goes on behind it.

use super::canvas::{Canvas, y4m};
use super::{PROGRAM, json, payment, scan, text};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// Enough finder patterns for minutes, and few pixels, so that honest frames are read in time without optimisation.
const SIDES: (usize, usize) = (500, 400);

/// Nothing but finder patterns: every three of them may be a code.
fn endless() -> Canvas {
    let (width, height) = SIDES;
    let mut canvas = Canvas::new(width, height, 255);
    for y in 0..height {
        for x in 0..width {
            let (column, row) = (x % 9, y % 9);
            let ring = column.max(row) < 7 && (column == 0 || column == 6 || row == 0 || row == 6);
            let centre = (2..=4).contains(&column) && (2..=4).contains(&row);
            if ring || centre {
                canvas.pixels[y * width + x] = 0;
            }
        }
    }
    canvas
}

/// The frames of a payment, and before them one that takes too long.
fn frames() -> (Vec<Canvas>, Vec<u8>) {
    let (symbols, bytes) = payment(450, 1);
    let mut frames: Vec<_> = symbols
        .iter()
        .map(|symbol| {
            let mut canvas = Canvas::new(SIDES.0, SIDES.1, 220);
            canvas.put(symbol, 100, 100, 4);
            canvas
        })
        .collect();
    frames.insert(0, endless());
    (frames, bytes)
}

/// A film as GIF.
fn gif(frames: &[Canvas]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let grey: Vec<u8> = (0..=255).flat_map(|grey| [grey; 3]).collect();
    let mut encoder = gif::Encoder::new(&mut bytes, SIDES.0 as u16, SIDES.1 as u16, &grey).unwrap();
    for frame in frames {
        let (width, height) = (SIDES.0 as u16, SIDES.1 as u16);
        encoder
            .write_frame(&gif::Frame::from_indexed_pixels(width, height, frame.pixels.clone(), None))
            .unwrap();
    }
    drop(encoder);
    bytes
}

#[test]
fn a_frame_that_takes_too_long_is_left_out_of_pictures_films_and_videos() {
    let (frames, bytes) = frames();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("pictures")).unwrap();
    for (number, frame) in frames.iter().enumerate() {
        std::fs::write(folder.path().join(format!("pictures/{number}")), frame.png()).unwrap();
    }
    std::fs::write(folder.path().join("film.gif"), gif(&frames)).unwrap();
    std::fs::write(folder.path().join("video.y4m"), y4m(&frames, "mono")).unwrap();
    for (name, arguments) in [
        ("pictures/0", &["pictures"][..]),
        ("film.gif", &["film.gif"]),
        ("video.y4m", &["--video", "video.y4m"]),
    ] {
        let output = scan(folder.path(), &[arguments, &["-o", "read", "--json"]].concat());
        assert_eq!(output.status.code(), Some(0), "{name}: {output:?}");
        let note =
            format!("note: {name}: deadline: a frame took longer than 2 seconds; going on without it\n");
        assert_eq!(text(&output.stderr), note);
        let about = json(&output);
        assert_eq!((&about["lost"], &about["frames"]), (&1.into(), &(frames.len() - 1).into()));
        assert_eq!(std::fs::read(folder.path().join("read")).unwrap(), bytes, "{name}");
        std::fs::remove_file(folder.path().join("read")).unwrap();
    }
}

#[test]
fn a_film_of_nothing_else_is_given_up_after_two_frames() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("film.gif"), gif(&vec![endless(); 12])).unwrap();
    let output = scan(folder.path(), &["film.gif", "--json"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let error = &json(&output)["error"];
    assert_eq!(error["code"], "malformed");
    assert!(error["message"].as_str().unwrap().starts_with("no payload in 0 frames"), "{error}");
    assert_eq!(text(&output.stderr).matches("note: film.gif: deadline: ").count(), 2);
}

/// A bent symbol from random trials, over which `rqrr` 0.11 panics.
const FELLS_RQRR: &[u8] = include_bytes!("fells-rqrr.png");

#[test]
fn a_picture_over_which_a_decoder_panics_costs_itself_only() {
    let folder = tempfile::tempdir().unwrap();
    let (symbols, bytes) = payment(450, 1);
    for (number, symbol) in symbols.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{number}b")), Canvas::of(symbol, 3).png()).unwrap();
    }
    // Before, in their midst, and as often as may be.
    for name in ["0a", "1a", "1c", "2a", "9a", "9b", "9c", "9d"] {
        std::fs::write(folder.path().join(name), FELLS_RQRR).unwrap();
    }
    let output = scan(folder.path(), &[".", "-o", "read", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(std::fs::read(folder.path().join("read")).unwrap(), bytes);
    assert_eq!(json(&output)["lost"], 8);
    assert!(text(&output.stderr).contains("note: ./0a: crash: the decoder gave up on it"), "{output:?}");
    std::fs::write(folder.path().join("00"), FELLS_RQRR).unwrap();
    let output = scan(folder.path(), &[".", "--json"]);
    assert_eq!((output.status.code(), &json(&output)["error"]["code"]), (Some(3), &"crash".into()));
}

#[test]
fn pictures_of_which_not_all_were_looked_at_give_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("0.png"), Canvas::of(&payment(60, 1).0[0], 4).png()).unwrap();
    for number in 1..6 {
        std::fs::write(folder.path().join(format!("{number}.png")), endless().png()).unwrap();
    }
    let mut command = Command::new(PROGRAM);
    command.args(["qr", "scan", ".", "-o", "read", "--resume", "kept", "--json"]).current_dir(folder.path());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The first is whole by then, and the next takes two seconds.
    let mut note = String::new();
    BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut note).unwrap();
    assert!(note.contains("1.png: deadline"), "{note}");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    let error = &json(&output)["error"];
    assert_eq!(error["code"], "interrupted");
    assert!(error["message"].as_str().unwrap().contains("not all pictures were looked at"), "{error}");
    assert!(!folder.path().join("read").exists() && !folder.path().join("kept").exists());
}
