//! Trees that change under the reader's hands.

use crate::ground::{Act, Ground, Outcome, PSBT, act, patience};
use crate::table::Table;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

const ROUNDS: usize = 400;

/// Reads again and again while another thread swaps, and collects what was got; every end must be one of these.
fn race(
    table: &mut Table,
    what: &str,
    todo: &Act<'_>,
    ends: &[&str],
    swap: impl Fn(&Path, &Path, usize) + Sync,
) {
    let ground = Ground::new();
    ground.write("x.psbt", PSBT);
    let (stick, secret) = (ground.stick(), ground.secret());
    let stop = AtomicBool::new(false);
    let mut outcome = Outcome { word: "held".to_owned(), got: Vec::new() };
    let mut seen = std::collections::BTreeSet::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut round = 0;
            while !stop.load(Ordering::Relaxed) {
                swap(&stick, &secret, round);
                round += 1;
            }
        });
        for _ in 0..ROUNDS {
            let mut end = act(&stick, todo, &patience(10.0));
            if !ends.contains(&end.word.as_str()) {
                outcome.word = format!("{} is no end of it", end.word);
            }
            seen.insert(end.word);
            outcome.got.append(&mut end.got);
        }
        stop.store(true, Ordering::Relaxed);
    });
    eprintln!("{what}: {seen:?}");
    table.judge(what, "held", outcome);
}

/// Puts something in the place of the file without a moment between.
fn replace(stick: &Path, make: impl Fn(&Path)) {
    let beside = stick.join(".beside");
    make(&beside);
    // A folder and a file do not replace each other.
    if std::fs::rename(&beside, stick.join("x.psbt")).is_err() {
        let _ = std::fs::remove_file(&beside);
    }
}

pub fn swapped(table: &mut Table) {
    let ends = ["psbt absent", "symlink", "changed-while-read", "unreadable NotFound", "not-a-file"];
    let act = Act::TakeNamed("x.psbt");
    race(table, "a file and a link to the secret", &act, &ends, |stick, secret, round| {
        replace(stick, |beside| match round % 2 {
            0 => symlink(secret, beside).unwrap(),
            _ => std::fs::write(beside, PSBT).unwrap(),
        });
    });
    race(table, "a file and a pipe", &act, &ends, |stick, _, round| {
        replace(stick, |beside| match round % 2 {
            0 => {
                let mode = rustix::fs::Mode::from_raw_mode(0o600);
                rustix::fs::mknodat(rustix::fs::CWD, beside, rustix::fs::FileType::Fifo, mode, 0).unwrap();
            }
            _ => std::fs::write(beside, PSBT).unwrap(),
        });
    });
    let ends = ["psbt absent", "broken-psbt absent", "empty absent", "changed-while-read"];
    race(table, "a file that is written all the while", &act, &ends, |stick, _, round| {
        let mut longer = PSBT.to_vec();
        longer.resize(PSBT.len() + round % 5, 0);
        // Written in place, so that a reader may find it empty or in parts.
        let _ = std::fs::write(stick.join("x.psbt"), if round % 3 == 0 { PSBT } else { &longer });
    });
    let ends = ["psbt absent", "symlink", "changed-while-read", "unreadable NotFound", "not listed"];
    race(
        table,
        "a file and a link while it is listed",
        &Act::List(b"x.psbt"),
        &ends,
        |stick, secret, round| {
            replace(stick, |beside| match round % 2 {
                0 => symlink(secret, beside).unwrap(),
                _ => std::fs::write(beside, PSBT).unwrap(),
            });
        },
    );
}
