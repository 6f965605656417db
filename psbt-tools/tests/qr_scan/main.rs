//! `qr scan`: what was shown is read again, and nothing that is seen harms more than itself.

mod canvas;
mod confined;
mod falls;
mod formats;
mod hostile;
mod missing;
mod pictures;
#[path = "../qr_data/mod.rs"]
mod qr_data;
mod resumed;
mod views;

use psbt_tools::qr::{Format, Frames, Version};
use psbt_tools::show::Symbol;
use qr_data::psbt;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_psbt-tools");

/// Runs `qr scan` in a folder.
fn scan(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(["qr", "scan"]).args(arguments).current_dir(folder).output().unwrap()
}

/// The same with bytes on standard input.
fn scan_input(folder: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(PROGRAM)
        .args(["qr", "scan"])
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may have enough before all is written.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

/// The symbols of a payload, each part once.
fn symbols(format: Format, bytes: &[u8], version: u8) -> Vec<Symbol> {
    let version = Version::new(version).unwrap();
    let frames = Frames::new(format, psbt_tools::qr::Kind::of(bytes), bytes, version).unwrap();
    let count = frames.parts() as u64;
    (0..count).map(|number| Symbol::of(&frames.frame(number), version).unwrap()).collect()
}

/// Symbols of a payment in UR, and the payment.
fn payment(len: usize, seed: u64) -> (Vec<Symbol>, Vec<u8>) {
    let bytes = psbt(len, seed);
    (symbols(Format::Ur, &bytes, 10), bytes)
}
