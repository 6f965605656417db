//! Mounts: other file systems within the stick, full and protected ones. Each in a mount namespace of its own, where root
//! may have one; the program does what a person would have it do.

use crate::ground::{Ground, Outcome, PSBT};
use crate::table::Table;
use std::process::Command;

/// Runs a shell in a new mount namespace, in the folder that holds `stick` and `outside`. The last line that it prints is
/// the program's JSON object.
fn run(table: &mut Table, what: &str, expected: &str, script: &str, word: fn(&serde_json::Value) -> String) {
    let ground = Ground::new();
    std::fs::write(ground.path("../new.psbt"), PSBT).unwrap();
    let script = format!("set -e; cd {:?}; {script}", ground.path(".."));
    let output = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", &script])
        .env("TOOL", env!("CARGO_BIN_EXE_psbt-tools"))
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) => return table.skip(what, format!("no unshare(1): {error}")),
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    let Some(object) = String::from_utf8_lossy(&output.stdout)
        .lines()
        .last()
        .and_then(|line| serde_json::from_str(line).ok())
    else {
        return table.skip(what, errors.trim().replace('\n', "; "));
    };
    table.judge(what, expected, Outcome { word: word(&object), got: output.stdout });
}

fn error(object: &serde_json::Value) -> String {
    let error = &object["error"];
    match error.is_null() {
        true => "done".to_owned(),
        false => format!("{}: {}", error["code"].as_str().unwrap(), error["hint"].as_str().unwrap()),
    }
}

fn skipped(object: &serde_json::Value) -> String {
    let words = object["skipped"].as_array().unwrap().iter().map(|skipped| {
        format!("{} {}", skipped["name"].as_str().unwrap(), skipped["reason"].as_str().unwrap())
    });
    words.collect::<Vec<_>>().join(", ")
}

pub fn mounts(table: &mut Table) {
    let full = "unwritable: the medium is full: make room, or take another one";
    let protected =
        "unwritable: the medium is mounted read-only, or its switch is set: mount it with `-o remount,rw`";
    let link = "symlink: name the file itself: what lies on a medium leads nowhere else";
    let tmpfs = "mount -t tmpfs none stick";
    run(
        table,
        "a file of another mount",
        "x.psbt other-mount",
        "touch stick/x.psbt; mount --bind outside/secret.psbt stick/x.psbt; $TOOL usb list stick --json || true",
        skipped,
    );
    run(
        table,
        "a folder of another mount",
        "name: name a file of the folder as `psbt-tools usb list DIR` shows it",
        "mkdir stick/in; mount --bind outside stick/in; $TOOL usb read stick in/secret.psbt -o out --json || true",
        error,
    );
    run(
        table,
        "a file of the stick itself under another mount",
        "x.psbt other-mount",
        "cp new.psbt stick/y; touch stick/x.psbt; mount --bind stick/y stick/x.psbt; $TOOL usb list stick --json || true",
        skipped,
    );
    run(
        table,
        "a full stick",
        full,
        "mount -t tmpfs -o size=8k none stick; head -c 100000 /dev/zero > big; $TOOL usb write big stick --json || test -z \"$(ls -A stick)\"",
        error,
    );
    run(
        table,
        "a stick with room for nothing more",
        full,
        "mount -t tmpfs -o size=4k none stick; $TOOL usb write new.psbt stick --json || test -z \"$(ls -A stick)\"",
        error,
    );
    run(
        table,
        "a stick without inodes",
        full,
        "mount -t tmpfs -o nr_inodes=1 none stick; $TOOL usb write new.psbt stick --json || test -z \"$(ls -A stick)\"",
        error,
    );
    run(
        table,
        "a protected stick",
        protected,
        &format!("{tmpfs}; mount -o remount,ro stick; $TOOL usb write new.psbt stick --json || true"),
        error,
    );
    run(
        table,
        "a typed link of a stick to a file outside",
        link,
        &format!("{tmpfs}; ln -s $PWD/outside/secret.psbt stick/x; $TOOL inspect stick/x --json || true"),
        error,
    );
    run(
        table,
        "a typed link of a stick upwards",
        link,
        &format!("{tmpfs}; ln -s ../outside/secret.psbt stick/x; cd stick; $TOOL inspect x --json || true"),
        error,
    );
    run(
        table,
        "a typed folder of a stick that leads outside",
        link,
        &format!("{tmpfs}; ln -s ../outside stick/in; $TOOL inspect stick/in/secret.psbt --json || true"),
        error,
    );
    run(
        table,
        "a listed folder of a stick that leads outside",
        link,
        &format!("{tmpfs}; ln -s ../outside stick/in; $TOOL usb list stick/in --json || true"),
        error,
    );
    run(
        table,
        "an output through a folder of a stick that leads outside",
        link,
        &format!(
            "{tmpfs}; ln -s ../outside stick/in; $TOOL usb write new.psbt stick/in --json || test ! -e outside/new.psbt"
        ),
        error,
    );
    run(
        table,
        "a link of a stick to a descriptor",
        link,
        &format!(
            "{tmpfs}; ln -s /proc/self/fd/0 stick/x; $TOOL inspect stick/x --json < outside/secret.psbt || true"
        ),
        error,
    );
    run(
        table,
        "a link within a stick",
        "done",
        &format!(
            "{tmpfs}; cp new.psbt stick/y; ln -s y stick/x; $TOOL convert stick/x --to base64 -o out.psbt; echo '{{}}'"
        ),
        error,
    );
    run(
        table,
        "what is missing of a careless mount",
        "ro,nosuid,nodev,noexec,nosymfollow",
        &format!("{tmpfs}; $TOOL usb list stick --json"),
        missing,
    );
    run(
        table,
        "what is missing of a careful mount",
        "",
        &format!(
            "{tmpfs}; mount -o remount,ro,nosuid,nodev,noexec,nosymfollow stick; $TOOL usb list stick --json"
        ),
        missing,
    );
}

fn missing(object: &serde_json::Value) -> String {
    let words = object["mount"]["missing"].as_array().unwrap().iter().map(|word| word.as_str().unwrap());
    words.collect::<Vec<_>>().join(",")
}
