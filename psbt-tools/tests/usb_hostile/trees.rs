//! Trees that any file system can hold.

use crate::ground::{Act, Ground, PSBT, SECRET};
use crate::table::Table;
use bitcoin::hashes::{Hash, sha256};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

fn node(path: &Path, kind: FileType, device: (u32, u32)) -> bool {
    let number = rustix::fs::makedev(device.0, device.1);
    mknodat(CWD, path, kind, Mode::from_raw_mode(0o666), number).is_ok()
}

pub fn links(table: &mut Table) {
    let to = |target: &'static str| move |ground: &Ground| ground.link(target, "x.psbt");
    for (what, target) in [
        ("a link to /etc/passwd", "/etc/passwd"),
        ("a link upwards", "../outside/secret.psbt"),
        ("a link to itself", "x.psbt"),
        ("a link to nowhere", "nowhere"),
        ("a link to a device", "/dev/zero"),
        ("a link to a terminal", "/dev/tty"),
        ("a link to an open descriptor", "/proc/self/fd/0"),
        ("a link to the memory of this process", "/proc/self/mem"),
        ("a link to the folder itself", "."),
    ] {
        table.case(what, "symlink", Act::List(b"x.psbt"), to(target));
    }
    table.case("a link to the secret", "symlink", Act::TakeNamed("x.psbt"), |ground| {
        ground.link(ground.secret(), "x.psbt");
    });
    table.case("a link as the only payment", "no-payment", Act::Take, |ground| {
        ground.link(ground.secret(), "x.psbt");
    });
    table.case("two links to each other", "symlink", Act::List(b"a.psbt"), |ground| {
        ground.link("b.psbt", "a.psbt");
        ground.link("a.psbt", "b.psbt");
    });
    table.case("a link to a file beside it", "symlink", Act::List(b"x.psbt"), |ground| {
        ground.write("real.psbt", PSBT);
        ground.link("real.psbt", "x.psbt");
    });
    table.case("a name through a linked folder", "name", Act::TakeNamed("in/secret.psbt"), |ground| {
        ground.link("../outside", "in");
    });
    table.case("a name upwards", "name", Act::TakeNamed("../outside/secret.psbt"), |_| {});
    table.case("an absolute name", "name", Act::TakeNamed("/etc/passwd"), |_| {});
    table.case("a linked folder in a list", "symlink", Act::List(b"in"), |ground| {
        ground.link("../outside", "in");
    });
    table.case("a loop of forty-one links", "unreadable FilesystemLoop", Act::Typed("l0"), |ground| {
        for at in 0..41 {
            ground.link(format!("l{}", at + 1), &format!("l{at}"));
        }
        ground.write("l41", PSBT);
    });
    table.case("a sidecar that is a link", "text wrong", Act::List(b"x"), |ground| {
        ground.write("x", b"text");
        ground.link("../outside/secret.psbt", "x.sha256");
    });
    table.case("a sidecar that is a pipe", "text wrong", Act::List(b"x"), |ground| {
        ground.write("x", b"text");
        assert!(node(&ground.path("x.sha256"), FileType::Fifo, (0, 0)));
    });
    table.case("a link where a file is to be written", "exists", Act::Put(b"x.psbt"), |ground| {
        ground.link("../outside/new.psbt", "x.psbt");
    });
    table.case("a link where the sidecar is to be written", "exists", Act::Put(b"x.psbt"), |ground| {
        ground.link("../outside/secret.psbt", "x.psbt.sha256");
    });
    table.case("a link of a stranger in a folder of everybody", "symlink", Act::Typed("x.psbt"), |ground| {
        ground.link(ground.secret(), "x.psbt");
        std::fs::set_permissions(ground.stick(), PermissionsExt::from_mode(0o1777)).unwrap();
        let strangers = rustix::fs::Uid::from_raw(12_345);
        let path = ground.path("x.psbt");
        if rustix::fs::chownat(CWD, &path, Some(strangers), None, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)
            .is_err()
        {
            return Err("only root gives files away");
        }
        Ok(())
    });
}

pub fn kinds(table: &mut Table) {
    table.case("a pipe", "fifo", Act::List(b"x.psbt"), |ground| {
        assert!(node(&ground.path("x.psbt"), FileType::Fifo, (0, 0)));
    });
    table.case("a pipe that is named", "not-a-file", Act::TakeNamed("x.psbt"), |ground| {
        assert!(node(&ground.path("x.psbt"), FileType::Fifo, (0, 0)));
    });
    table.case("a socket", "socket", Act::List(b"x.psbt"), |ground| {
        drop(UnixListener::bind(ground.path("x.psbt")).unwrap());
    });
    for (what, kind, device) in [
        ("the device of all zeros", FileType::CharacterDevice, (1, 5)),
        ("the memory of the machine", FileType::CharacterDevice, (1, 1)),
        ("a watchdog, which reboots when it is opened", FileType::CharacterDevice, (10, 130)),
        ("a disk", FileType::BlockDevice, (7, 0)),
        ("a device that nobody has", FileType::BlockDevice, (240, 77)),
    ] {
        table.case(what, "device", Act::List(b"x.psbt"), move |ground| {
            node(&ground.path("x.psbt"), kind, device).then_some(()).ok_or("only root makes devices")
        });
    }
    table.case("a folder named as a payment", "folder", Act::List(b"x.psbt"), |ground| {
        std::fs::create_dir(ground.path("x.psbt")).unwrap();
    });
    table.case("a folder where a file is to be written", "exists", Act::Put(b"x.psbt"), |ground| {
        std::fs::create_dir(ground.path("x.psbt")).unwrap();
    });
    table.case("a terabyte of nothing", "too-large", Act::List(b"x.psbt"), |ground| sparse(ground, 1 << 40));
    table.case("a terabyte that is named", "C27", Act::TakeNamed("x.psbt"), |ground| sparse(ground, 1 << 40));
    table.case("a byte too many", "too-large", Act::List(b"x.psbt"), |ground| sparse(ground, (64 << 20) + 1));
    table.case("six files of 64 MiB", "too-much-read", Act::List(b"05"), |ground| {
        for at in 0..6 {
            let file = std::fs::File::create(ground.path(format!("{at:02}"))).unwrap();
            file.set_len(64 << 20).unwrap();
        }
    });
    table.case("an empty file", "empty absent", Act::List(b"x.psbt"), |ground| ground.write("x.psbt", b""));
    table.case("a cut PSBT", "broken-psbt absent", Act::List(b"x.psbt"), |ground| {
        ground.write("x.psbt", &PSBT[..10]);
    });
    table.case("only a cut PSBT", "no-payment", Act::Take, |ground| ground.write("x.psbt", &PSBT[..10]));
    table.case("a program named as a payment", "other absent", Act::List(b"x.psbt"), |ground| {
        ground.write("x.psbt", b"\x7fELF\x02\x01\x01\0\0\0");
    });
    table.case("a payment named as a picture", "psbt absent", Act::List(b"holiday.jpg"), |ground| {
        ground.write("holiday.jpg", PSBT);
    });
    table.case(
        "a file that nobody may read",
        "unreadable PermissionDenied",
        Act::List(b"x.psbt"),
        |ground| {
            ground.write("x.psbt", PSBT);
            std::fs::set_permissions(ground.path("x.psbt"), PermissionsExt::from_mode(0o000)).unwrap();
            match rustix::process::geteuid().is_root() {
                true => Err("root may read everything"),
                false => Ok(()),
            }
        },
    );
    table.case("two names of one file", "ambiguous", Act::Take, |ground| {
        ground.write("a.psbt", PSBT);
        std::fs::hard_link(ground.path("a.psbt"), ground.path("b.psbt")).unwrap();
    });
    table.case("a second name of an honest file", "psbt absent", Act::List(b"b.psbt"), |ground| {
        ground.write("a.psbt", PSBT);
        std::fs::hard_link(ground.path("a.psbt"), ground.path("b.psbt")).unwrap();
    });
    table.case("the stick is a file", "unreadable NotADirectory", Act::ListAll, |ground| {
        std::fs::remove_dir(ground.stick()).unwrap();
        std::fs::write(ground.stick(), PSBT).unwrap();
    });
    table.case("the stick is not there", "unreadable NotFound", Act::ListAll, |ground| {
        std::fs::remove_dir(ground.stick()).unwrap();
    });
}

fn sparse(ground: &Ground, length: u64) {
    std::fs::File::create(ground.path("x.psbt")).unwrap().set_len(length).unwrap();
}

pub fn names(table: &mut Table) {
    let long = "n".repeat(255).into_bytes();
    let wide = "日".repeat(85).into_bytes();
    for (what, name, listed, put) in [
        ("an escape that clears the screen", &b"\x1b[2J.psbt"[..], "name", "name"),
        ("a title for the terminal", b"\x1b]0;pwned\x07.psbt", "name", "name"),
        ("a line break", b"a\nerror: none.psbt", "name", "name"),
        ("text that runs backwards", "gnp.\u{202e}tbsp.exe".as_bytes(), "name", "name"),
        ("an invisible character", "pay\u{200b}ment.psbt".as_bytes(), "name", "name"),
        ("bytes that are no text", b"\xff\xfe.psbt", "name", "name"),
        ("a character of the C1 set", "a\u{9b}2J.psbt".as_bytes(), "name", "name"),
        ("a device of Windows", b"CON", "name", "name"),
        ("a device of Windows with an ending", b"aux.psbt", "name", "name"),
        ("another stream", b"a.psbt:stream", "name", "name"),
        ("a backslash", b"..\\a.psbt", "name", "name"),
        ("a question mark", b"a?.psbt", "name", "name"),
        ("a dot at the end", b"a.psbt.", "name", "name"),
        ("a blank at the end", b"a.psbt ", "name", "name"),
        ("a blank at the beginning", b" a.psbt", "name", "name"),
        ("255 characters", &long, "psbt absent", "name"),
        ("85 characters of three bytes", &wide, "psbt absent", "name"),
        ("a name that looks like an option", b"-rf", "psbt absent", "written"),
        ("a hidden name", b".x.psbt", "hidden", "written"),
        ("what is left of a killed writer", b".airlock-17-0.part", "hidden", "written"),
    ] {
        let name_of = OsStr::from_bytes(name);
        table.case(format!("{what}, listed"), listed, Act::List(name), |ground| ground.write(name_of, PSBT));
        table.case(format!("{what}, written"), put, Act::Put(name), |_| {});
    }
    for name in ["", ".", "..", "a/b", "/"] {
        table.case(format!("written as `{name}`"), "name", Act::Put(name.as_bytes()), |_| {});
    }
}

pub fn crowds(table: &mut Table) {
    let crowd = |count: usize| {
        move |ground: &Ground| {
            for at in 0..count {
                std::fs::File::create(ground.path(format!("{at:06}.psbt"))).unwrap();
            }
        }
    };
    table.case("1,000 files", "complete 1000/0", Act::ListAll, crowd(1_000));
    table.case("1,001 files", "too-many-listed 1000/0", Act::ListAll, crowd(1_001));
    table.case("a payment somewhere among 1,001", "too-many-entries", Act::Take, |ground| {
        crowd(1_000)(ground);
        ground.write("zz.psbt", PSBT);
    });
    table.case("100,001 files", "too-many-entries 1000/0", Act::ListAll, crowd(100_001));
}

pub fn sidecars(table: &mut Table) {
    let line = |bytes: &[u8], name: &str| format!("{}  {name}\n", sha256::Hash::hash(bytes)).into_bytes();
    let with = |sidecar: Vec<u8>| {
        move |ground: &Ground| {
            ground.write("x.psbt", PSBT);
            ground.write("x.psbt.sha256", &sidecar);
        }
    };
    table.case("a right sidecar", "psbt right", Act::TakeNamed("x.psbt"), with(line(PSBT, "x.psbt")));
    for (what, sidecar) in [
        ("a sidecar of other bytes", line(SECRET, "x.psbt")),
        ("a sidecar of another file", line(PSBT, "y.psbt")),
        ("a sidecar of a file elsewhere", line(PSBT, "../x.psbt")),
        ("an empty sidecar", Vec::new()),
        ("a cut sidecar", line(PSBT, "x.psbt")[..40].to_vec()),
        ("a sidecar that says it twice", line(PSBT, "x.psbt").repeat(2)),
        ("a sidecar of a megabyte", vec![b'a'; 1 << 20]),
        ("a sidecar that is no text", vec![0xff; 70]),
    ] {
        table.case(what, "sidecar", Act::TakeNamed("x.psbt"), with(sidecar.clone()));
        table.case(format!("{what}, listed"), "psbt wrong", Act::List(b"x.psbt"), with(sidecar));
    }
    table.case("no sidecar", "x.psbt", Act::Take, |ground| ground.write("x.psbt", PSBT));
    table.case("a sidecar without its file", "orphan-sidecar", Act::List(b"x.psbt.sha256"), |ground| {
        ground.write("x.psbt.sha256", &line(PSBT, "x.psbt"));
    });
    table.case("two sidecars in other cases", "psbt wrong", Act::List(b"X.psbt"), |ground| {
        ground.write("X.psbt", PSBT);
        ground.write("x.psbt.sha256", &line(PSBT, "X.psbt"));
        ground.write("x.psbt.SHA256", &line(SECRET, "X.psbt"));
    });
    table.case("a sidecar in another case", "psbt right", Act::List(b"X.psbt"), |ground| {
        ground.write("X.psbt", PSBT);
        ground.write("X.PSBT.SHA256", &line(PSBT, "x.psbt"));
    });
    table.case("names that differ in case only", "ambiguous", Act::Take, |ground| {
        ground.write("pay.psbt", PSBT);
        ground.write("PAY.PSBT", PSBT);
    });
    table.case("a file where one is to be written", "exists", Act::Put(b"x.psbt"), |ground| {
        ground.write("x.psbt", b"older");
    });
    table.case("a sidecar where one is to be written", "exists", Act::Put(b"x.psbt"), |ground| {
        ground.write("x.psbt.sha256", b"older");
    });
    table.case("nothing in the way", "written", Act::Put(b"x.psbt"), |_| {});
    table.case("an output that exists", "exists", Act::Output("x.psbt"), |ground| {
        ground.write("x.psbt", b"older")
    });
    table.case(
        "an output through a folder that is none",
        "unwritable NotADirectory",
        Act::Output("f/x"),
        |ground| {
            ground.write("f", b"");
        },
    );
    // The person's own disk: its links are the person's own.
    table.case("a link of the person", "read", Act::Typed("x.psbt"), |ground| {
        ground.write("real", PSBT);
        symlink("real", ground.path("x.psbt")).unwrap();
    });
}
