//! Kernels before Linux 5.6, and filters of system calls older than that: `openat2` is not there, or not permitted.

use crate::ground::{Ground, PSBT};
use std::process::{Command, Output};

fn run(ground: &Ground, error: &str, arguments: &[&str]) -> Option<Output> {
    let inject = format!("inject=openat2:error={error}");
    let output = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=openat2", "-e", &inject])
        .arg(env!("CARGO_BIN_EXE_psbt-tools"))
        .args(arguments)
        .current_dir(ground.path(".."))
        .output();
    match output {
        Ok(output) if !String::from_utf8_lossy(&output.stderr).contains("PTRACE") => Some(output),
        Ok(_) => {
            eprintln!("skipped: strace may not trace here");
            None
        }
        Err(error) => {
            eprintln!("skipped: no strace: {error}");
            None
        }
    }
}

#[test]
fn without_openat2_a_stick_leads_nowhere_either() {
    let ground = Ground::new();
    ground.write("x.psbt", PSBT);
    ground.link("../outside/secret.psbt", "link.psbt");
    ground.link("../outside", "in");
    for error in ["ENOSYS", "EPERM"] {
        let Some(listed) = run(&ground, error, &["usb", "list", "stick", "--json"]) else { return };
        let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
        assert_eq!((&listed["entries"][0]["name"], &listed["entries"][1]), (&"x.psbt".into(), &().into()));
        let skipped = listed["skipped"].as_array().unwrap();
        assert_eq!(skipped.iter().map(|one| &one["reason"]).collect::<Vec<_>>(), ["symlink", "symlink"]);
        for name in ["link.psbt", "in", "in/secret.psbt", "../outside/secret.psbt"] {
            let taken = run(&ground, error, &["usb", "read", "stick", name, "-o", "-"]).unwrap();
            assert_eq!((taken.status.code(), taken.stdout.is_empty()), (Some(3), true));
        }
        let taken = run(&ground, error, &["usb", "read", "stick", "x.psbt", "-o", "-"]).unwrap();
        assert_eq!(taken.stdout, PSBT);
    }
}
