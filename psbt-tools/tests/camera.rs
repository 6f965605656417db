//! Cameras as the kernel's calls show them. The camera is not there: a library put before this program answers for it, and
//! in most of these tests it lies.

mod camera_device;

use camera_device::{DEVICE, FakeCamera};
use psbt_tools::camera::{Camera, Error, Frame};
use psbt_tools::qr::Version;
use psbt_tools::show::{Codes, Content, Form, Symbol};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a frame is waited for.
const WAIT: Duration = Duration::from_secs(1);

/// How many frames are taken.
const FRAMES: usize = 8;

/// Runs with the fake camera in place, and prints what was seen of it.
#[test]
#[ignore = "started by the other tests, with a camera"]
fn inside() {
    println!("\nbegin");
    let listed = Camera::list(Path::new("/dev"));
    assert!(listed.iter().all(|listed| listed.device != Path::new(DEVICE)), "it is not in the folder");
    match Camera::open(Path::new(DEVICE)) {
        Err(error) => tell(&error),
        Ok(mut camera) => {
            println!("camera {}", camera.name());
            for _ in 0..FRAMES {
                match camera.next(WAIT) {
                    Ok(Some(Frame::Luma { width, height, pixels })) => {
                        assert_eq!(pixels.len(), width * height);
                        println!("luma {width}x{height} {:?}", sum(&pixels));
                    }
                    Ok(Some(Frame::Jpeg(bytes))) => println!("jpeg {} {:?}", bytes.len(), sum(&bytes)),
                    Ok(None) => println!("nothing"),
                    Err(error) => {
                        tell(&error);
                        break;
                    }
                }
            }
        }
    }
    println!("end");
}

fn tell(error: &Error) {
    println!("error: {error}\nhint: {}", error.hint());
}

/// Something that tells frames apart.
fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(7, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)))
}

/// What a program sees of a camera, line by line.
fn seen(camera: &FakeCamera) -> Vec<String> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "inside", "--ignored", "--nocapture", "--test-threads=1"]);
    let output = camera.plug_in(&mut command).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let begin = lines.iter().position(|line| line == "begin").unwrap();
    let end = lines.iter().position(|line| line == "end");
    let end = end.unwrap_or_else(|| panic!("{text}\n{}", String::from_utf8_lossy(&output.stderr)));
    assert!(output.status.success(), "{text}");
    lines[begin + 1..end].to_vec()
}

/// Frames of brightness that differ from one another.
fn frames(width: usize, height: usize) -> Vec<Vec<u8>> {
    (1..=3).map(|seed| (0..width * height).map(|at| (at * seed % 251) as u8).collect()).collect()
}

/// What a camera of 640 x 480 gives whose frames arrive as they are.
fn all(offers: &'static str, gap: u32, lie: &'static str) -> Option<()> {
    let shown = frames(640, 480);
    let mut camera = FakeCamera::new(offers, &shown)?;
    (camera.gap, camera.lie) = (gap, lie);
    let seen = seen(&camera);
    assert_eq!(seen[0], "camera Fake camera", "{seen:?}");
    for (at, line) in seen[1..].iter().enumerate() {
        assert_eq!(*line, format!("luma 640x480 {:?}", sum(&shown[at % 3])), "{offers} {gap} {lie}");
    }
    assert_eq!(seen.len(), FRAMES + 1);
    assert_eq!(camera.log(), "on\noff\n");
    Some(())
}

/// What is said of a camera that lies.
fn lied(lie: &'static str) -> Option<Vec<String>> {
    let mut camera = FakeCamera::new("YUYV:640x480@30", &frames(640, 480))?;
    camera.lie = lie;
    Some(seen(&camera))
}

#[test]
fn brightness_arrives_as_it_was_in_every_format_and_with_gaps() {
    for offers in ["GREY:640x480@30", "NV12:640x480@30", "YU12:640x480@30", "YUYV:640x480@30"] {
        for gap in [0, 1, 64] {
            if all(offers, gap, "").is_none() {
                return;
            }
        }
    }
    for (offers, lie) in [
        ("GREY:640x480@30", "sizes untold"),
        ("YUYV:640x480@30", "no time"),
        ("YUYV:640x480@30", "huge frames"),
    ] {
        all(offers, 0, lie);
    }
}

#[test]
fn jpeg_is_handed_on_untouched_and_taken_only_where_it_is_better() {
    let shown: Vec<Vec<u8>> = (1..=3_u8).map(|seed| vec![seed; 1_000 * usize::from(seed)]).collect();
    let offers = "YUYV:640x480@30,YUYV:1280x720@10,MJPG:1280x720@30";
    let Some(camera) = FakeCamera::new(offers, &shown) else { return };
    let seen = seen(&camera);
    for (at, line) in seen[1..].iter().enumerate() {
        let bytes = &shown[at % 3];
        assert_eq!(*line, format!("jpeg {} {:?}", bytes.len(), sum(bytes)));
    }
    assert_eq!(seen.len(), FRAMES + 1);
}

#[test]
fn a_size_is_chosen_from_a_range() {
    let Some(mut camera) = FakeCamera::new("GREY:1280x720@30", &frames(1_280, 720)) else { return };
    camera.lie = "a range";
    assert!(seen(&camera)[1].starts_with("luma 1280x720 "));
}

#[test]
fn a_camera_that_cannot_be_had_says_why_and_what_helps() {
    for (lie, error, hint) in [
        ("denied", "no permission to open /dev/video77", "as root: usermod -aG video YOU"),
        ("busy", "/dev/video77 is used by another program", "`fuser -v /dev/video77` names it"),
        ("busy at once", "/dev/video77 is used by another program", "end that program"),
        ("metadata", "/dev/video77 captures no video", ""),
    ] {
        let Some(seen) = lied(lie) else { return };
        assert_eq!(seen[0], format!("error: {error}"), "{lie}");
        assert!(seen[1].contains(hint), "{lie}: {}", seen[1]);
    }
    let Some(camera) = FakeCamera::new("RG10:640x480@30,Y16 :640x480@30", &[]) else { return };
    assert_eq!(seen(&camera)[0], "error: /dev/video77 offers no format that is read here: RG10, Y16");
}

#[test]
fn a_camera_that_is_unplugged_in_between_is_told_at_once() {
    let begun = Instant::now();
    let Some(seen) = lied("unplugged") else { return };
    assert_eq!(seen[4], "error: /dev/video77 was unplugged", "{seen:?}");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

/// What is said of a camera that never gives a frame.
fn fruitless(lie: &'static str) {
    let Some(mut camera) = FakeCamera::new("YUYV:640x480@30", &frames(640, 480)) else { return };
    camera.lie = lie;
    let seen = seen(&camera);
    // Each waits for a second.
    assert_eq!(seen[1..].iter().filter(|line| *line == "nothing").count(), 4, "{lie}: {seen:?}");
    assert_eq!(seen[5], "error: no frame from /dev/video77 for 5 seconds", "{lie}");
    assert_eq!(camera.log(), "on\noff\n");
}

#[test]
fn a_camera_that_gives_nothing_is_given_up() {
    fruitless("silent");
}

#[test]
fn a_camera_whose_frames_are_never_whole_is_given_up() {
    fruitless("half frames");
}

#[test]
fn a_camera_whose_frames_are_all_broken_is_given_up() {
    fruitless("all are broken");
}

#[test]
fn frames_that_the_device_calls_broken_are_passed_over() {
    let shown = frames(640, 480);
    let Some(seen) = lied("every second is broken") else { return };
    assert_eq!(seen.len(), FRAMES + 1);
    for line in &seen[1..] {
        assert!(shown.iter().any(|frame| *line == format!("luma 640x480 {:?}", sum(frame))));
    }
}

#[test]
fn claims_that_cannot_be_are_refused_before_anything_is_made_of_them() {
    for (lie, what) in [
        ("short rows", "rows of 320 bytes for 640 pixels"),
        ("endless rows", "rows of 4294967295 bytes for 640 pixels"),
        ("endless frame", "frames of 640 x 4294967295 pixels"),
        ("no frame", "frames of 0 x 480 pixels"),
        ("another format", "another format than it was asked for"),
        ("no buffers", "0 buffers"),
        ("endless buffers", "4294967295 buffers"),
        ("small buffers", "a buffer of 16 bytes for frames of 614400"),
        ("endless buffer", "a buffer of 4294967295 bytes for frames of 614400"),
    ] {
        let Some(seen) = lied(lie) else { return };
        assert_eq!(
            seen,
            [format!("error: /dev/video77 answers nonsense: {what}"), "hint: take another camera".to_owned()]
        );
    }
    let Some(seen) = lied("foreign buffer") else { return };
    assert_eq!(seen[1], "error: /dev/video77 answers nonsense: buffer 99 of 3");
    let Some(seen) = lied("stopped") else { return };
    assert!(seen[4..8].iter().all(|line| line == "nothing"), "{seen:?}");
    assert_eq!(seen[8], "error: no frame from /dev/video77 for 5 seconds");
    // Lists without an end are cut.
    let begun = Instant::now();
    assert!(lied("endless lists").is_some());
    assert!(begun.elapsed() < Duration::from_secs(5));
    let Some(seen) = lied("name") else { return };
    assert_eq!(seen[0], "camera \\u{1b}[2J0123456789012345678901234567");
}

#[test]
fn a_camera_that_is_not_there_is_told() {
    let error = Camera::open(Path::new(DEVICE)).unwrap_err();
    assert!(matches!(error, Error::Missing { .. }), "{error}");
}

/// A payload that needs several codes, and what a camera sees of them.
fn shown(width: usize, height: usize) -> (Vec<u8>, Vec<Vec<u8>>) {
    let bytes: Vec<u8> = (0..900_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let content = Content::of(bytes.clone()).unwrap();
    let codes = Codes::new(&content, Form::Ur, Version::new(8).unwrap()).unwrap();
    assert!(codes.parts() > 4);
    let seen = |code: &Symbol| {
        let scale = height / (code.side() + 12);
        let (left, above) = ((width - code.side() * scale) / 2, (height - code.side() * scale) / 2);
        let dark = |x: usize, y: usize| {
            x >= left && y >= above && code.is_dark((x - left) / scale, (y - above) / scale, 0)
        };
        (0..height).flat_map(|y| (0..width).map(move |x| if dark(x, y) { 40 } else { 210 })).collect()
    };
    (bytes, codes.series().map(|code| seen(&code.unwrap())).collect())
}

/// What `qr scan` makes of a camera: exit code and JSON.
fn scanned(camera: &FakeCamera, folder: &Path) -> (Option<i32>, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_psbt-tools"));
    command.args(["qr", "scan", "--camera", DEVICE, "--resume", "scan", "-o", "out", "--json"]);
    camera.plug_in(command.current_dir(folder)).stdout(Stdio::piped()).stderr(Stdio::null());
    let (mut child, begun) = (command.spawn().unwrap(), Instant::now());
    // A camera has no end: what cannot be read would be looked at for ever.
    while child.try_wait().unwrap().is_none() && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    let output = child.wait_with_output().unwrap();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default())
}

#[test]
fn a_scan_goes_on_when_its_camera_is_plugged_in_again() {
    let (bytes, frames) = shown(640, 480);
    let Some(mut camera) = FakeCamera::new("NV12:640x480@30", &frames) else { return };
    let folder = tempfile::tempdir().unwrap();
    camera.lie = "unplugged";
    let (exit, json) = scanned(&camera, folder.path());
    assert_eq!((exit, &json["error"]["code"]), (Some(1), &"camera".into()), "{json}");
    assert!(folder.path().join("scan").exists(), "what was read is kept");
    camera.lie = "";
    let (exit, json) = scanned(&camera, folder.path());
    assert_eq!((exit, &json["format"]), (Some(0), &"ur".into()), "{json}");
    assert_eq!(std::fs::read(folder.path().join("out")).unwrap(), bytes);
}

#[test]
fn pictures_of_a_camera_that_leave_their_tables_out_are_read() {
    let (bytes, frames) = shown(1_280, 720);
    let jpeg = |frame: &Vec<u8>| {
        let mut jpeg = Vec::new();
        let encoder = jpeg_encoder::Encoder::new(&mut jpeg, 80);
        encoder.encode(frame, 1_280, 720, jpeg_encoder::ColorType::Luma).unwrap();
        without_tables(&jpeg)
    };
    let jpegs: Vec<Vec<u8>> = frames.iter().map(jpeg).collect();
    let Some(camera) = FakeCamera::new("YUYV:1280x720@10,MJPG:1280x720@30", &jpegs) else { return };
    let folder = tempfile::tempdir().unwrap();
    let (exit, json) = scanned(&camera, folder.path());
    assert_eq!(exit, Some(0), "{json}");
    assert_eq!(std::fs::read(folder.path().join("out")).unwrap(), bytes);
}

/// A JPEG without its Huffman tables, as many cameras make it: everybody knows them.
fn without_tables(jpeg: &[u8]) -> Vec<u8> {
    let (mut out, mut at) = (jpeg[..2].to_vec(), 2);
    // Segments: a mark of two bytes, and their length without it. The picture itself begins after SOS.
    loop {
        let len = 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
        match jpeg[at + 1] {
            0xc4 => {}
            0xda => {
                out.extend(&jpeg[at..]);
                assert!(out.len() < jpeg.len(), "there were tables");
                return out;
            }
            _ => out.extend(&jpeg[at..at + len]),
        }
        at += len;
    }
}
