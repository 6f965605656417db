//! An operator at a terminal: pages, questions, the code, and Ctrl-C at every prompt.

mod common;

use bitcoin::{Amount, ScriptBuf};
use common::laptop::Laptop;
use common::{authority, console};
use policies::policy::Requester;
use policies::spend::SpendOutput;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, ExitStatus, Stdio};

/// What the operator does at a prompt.
enum Act {
    Type(String),
    Interrupt,
    KillVault,
}

/// Both ends of a new terminal, which is nobody's controlling terminal yet.
fn terminal() -> (File, File) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, vec![]).unwrap().into_string().unwrap();
    let no_control = rustix::fs::OFlags::NOCTTY.bits().cast_signed();
    let slave = OpenOptions::new().read(true).write(true).custom_flags(no_control).open(name).unwrap();
    (File::from(master), slave)
}

/// Plays `sign` of `a.psbt`.
fn play(laptop: &Laptop, out: &str, act: impl FnMut(usize, &str) -> Act) -> (ExitStatus, String) {
    play_command(laptop, &["sign", "a.psbt", "-o", out], act)
}

/// Plays a command at a terminal of 16 lines; gives how it ended and all that was on the screen.
fn play_command(
    laptop: &Laptop,
    arguments: &[&str],
    mut act: impl FnMut(usize, &str) -> Act,
) -> (ExitStatus, String) {
    let (mut terminal, slave) = terminal();
    tcsetwinsize(&slave, Winsize { ws_row: 16, ws_col: 72, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let mut child = Command::new("setsid")
        .args(["--ctty", "--wait"])
        .arg(laptop.path("cold-signer"))
        .args(arguments)
        .args(["--store", "vault.store", "--passphrase-file", "passphrase", "--allow-network", "--kdf-floor"])
        .current_dir(laptop.folder.path())
        .stdin(Stdio::from(slave.try_clone().unwrap()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (mut screen, mut seen, mut prompts) = (String::new(), 0, 0);
    loop {
        let mut bytes = [0; 4_096];
        // The slave stays open here, so reading would never end: ask first whether anything is left to wait for.
        let mut ready = [rustix::event::PollFd::new(&terminal, rustix::event::PollFlags::IN)];
        let wait = rustix::event::Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        if rustix::event::poll(&mut ready, Some(&wait)).unwrap() == 0 {
            if child.try_wait().unwrap().is_some() {
                break;
            }
            continue;
        }
        let count = terminal.read(&mut bytes).unwrap();
        screen.push_str(&String::from_utf8_lossy(&bytes[..count]));
        if ["stop: ", "want: ", "none: ", "Press Enter. "].iter().any(|end| screen[seen..].ends_with(end)) {
            match act(prompts, &screen[seen..]) {
                Act::Type(text) => terminal.write_all(format!("{text}\n").as_bytes()).unwrap(),
                Act::Interrupt => terminal.write_all(b"\x03").unwrap(),
                Act::KillVault => kill_vault(laptop),
            }
            (seen, prompts) = (screen.len(), prompts + 1);
        }
    }
    let status = child.wait().unwrap();
    let modes = tcgetattr(&slave).unwrap().local_modes;
    assert!(
        modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG),
        "the terminal is as it was"
    );
    (status, screen)
}

/// Kills the vault of this laptop, which nothing else runs.
fn kill_vault(laptop: &Laptop) {
    let program = laptop.path("cold-vault");
    let is_it = |process: &std::path::Path| {
        std::fs::read(process.join("cmdline"))
            .is_ok_and(|line| line.starts_with(program.as_os_str().as_encoded_bytes()))
    };
    let processes = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let vaults: Vec<_> = processes.filter(|process| is_it(process)).collect();
    let [vault] = vaults.as_slice() else { panic!("{vaults:?}") };
    assert!(Command::new("kill").arg("-9").arg(vault.file_name().unwrap()).status().unwrap().success());
}

/// What an attentive operator types.
fn honest(screen: &str) -> Act {
    Act::Type(match screen.rsplit_once("Type ") {
        Some((_, rest)) => rest.split(' ').next().unwrap().to_owned(),
        None => String::new(),
    })
}

#[test]
fn the_operator_sees_everything_accepts_and_signs_and_can_stop_at_every_prompt() {
    let laptop = Laptop::new();
    laptop.done(&["new-key", "--wallet", "main", "--network", "regtest"]);
    let data = ScriptBuf::from_bytes([&[0x6a, 5][..], b"hello"].concat());
    let data = SpendOutput { value: Amount::ZERO, script: data, own: None };
    let spend = laptop.write("a.psbt", &laptop.wallet("main"), Some(data));

    let mut prompts = 0;
    let (status, screen) = play(&laptop, "refused.psbt", |at, screen| {
        prompts = at + 1;
        if screen.contains("to sign") { Act::Type("yes".to_owned()) } else { honest(screen) }
    });
    assert_eq!(status.code(), Some(4), "{screen}");
    assert!(prompts > 3, "{screen}");
    for stop in 0..prompts {
        let (status, screen) =
            play(
                &laptop,
                "interrupted.psbt",
                |at, screen| {
                    if at == stop { Act::Interrupt } else { honest(screen) }
                },
            );
        assert_ne!(status.code(), Some(0), "interrupted at prompt {stop}: {screen}");
    }
    assert!(!laptop.path("refused.psbt").exists() && !laptop.path("interrupted.psbt").exists());
    assert_eq!(laptop.done(&["receipts", "-o", "none.json"])["count"], 0, "nothing was signed so far");

    let (status, screen) = play(&laptop, "typed.psbt", |_, screen| honest(screen));
    assert_eq!(status.code(), Some(0), "{screen}");
    assert!(screen.contains("C19 asks") && screen.contains("standalone: only you"), "{screen}");
    assert!(screen.contains(&spend.id().to_string()), "{screen}");
    assert_eq!(laptop.transaction("typed.psbt").compute_txid(), spend.unsigned_txid());
    assert_eq!(laptop.done(&["receipts", "-o", "one.json"])["count"], 1);
}

#[test]
fn a_vault_that_is_killed_while_it_shows_words_leaves_neither_them_nor_a_dumb_terminal() {
    let laptop = Laptop::new();
    let new_key = ["new-key", "--wallet", "main", "--network", "regtest"];
    let mut words_shown = false;
    let (status, screen) = play_command(&laptop, &new_key, |_, screen| {
        words_shown = screen.ends_with("Press Enter. ");
        if words_shown { Act::KillVault } else { Act::Type(String::new()) }
    });
    assert!(words_shown, "{screen}");
    assert_eq!(status.code(), Some(1), "{screen}");
    assert!(screen.ends_with("\x1b[H\x1b[2J\x1b[3J"), "{screen:?}");
}

#[test]
fn a_folder_is_gone_through_with_yes_and_skip() {
    let laptop = Laptop::new();
    std::fs::create_dir(laptop.path("stick")).unwrap();
    for wallet in ["one", "three", "two"] {
        laptop.done(&["new-key", "--wallet", wallet, "--network", "regtest"]);
        laptop.write(&format!("stick/{wallet}.psbt"), &laptop.wallet(wallet), None);
    }
    let (status, screen) = play_command(&laptop, &["sign", "stick"], |_, screen| {
        if screen.contains("2 of 3, stick/three.psbt: Enter") {
            Act::Type("s".to_owned())
        } else {
            honest(screen)
        }
    });
    assert_eq!(status.code(), Some(4), "{screen}");
    assert!(screen.contains("3 files to sign") && screen.contains("Wallet two: 1 file"), "{screen}");
    let signed = |wallet: &str| laptop.path(&format!("stick/{wallet}-signed.psbt")).exists();
    assert!(signed("one") && signed("two") && !signed("three"), "{screen}");

    let (status, screen) = play_command(&laptop, &["sign", "stick"], |_, screen| {
        if screen.contains("1 of 1, stick/three.psbt: Enter") {
            Act::Type("q".to_owned())
        } else {
            honest(screen)
        }
    });
    assert_eq!(status.code(), Some(4), "{screen}");
    assert!(!signed("three") && !screen.contains("to sign, anything else"), "{screen}");
}

#[test]
fn an_authority_is_pinned_by_a_code_that_no_file_holds() {
    let laptop = Laptop::new();
    let company = authority::authority();
    std::fs::write(laptop.path("authority.pub"), authority::armor()).unwrap();
    let trust = ["trust", "--authority", "authority.pub"];

    let (status, screen) = play_command(&laptop, &trust, |_, screen| {
        if screen.contains("to pin it") { Act::Type(company.company.clone()) } else { honest(screen) }
    });
    assert_eq!(status.code(), Some(4), "{screen}");
    assert!(!laptop.path("vault.store").exists());

    let (status, screen) = play_command(&laptop, &trust, |_, screen| honest(screen));
    assert_eq!(status.code(), Some(0), "{screen}");
    let Requester::Key(requester) = &company.policy.terms().people["payroll"][0] else { panic!() };
    for shown in ["ANYONE", "valid without end", &requester.fingerprint()] {
        assert!(screen.contains(shown), "{shown} in {screen}");
    }
    assert_eq!(laptop.done(&["status"])["authority"]["id"], company.id().to_string());
}

#[test]
fn a_terminal_that_cannot_be_asked_pins_nothing() {
    let laptop = Laptop::new();
    std::fs::write(laptop.path("authority.pub"), authority::armor()).unwrap();
    let (_master, slave) = terminal();
    let output = Command::new("setsid")
        .arg("--wait")
        .arg(laptop.path("cold-signer"))
        .args(["trust", "--authority", "authority.pub", "--store", "vault.store", "--json"])
        .args(["--passphrase-file", "passphrase", "--allow-network", "--kdf-floor"])
        .current_dir(laptop.folder.path())
        .stdin(Stdio::from(slave))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8(output.stdout).unwrap().contains("\"code\":\"no-consent\""));
    assert!(!laptop.path("vault.store").exists());
}

#[test]
fn a_signed_file_is_not_written_onto_a_terminal() {
    let (_master, slave) = terminal();
    let status = Command::new(console())
        .args(["sign", "a.psbt", "-o", "-"])
        .stdin(Stdio::null())
        .stdout(Stdio::from(slave))
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(2));
}
