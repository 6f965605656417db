//! `qr scan`: pictures become the file again, and no picture harms more than itself.

mod qr_data;

use qr_data::{noise, psbt};
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_psbt-tools"));
    command.arg("qr").args(arguments).current_dir(folder).output().unwrap()
}

/// A folder with a payment, and its pictures under `out`.
fn shown(len: usize, seed: u64, arguments: &[&str]) -> (tempfile::TempDir, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let bytes = psbt(len, seed);
    std::fs::write(folder.path().join("payment.psbt"), &bytes).unwrap();
    let output = run(folder.path(), &[&["show", "payment.psbt", "--version", "15"], arguments].concat());
    assert!(output.status.success(), "{output:?}");
    (folder, bytes)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn what_was_shown_is_read_again() {
    for (pictures, integrity) in [
        (["--png", "out", "--format", "ur"], "check sum right"),
        (["--gif", "out", "--format", "ur"], "check sum right"),
        (["--png", "out", "--format", "bbqr"], "no check sum; parts were seen once: compare the words"),
    ] {
        let (folder, bytes) = shown(3_000, 1, &pictures);
        let output = run(folder.path(), &["scan", "out", "-o", "read.psbt", "--json"]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let about: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&about["kind"], &about["integrity"]), (&"psbt".into(), &integrity.into()));
        assert_eq!(std::fs::read(folder.path().join("read.psbt")).unwrap(), bytes);
    }
}

#[test]
fn missing_parts_are_said_and_nothing_is_written() {
    let (folder, _) = shown(3_000, 1, &["--png", "out"]);
    let output = run(folder.path(), &["scan", "out/0001.png", "out/0002.png", "-o", "read.psbt"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(text(&output.stderr).contains("2 of "), "{output:?}");
    assert!(!folder.path().join("read.psbt").exists());
}

#[test]
fn two_payloads_are_not_mixed() {
    let (folder, _) = shown(1_000, 1, &["--png", "out"]);
    let (other, _) = shown(1_000, 2, &["--png", "out"]);
    let other = other.path().join("out").to_string_lossy().into_owned();
    let output = run(folder.path(), &["scan", "out", &other, "-o", "read.psbt"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("several payloads"), "{output:?}");
}

#[test]
fn a_hostile_picture_costs_itself_only() {
    let (folder, bytes) = shown(2_000, 1, &["--png", "out"]);
    let good = std::fs::read(folder.path().join("out/0001.png")).unwrap();
    let mut large = Vec::new();
    let mut encoder = png::Encoder::new(&mut large, 30_000, 30_000);
    encoder.set_color(png::ColorType::Grayscale);
    drop(encoder.write_header().unwrap());
    for (name, picture) in [
        ("0-empty.png", Vec::new()),
        ("0-noise.png", noise(10_000, 1)),
        ("0-cut.png", good[..good.len() / 2].to_vec()),
        ("0-large.png", large),
        ("0-zero.gif", b"GIF89a\0\0\0\0\0\0\0;".to_vec()),
        ("0-wide.gif", b"GIF89a\xff\xff\xff\xff\0\0\0;".to_vec()),
    ] {
        std::fs::write(folder.path().join("out").join(name), picture).unwrap();
    }
    let output = run(folder.path(), &["scan", "out", "-o", "read.psbt", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let about: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(about["lost"], 6, "{output:?}");
    assert_eq!(std::fs::read(folder.path().join("read.psbt")).unwrap(), bytes);
}

#[test]
fn pictures_without_a_payload_are_refused() {
    let (folder, _) = shown(300, 1, &["--gif", "out.gif"]);
    std::fs::write(folder.path().join("noise.gif"), noise(100, 2)).unwrap();
    let output = run(folder.path(), &["scan", "noise.gif"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("no payload in 0 frames of 1 pictures"), "{output:?}");
    assert_eq!(run(folder.path(), &["scan", "missing.png"]).status.code(), Some(1));
}

#[test]
fn the_decoder_can_open_nothing_and_has_little_memory() {
    let mut decoder = Command::new(env!("CARGO_BIN_EXE_psbt-tools"))
        .arg("decode-picture")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let of =
        |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", decoder.id())).unwrap_or_default();
    let limit = |name: &str| {
        let limits = of("limits");
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    let begun = std::time::Instant::now();
    // The last control that is switched on.
    while !of("status").contains("NoNewPrivs:\t1") {
        assert!(begun.elapsed().as_secs() < 20);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    for (name, most) in [
        ("Max open files", "0"),
        ("Max file size", "0"),
        ("Max core file size", "0"),
        ("Max address space", "268435456"),
        ("Max cpu time", "60"),
    ] {
        assert_eq!(limit(name), [most, most], "{name}");
    }
    drop(decoder.stdin.take());
    assert_eq!(decoder.wait().unwrap().code(), Some(1));
}
