//! Each way of writing by itself, and what happens when another is faster.

use super::*;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const MODE: Mode = Mode::RUSR.union(Mode::WUSR);

fn open(folder: &Path) -> OwnedFd {
    File::open(folder).unwrap().into()
}

fn beat(_: usize) -> Result<(), Obstacle> {
    Ok(())
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn every_way_of_writing_leaves_one_private_file_and_never_replaces() {
    let folder = tempfile::tempdir().unwrap();
    let at = open(folder.path());
    let bytes = vec![7; 3 * CHUNK / 2];
    hidden(&at, OsStr::new("hidden"), &bytes, MODE, &beat).unwrap().unwrap();
    assert_eq!(hidden(&at, OsStr::new("hidden"), b"x", MODE, &beat).unwrap_err().code(), "exists");
    direct(&at, OsStr::new("direct"), &bytes, MODE, &beat).unwrap();
    assert_eq!(direct(&at, OsStr::new("direct"), b"x", MODE, &beat).unwrap_err().code(), "exists");
    let mut expected = vec!["direct", "hidden"];
    match nameless(&at, OsStr::new("nameless"), &bytes, MODE, &beat).unwrap() {
        None => eprintln!("skipped: no O_TMPFILE on this file system"),
        Some(_) => {
            let again = nameless(&at, OsStr::new("nameless"), b"x", MODE, &beat);
            assert_eq!(again.unwrap_err().code(), "exists");
            expected.push("nameless");
        }
    }
    assert_eq!(names(folder.path()), expected);
    for name in expected {
        let path = folder.path().join(name);
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_name_taken_meanwhile_is_not_replaced_and_the_temporary_file_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let at = open(folder.path());
    let (mut temporary, _) = Temporary::create(&at, MODE).unwrap();
    std::fs::write(folder.path().join("out"), b"theirs").unwrap();
    assert_eq!(temporary.publish(OsStr::new("out")), Err(Errno::EXIST));
    drop(temporary);
    assert_eq!(std::fs::read(folder.path().join("out")).unwrap(), b"theirs");
    assert_eq!(names(folder.path()), ["out"]);
}

#[test]
fn of_many_who_write_one_name_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let at = open(folder.path());
    for ways in 0..20 {
        let name = format!("name-{ways}");
        let wins: Vec<_> = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..6u8)
                .map(|writer| {
                    let (at, name) = (&at, OsStr::new(&name));
                    scope.spawn(move || {
                        let bytes = [writer; 5000];
                        let written = match writer % 3 {
                            0 => new_file(at, name, &bytes, 0o600, &beat).map(|_| ()),
                            1 => hidden(at, name, &bytes, MODE, &beat).map(|_| ()),
                            _ => direct(at, name, &bytes, MODE, &beat).map(|_| ()),
                        };
                        written.map(|()| writer).map_err(|obstacle| assert_eq!(obstacle.code(), "exists"))
                    })
                })
                .collect();
            writers.into_iter().filter_map(|writer| writer.join().unwrap().ok()).collect()
        });
        assert_eq!(wins.len(), 1, "{wins:?}");
        assert_eq!(std::fs::read(folder.path().join(name)).unwrap(), [wins[0]; 5000]);
    }
    assert_eq!(names(folder.path()).len(), 20);
}

#[test]
fn who_gives_up_while_writing_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let at = open(folder.path());
    let stop = |_| Err(Obstacle::Interrupted);
    for write in [hidden, nameless] {
        assert_eq!(write(&at, OsStr::new("x"), b"bytes", MODE, &stop).unwrap_err().code(), "interrupted");
    }
    assert_eq!(direct(&at, OsStr::new("x"), b"bytes", MODE, &stop).unwrap_err().code(), "interrupted");
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn what_reads_back_different_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let bytes = vec![5; CHUNK + 1];
    let mut others = vec![bytes.clone(); 3];
    others[0][CHUNK] = 6;
    others[1].pop();
    others[2].push(5);
    for other in others {
        std::fs::write(&path, &other).unwrap();
        let file = File::options().read(true).write(true).open(&path).unwrap();
        assert_eq!(reads_back(&file, &bytes, &beat).unwrap_err().code(), "reads-back-different");
        reads_back(&file, &other, &beat).unwrap();
    }
}

#[test]
fn only_what_was_written_is_withdrawn() {
    let folder = tempfile::tempdir().unwrap();
    let at = open(folder.path());
    let written = new_file(&at, OsStr::new("x"), b"ours", 0o600, &beat).unwrap();
    std::fs::rename(folder.path().join("x"), folder.path().join("kept")).unwrap();
    std::fs::write(folder.path().join("x"), b"theirs").unwrap();
    withdraw(&at, OsStr::new("x"), &written).unwrap();
    assert_eq!(names(folder.path()), ["kept", "x"]);
    withdraw(&at, OsStr::new("kept"), &written).unwrap();
    assert_eq!(names(folder.path()), ["x"]);
}
