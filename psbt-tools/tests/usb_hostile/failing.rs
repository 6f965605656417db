//! Sticks that fail, lie or fall silent.

use crate::ground::{Act, PSBT, act, patience};
use crate::stick::{Fault, Mounted};
use crate::table::Table;
use std::ffi::OsString;

/// How long a silent stick is waited for here, in seconds.
const PATIENCE: f32 = 0.7;

fn run(table: &mut Table, what: &str, fault: Fault, todo: Act<'_>, expected: &str) -> Vec<OsString> {
    let held = [("x.psbt", PSBT)];
    let files: &[(&str, &[u8])] = match todo {
        Act::Put(_) | Act::Output(_) => &[],
        _ => &held,
    };
    let mounted = match Mounted::new(fault, files) {
        Ok(mounted) => mounted,
        Err(error) => {
            table.skip(what, format!("no file system in user space here ({error})"));
            return Vec::new();
        }
    };
    let begun = std::time::Instant::now();
    let outcome = act(mounted.path(), &todo, &patience(PATIENCE));
    assert!(begun.elapsed().as_secs() < 10, "{what}: {:?}", begun.elapsed());
    let written = outcome.word == "written";
    table.judge(what, expected, outcome);
    let left = mounted.files();
    if written {
        assert!(left.iter().all(|(name, bytes)| name != "y.psbt" || bytes == PSBT), "{what}");
    }
    left.into_iter().map(|(name, _)| name).filter(|name| name != "x.psbt").collect()
}

pub fn reading(table: &mut Table) {
    let listed = Act::List(b"x.psbt");
    let read =
        |what: &str, fault, todo, expected, table: &mut Table| drop(run(table, what, fault, todo, expected));
    read("an honest stick", Fault::None, listed, "psbt absent", table);
    for (what, fault, expected) in [
        ("a file that cannot be read", Fault::ReadError(0), "unreadable EIO"),
        ("a file that grows while it is read", Fault::Grows, "changed-while-read"),
        ("a file that is touched while it is read", Fault::Touched, "changed-while-read"),
        ("another file each time", Fault::Swapped, "changed-while-read"),
        ("a file shorter than it says", Fault::Short, "changed-while-read"),
        ("a file longer than it says", Fault::Long, "changed-while-read"),
        ("a file that drips", Fault::Drip, "deadline"),
    ] {
        read(what, fault, Act::TakeNamed("x.psbt"), expected, table);
        read(&format!("{what}, typed"), fault, Act::Typed("x.psbt"), expected, table);
    }
    let turns = Fault::TurnsLink;
    read("a file that turns into a link", turns, Act::TakeNamed("x.psbt"), "changed-while-read", table);
    for (what, fault, expected) in [
        ("a stick that is pulled", Fault::Pulled, "unreadable EIO"),
        ("a list that breaks off", Fault::ListError, "unreadable EIO"),
        ("a list without an end", Fault::EndlessList, "too-many-entries 0/1000"),
        ("a name with a slash", Fault::SlashName, "unreadable EIO"),
        ("names that nothing answers to", Fault::GhostNames, "complete 1/50"),
    ] {
        read(what, fault, Act::ListAll, expected, table);
    }
}

pub fn hanging(table: &mut Table) {
    for (what, fault, todo) in [
        ("a stick that hangs while it is listed", Fault::HangList, Act::ListAll),
        ("a stick that hangs while a file is opened", Fault::HangOpen, Act::TakeNamed("x.psbt")),
        ("a stick that hangs while a file is read", Fault::HangRead, Act::TakeNamed("x.psbt")),
        ("a stick that hangs while its files are looked at", Fault::HangRead, Act::ListAll),
        ("a stick that hangs while a typed path is read", Fault::HangRead, Act::Typed("x.psbt")),
        ("a stick that hangs while it is written", Fault::HangWrite, Act::Put(b"y.psbt")),
        ("a stick that hangs while it is synced", Fault::HangSync, Act::Put(b"y.psbt")),
    ] {
        run(table, what, fault, todo, "deadline");
    }
}

pub fn writing(table: &mut Table) {
    for (what, fault, expected, left) in [
        ("an honest stick without links", Fault::None, "written", &["y.psbt", "y.psbt.sha256"][..]),
        ("an honest stick that renames", Fault::Renames, "written", &["y.psbt", "y.psbt.sha256"]),
        ("a stick that turns bits", Fault::BitRot, "reads-back-different", &[]),
        ("a stick that is smaller than it says", Fault::FakeSize, "reads-back-different", &[]),
        ("a full stick", Fault::Full(10), "unwritable StorageFull", &[]),
        ("no room for the sidecar", Fault::Full(50), "unwritable StorageFull", &[]),
        ("a stick that cannot be written", Fault::WriteError, "unwritable EIO", &[]),
        ("a stick that cannot be synced", Fault::SyncError, "unwritable EIO", &[]),
        ("a protected stick", Fault::ReadOnly, "unwritable ReadOnlyFilesystem", &[]),
        ("a stick that is pulled at once", Fault::Pulled, "unreadable EIO", &[]),
    ] {
        let found = run(table, what, fault, Act::Put(b"y.psbt"), expected);
        if !table.skipped.iter().any(|skipped| skipped.starts_with(what)) && found != left {
            table.wrong.push(format!("{what}: {found:?} is left"));
        }
    }
    // Nothing can be removed any more: what is there has no whole sidecar.
    let left = run(
        table,
        "a stick that is pulled before the sidecar",
        Fault::PulledAtSidecar,
        Act::Put(b"y.psbt"),
        "unwritable EIO",
    );
    eprintln!("left on a stick that was pulled: {left:?}");
}
