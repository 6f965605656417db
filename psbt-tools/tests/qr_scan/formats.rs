//! Each kind of picture and video.

use super::canvas::{Canvas, y4m};
use super::{PROGRAM, qr_data::psbt};
use super::{json, payment, scan, scan_input, text};
use std::process::Command;

fn canvases(len: usize) -> (Vec<Canvas>, Vec<u8>) {
    let (symbols, bytes) = payment(len, 1);
    (symbols.iter().map(|symbol| Canvas::of(symbol, 4)).collect(), bytes)
}

/// Scans pictures; what was read.
fn read(pictures: &[Vec<u8>]) -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("in")).unwrap();
    for (number, picture) in pictures.iter().enumerate() {
        // The name tells nothing.
        std::fs::write(folder.path().join(format!("in/{number:03}.picture")), picture).unwrap();
    }
    let output = scan(folder.path(), &["in", "-o", "read.psbt"]);
    let read = std::fs::read(folder.path().join("read.psbt")).ok();
    assert_eq!(output.status.success(), read.is_some(), "{output:?}");
    read
}

#[test]
fn what_was_shown_is_read_again() {
    for (pictures, integrity) in [
        (["--png", "out", "--format", "ur"], "check sum right"),
        (["--gif", "out", "--format", "ur"], "check sum right"),
        (["--png", "out", "--format", "bbqr"], "no check sum; parts were seen once: compare the words"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let bytes = psbt(3_000, 1);
        std::fs::write(folder.path().join("payment.psbt"), &bytes).unwrap();
        let mut show = Command::new(PROGRAM);
        show.args(["qr", "show", "payment.psbt", "--version", "15"]).args(pictures);
        assert!(show.current_dir(folder.path()).status().unwrap().success());
        let output = scan(folder.path(), &["out", "-o", "read.psbt", "--json"]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let about = json(&output);
        assert_eq!((&about["kind"], &about["integrity"]), (&"psbt".into(), &integrity.into()));
        assert_eq!(std::fs::read(folder.path().join("read.psbt")).unwrap(), bytes);
    }
}

#[test]
fn jpeg_is_read_plain_and_progressive_and_of_poor_quality() {
    let (canvases, bytes) = canvases(700);
    for (quality, is_progressive) in [(90, false), (40, false), (75, true)] {
        let pictures: Vec<_> = canvases.iter().map(|canvas| canvas.jpeg(quality, is_progressive)).collect();
        assert_eq!(read(&pictures).unwrap(), bytes, "{quality} {is_progressive}");
    }
}

#[test]
fn jpeg_of_one_channel_and_of_four_is_read() {
    let (canvases, bytes) = canvases(400);
    for colours in [jpeg_encoder::ColorType::Luma, jpeg_encoder::ColorType::Cmyk] {
        let channels = if colours == jpeg_encoder::ColorType::Luma { 1 } else { 4 };
        let encoded = |canvas: &Canvas| {
            let mut bytes = Vec::new();
            let of = |pixel: &u8| if channels == 1 { vec![*pixel] } else { vec![0, 0, 0, 255 - *pixel] };
            let data: Vec<u8> = canvas.pixels.iter().flat_map(of).collect();
            let encoder = jpeg_encoder::Encoder::new(&mut bytes, 90);
            encoder.encode(&data, canvas.width as u16, canvas.height as u16, colours).unwrap();
            bytes
        };
        let pictures: Vec<_> = canvases.iter().map(encoded).collect();
        assert_eq!(read(&pictures).unwrap(), bytes, "{channels} channels");
    }
}

#[test]
fn colours_and_transparency_are_read_as_they_are_seen() {
    let (canvases, bytes) = canvases(400);
    type Samples = fn(u8) -> Vec<u8>;
    let kinds: [(png::ColorType, Samples); 4] = [
        // Dark blue on yellow.
        (png::ColorType::Rgb, |pixel| if pixel == 0 { vec![20, 20, 120] } else { vec![250, 230, 80] }),
        // Black on nothing.
        (png::ColorType::Rgba, |pixel| vec![0, 0, 0, 255 - pixel]),
        (png::ColorType::GrayscaleAlpha, |pixel| vec![0, 255 - pixel]),
        // White on black.
        (png::ColorType::Grayscale, |pixel| vec![255 - pixel]),
    ];
    for (colours, samples) in kinds {
        let pictures: Vec<_> = canvases.iter().map(|canvas| canvas.png_of(colours, samples)).collect();
        assert_eq!(read(&pictures).unwrap(), bytes, "{colours:?}");
    }
}

#[test]
fn codes_are_read_inverted_mirrored_turned_and_tilted() {
    let (canvases, bytes) = canvases(400);
    type Change = fn(&Canvas) -> Canvas;
    let changes: [(&str, Change); 9] = [
        ("light on dark", |canvas| canvas.clone().map(|pixel| 255 - pixel)),
        ("mirrored", Canvas::mirrored),
        ("mirrored, light on dark", |canvas| canvas.mirrored().map(|pixel| 255 - pixel)),
        ("a quarter", |canvas| canvas.turned(1)),
        ("half", |canvas| canvas.turned(2)),
        ("three quarters", |canvas| canvas.turned(3)),
        ("17 degrees", |canvas| canvas.tilted(17.0)),
        ("45 degrees", |canvas| canvas.tilted(45.0)),
        ("little contrast", |canvas| canvas.clone().map(|pixel| 100 + pixel / 4)),
    ];
    for (name, change) in changes {
        let pictures: Vec<_> = canvases.iter().map(|canvas| change(canvas).png()).collect();
        assert_eq!(read(&pictures), Some(bytes.clone()), "{name}");
    }
}

#[test]
fn videos_are_read_whatever_their_colours() {
    let (canvases, bytes) = canvases(900);
    let folder = tempfile::tempdir().unwrap();
    for colours in ["420jpeg", "422", "444", "mono"] {
        std::fs::write(folder.path().join("video.y4m"), y4m(&canvases, colours)).unwrap();
        let output = scan(folder.path(), &["--video", "video.y4m", "-o", colours, "--json"]);
        assert_eq!(output.status.code(), Some(0), "{colours} {output:?}");
        assert_eq!(std::fs::read(folder.path().join(colours)).unwrap(), bytes, "{colours}");
        assert_eq!(json(&output)["pictures"], 0);
    }
}

#[test]
fn a_video_comes_by_pipe_as_well_and_need_not_end() {
    let (canvases, bytes) = canvases(900);
    let folder = tempfile::tempdir().unwrap();
    let mut video = y4m(&canvases, "420jpeg");
    // A camera's program goes on; a reader that has enough does not wait for it.
    video.extend([b"FRAME\n".to_vec(), vec![255; 1_000]].concat());
    let output = scan_input(folder.path(), &["--video", "-", "-o", "read"], &video);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(std::fs::read(folder.path().join("read")).unwrap(), bytes);
}

#[test]
fn raw_brightness_is_read_in_frames_of_the_size_that_is_named() {
    let (canvases, bytes) = canvases(900);
    let folder = tempfile::tempdir().unwrap();
    let raw: Vec<u8> = canvases.iter().flat_map(|canvas| canvas.pixels.clone()).collect();
    let size = format!("{}x{}", canvases[0].width, canvases[0].height);
    let output = scan_input(folder.path(), &["--video", "-", "--raw", &size, "-o", "read"], &raw);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(std::fs::read(folder.path().join("read")).unwrap(), bytes);
    let output = scan_input(folder.path(), &["--video", "-", "--raw", "0x4"], &[]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn one_source_is_named_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in
        [&[][..], &["a.png", "--video", "b"], &["--camera", "/dev/null", "--video", "b"], &["--raw", "1x1"]]
    {
        assert_eq!(scan(folder.path(), arguments).status.code(), Some(2), "{arguments:?}");
    }
    let missing = scan(folder.path(), &["--video", "missing"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains("hint: check the file's name"), "{missing:?}");
    let camera = scan(folder.path(), &["--camera", "/dev/null", "--json"]);
    assert_eq!((camera.status.code(), &json(&camera)["error"]["code"]), (Some(1), &"camera".into()));
}
