//! A session of several commands: at a terminal, and as a script.

mod common;

use common::laptop::{Laptop, code};
use common::terminal::{Act, honest, play, play_on, play_typing};
use std::io::Write;
use std::process::{Command, Stdio};

fn typed(line: &str) -> Act {
    Act::Type(line.to_owned())
}

fn laptop() -> Laptop {
    let laptop = Laptop::new();
    laptop.done(&["new-key", "--wallet", "main", "--network", "regtest"]);
    laptop
}

/// Whether no signature was ever meant: the log has no intent.
fn nothing_signed(laptop: &Laptop) -> bool {
    let log = Command::new(laptop.path("cold-vault"))
        .args(["log", "--json", "--store", "vault.store"])
        .current_dir(laptop.folder.path())
        .output()
        .unwrap();
    let log = String::from_utf8(log.stdout).unwrap();
    assert!(log.contains("\"key\""), "{log}");
    !log.contains("intent")
}

/// Runs lines without a terminal; exit code, standard output and standard error.
fn script(laptop: &Laptop, lines: &str, options: &[&str]) -> (i32, String, String) {
    let mut child = Command::new("setsid")
        .arg("--wait")
        .arg(laptop.path("cold-signer"))
        .args(["shell", "--store", "vault.store", "--passphrase-file", "passphrase"])
        .args(["--allow-network", "--kdf-floor"])
        .args(options)
        .current_dir(laptop.folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_session_unlocks_once_completes_and_says_when_the_vault_has_ended() {
    let laptop = laptop();
    let lines =
        ["keys", "address --wallet ma\t --ind\t 0", "", "keys", "lock", "sing", "help", "status", "quit"];
    let (status, screen) = play_on(&laptop, (40, 100), &["shell"], |at, screen| {
        match at {
            0 => assert!(screen.contains("(locked)> "), "{screen}"),
            1 | 2 => assert!(screen.contains("cold-signer> "), "{screen}"),
            _ => {}
        }
        if at == 2 && screen.contains("path m/84'/1'/0'/0/0") {
            // The prompt is shown again only after a line.
            return Act::Type(String::new());
        }
        typed(lines.get(at).copied().unwrap_or("quit"))
    });
    assert_eq!(status.code(), Some(0), "{screen}");
    assert!(screen.contains("path m/84'/1'/0'/0/0 on regtest"), "{screen}");
    assert!(screen.contains("is `sign` meant?") && screen.contains("the vault is locked"), "{screen}");
    assert!(screen.contains("[x] lock") && screen.contains("[ ] sign FILE"), "{screen}");

    // A vault that is gone between two commands, or ended by Ctrl-C, is started again.
    let mut killed = false;
    let (status, screen) = play(&laptop, &["shell"], |at, screen| match at {
        0 => typed("keys"),
        1 => typed("address --wallet main --range 0..40"),
        _ if screen.contains("page 1 of") => Act::Interrupt,
        3 => typed("address --wallet main --index 1"),
        4 => Act::KillVault,
        _ if screen.contains("/0/2 on") => Act::End,
        _ => {
            killed = true;
            typed("address --wallet main --index 2")
        }
    });
    assert!(killed && status.code() == Some(0), "{screen}");
    assert!(screen.contains("Ctrl-C: the vault is locked") && screen.contains("/0/1 on regtest"), "{screen}");
    assert!(screen.contains("the vault has ended by itself"), "{screen}");
}

#[test]
fn an_empty_passphrase_is_asked_for_again_and_never_reaches_the_session() {
    let laptop = laptop();
    let mut answers = vec!["correct horse", "correct house", ""];
    let lines = ["keys", "\u{1b}[A", "quit"];
    let mut line = 0;
    let (status, screen) = play_typing(&laptop, (24, 80), &["shell"], |_, screen| {
        if screen.ends_with("Passphrase: ") {
            return typed(answers.pop().unwrap());
        }
        line += 1;
        typed(lines[line - 1])
    });
    assert_eq!(status.code(), Some(0), "{screen}");
    assert!(answers.is_empty() && line == 3, "{screen}");
    assert_eq!(screen.matches("it is empty").count(), 1, "{screen}");
    assert_eq!(screen.matches("wrong passphrase").count(), 1, "{screen}");
    assert_eq!(screen.matches("wallet  network").count(), 2, "the arrow brings `keys` back: {screen}");
    assert!(!screen.contains("correct") && !screen.contains("no command"), "{screen}");

    let mut asked = 0;
    let (status, screen) = play_typing(&laptop, (24, 80), &["keys"], |_, _| {
        asked += 1;
        typed("")
    });
    assert_eq!((status.code(), asked), (Some(3), 3), "{screen}");
}

#[test]
fn the_history_holds_no_line_that_is_no_command() {
    let laptop = laptop();
    let lines = ["keys", "correct horse battery", "\u{1b}[A", "quit"];
    let (status, screen) = play(&laptop, &["shell"], |at, _| typed(lines.get(at).copied().unwrap_or("quit")));
    assert_eq!(status.code(), Some(0), "{screen}");
    assert_eq!(screen.matches("that is no command").count(), 1, "{screen}");
    assert_eq!(screen.matches("wallet  network").count(), 2, "the arrow brings `keys` back: {screen}");
    let names: Vec<_> =
        std::fs::read_dir(laptop.folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 5, "no file was made for it: {names:?}");
}

#[test]
fn every_screen_of_signing_in_a_session_can_be_left_and_nothing_is_signed() {
    let laptop = laptop();
    laptop.write("a.psbt", &laptop.wallet("main"), None);
    let mut screens = 0;
    let (_, screen) = play(&laptop, &["shell"], |at, screen| match at {
        0 => typed("sign a.psbt -o left.psbt"),
        _ if screen.contains("to sign, anything else") => {
            screens = at + 1;
            typed("no")
        }
        _ if screens > 0 => typed("quit"),
        _ => honest(screen),
    });
    assert!(screens > 3 && screen.contains("stopped at the terminal"), "{screen}");
    for stop in 0..screens {
        for left in ["interrupt", "end", "no", "gone"] {
            let (_, screen) = play(&laptop, &["shell"], |at, screen| match (at, left) {
                (at, _) if at > stop => typed("quit"),
                (at, "gone") if at == stop => Act::HangUp,
                (0, "interrupt") if stop == 0 => typed("sign a.psbt -o left.psbt\u{3}quit"),
                (at, "interrupt") if at == stop => Act::Interrupt,
                (at, "end") if at == stop => Act::End,
                (at, _) if at == stop => typed("no"),
                (0, _) => typed("sign a.psbt -o left.psbt"),
                _ => honest(screen),
            });
            assert!(!laptop.path("left.psbt").exists(), "{left} at screen {stop}: {screen}");
            assert!(nothing_signed(&laptop), "{left} at screen {stop}: {screen}");
        }
    }
    let (status, screen) = play(&laptop, &["shell"], |at, screen| match at {
        0 => typed("sign a.psbt -o done.psbt"),
        _ if screen.contains("> ") && screen.contains("wrote done.psbt") => typed("quit"),
        _ => honest(screen),
    });
    assert_eq!(status.code(), Some(0), "{screen}");
    assert!(laptop.path("done.psbt").exists() && !nothing_signed(&laptop));
}

#[test]
fn a_script_ends_at_its_first_failing_line_with_that_exit_code() {
    let laptop = laptop();
    let (exit, out, err) = script(&laptop, "# the morning\nkeys\n\naddress --wallet 'main' --index 3\n", &[]);
    assert_eq!((exit, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("/0/3 on regtest"));

    let (exit, out, err) = script(&laptop, "address --wallet none --index 0\nkeys\n", &[]);
    assert_eq!((exit, out.as_str()), (3, ""), "{err}");
    assert!(err.contains("line 1 failed: nothing after it was done"), "{err}");
    for (line, expected, says) in [
        ("hunter2", 2, "that is no command"),
        ("sign 'open", 2, "not closed"),
        ("keys --store other.store", 2, "those of this session"),
        ("shell", 2, "this is the shell already"),
        ("review -", 2, "the lines are read from there"),
        ("sign missing.psbt", 1, "missing.psbt"),
        ("sign passphrase", 3, "hint: "),
        ("log --verify", 0, ""),
    ] {
        let (exit, _, err) = script(&laptop, &format!("{line}\n"), &[]);
        assert!(exit == expected && err.contains(says) && !err.contains("hunter2"), "{line}: {exit} {err}");
    }
    let (exit, out, _) = script(&laptop, "keys\naddress --wallet main --index 0\n", &["--json"]);
    let objects: Vec<serde_json::Value> =
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(exit == 0 && objects.len() == 2 && objects[1]["wallet"] == "main", "{out}");
    let (exit, _, err) = script(&laptop, "keys\n", &["--passphrase-file", "wrong"]);
    assert_eq!(exit, 2, "an option twice: {err}");
}

#[test]
fn an_address_is_found_by_scanning_or_said_not_to_be_ours() {
    let laptop = laptop();
    let listed = laptop.done(&["address", "--wallet", "main", "--range", "3..5", "--change"]);
    let addresses = listed["addresses"].as_array().unwrap();
    assert_eq!(addresses.iter().map(|a| a["index"].as_u64().unwrap()).collect::<Vec<_>>(), [3, 4, 5]);
    let address = addresses[2]["address"].as_str().unwrap();
    let grouped = psbt_tools::display::address_text(address).to_uppercase();
    let found = laptop.done(&["address", "--wallet", "main", "--scan", &grouped]);
    assert_eq!(
        (&found["index"], &found["change"], &found["path"]),
        (&serde_json::json!(5), &serde_json::json!(true), &serde_json::json!("m/84'/1'/0'/1/5"))
    );
    for (address, expected, exit) in [
        (address, "not-ours", 3),
        ("bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", "not-ours", 3),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "differs", 3),
        ("bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt081", "usage", 2),
    ] {
        let (found, json) = laptop.run(&["address", "--wallet", "main", "--scan", address, "--up-to", "4"]);
        assert_eq!((found, code(&json)), (exit, expected), "{json}");
    }
}

#[test]
fn the_preflight_needs_no_passphrase_and_gives_each_check_its_remedy() {
    let laptop = Laptop::new();
    let fit = laptop.run(&["doctor"]);
    let checks = fit.1["checks"].as_array().unwrap();
    assert_eq!(fit.0 == 0, fit.1["fit"] == true, "{}", fit.1);
    for check in checks {
        assert!(check["state"] != "bad" || check["fix"].is_string(), "{check}");
    }
    let state = |name: &str| checks.iter().find(|check| check["name"] == name).unwrap()["state"].clone();
    assert_eq!(
        (state("programs"), state("reader sandbox"), state("store")),
        ("ok".into(), "ok".into(), "note".into())
    );
    std::fs::remove_file(laptop.path("cold-vault")).unwrap();
    let (exit, json) = laptop.run(&["doctor"]);
    assert_eq!((exit, code(&json)), (3, "unfit"), "{json}");
}
