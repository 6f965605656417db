//! An operator at a terminal: pages, questions, the code, and Ctrl-C at every prompt.

mod common;

use bitcoin::{Amount, ScriptBuf};
use common::laptop::Laptop;
use common::terminal::{Act, honest, play, play_typing, terminal};
use common::{authority, console};
use policies::policy::Requester;
use policies::spend::SpendOutput;
use std::process::{Command, Stdio};

#[test]
fn the_operator_sees_everything_accepts_and_signs_and_can_stop_at_every_prompt() {
    let laptop = Laptop::new();
    laptop.done(&["new-key", "--wallet", "main", "--network", "regtest"]);
    let data = ScriptBuf::from_bytes([&[0x6a, 5][..], b"hello"].concat());
    let data = SpendOutput { value: Amount::ZERO, script: data, own: None };
    let spend = laptop.write("a.psbt", &laptop.wallet("main"), Some(data));

    let mut prompts = 0;
    let (status, screen) = play(&laptop, &["sign", "a.psbt", "-o", "refused.psbt"], |at, screen| {
        prompts = at + 1;
        if screen.contains("to sign") { Act::Type("yes".to_owned()) } else { honest(screen) }
    });
    assert_eq!(status.code(), Some(4), "{screen}");
    assert!(prompts > 3, "{screen}");
    for stop in 0..prompts {
        let (status, screen) = play(&laptop, &["sign", "a.psbt", "-o", "interrupted.psbt"], |at, screen| {
            if at == stop { Act::Interrupt } else { honest(screen) }
        });
        assert_ne!(status.code(), Some(0), "interrupted at prompt {stop}: {screen}");
    }
    // A session is left in each of these ways at each of these screens; here they take turns.
    for stop in 0..prompts {
        let way = stop % 3;
        let (status, screen) =
            play(&laptop, &["sign", "a.psbt", "-o", "left.psbt"], |at, screen| match (at == stop, way) {
                (false, _) => honest(screen),
                (true, 0) => Act::Type("no".to_owned()),
                (true, 1) => Act::End,
                (true, _) => Act::HangUp,
            });
        assert_ne!(status.code(), Some(0), "way {way} at prompt {stop}: {screen}");
    }
    assert!(
        ["refused", "interrupted", "left"].iter().all(|name| !laptop.path(&format!("{name}.psbt")).exists())
    );
    assert_eq!(laptop.done(&["receipts", "-o", "none.json"])["count"], 0, "nothing was signed so far");

    let (status, screen) = play(&laptop, &["sign", "a.psbt", "-o", "typed.psbt"], |_, screen| honest(screen));
    assert_eq!(status.code(), Some(0), "{screen}");
    assert!(screen.contains("C19 asks") && screen.contains("standalone: only you"), "{screen}");
    assert!(screen.contains(&spend.id().to_string()), "{screen}");
    assert_eq!(laptop.transaction("typed.psbt").compute_txid(), spend.unsigned_txid());
    assert_eq!(laptop.done(&["receipts", "-o", "one.json"])["count"], 1);
}

#[test]
fn a_message_is_read_whole_and_signed_by_the_typed_code_only() {
    let laptop = Laptop::new();
    laptop.done(&["new-key", "--wallet", "main", "--network", "regtest"]);
    let text: String = (0..60).map(|n| format!("clause {n}: \u{202e}nothing\n")).collect();
    std::fs::write(laptop.path("contract"), text).unwrap();
    let sign = |out: &'static str| {
        ["sign-message", "--wallet", "main", "--index", "0", "--message-file", "contract", "-o", out]
    };
    let mut prompts = 0;
    let (status, screen) = play(&laptop, &sign("refused"), |at, screen| {
        prompts = at + 1;
        if screen.contains("to sign it") { Act::Type("yes".to_owned()) } else { honest(screen) }
    });
    assert_eq!(status.code(), Some(4), "{screen}");
    assert!(prompts > 2, "{screen}");
    for stop in 0..prompts {
        let (status, screen) = play(&laptop, &sign("left"), |at, screen| match (at == stop, stop % 3) {
            (false, _) => honest(screen),
            (true, 0) => Act::Interrupt,
            (true, 1) => Act::Type("no".to_owned()),
            (true, _) => Act::End,
        });
        assert_ne!(status.code(), Some(0), "left at prompt {stop}: {screen}");
    }
    assert!(!laptop.path("refused").exists() && !laptop.path("left").exists());
    let messages = || {
        let log = laptop.done(&["log"]);
        log["records"].as_array().unwrap().iter().filter(|record| record["type"] == "message").count()
    };
    assert_eq!(messages(), 0, "nothing was signed so far");

    let (status, screen) = play(&laptop, &sign("signature"), |_, screen| honest(screen));
    assert_eq!(status.code(), Some(0), "{screen}");
    for n in 0..60 {
        assert!(screen.contains(&format!("| clause {n}: \\u{{202e}}nothing")), "{n} in {screen}");
    }
    assert!(std::fs::read_to_string(laptop.path("signature")).unwrap().starts_with("smp"));
    assert_eq!(messages(), 1);
}

#[test]
fn a_vault_that_is_killed_while_it_shows_words_leaves_neither_them_nor_a_dumb_terminal() {
    let laptop = Laptop::new();
    let new_key = ["new-key", "--wallet", "main", "--network", "regtest"];
    let mut words_shown = false;
    let (status, screen) = play(&laptop, &new_key, |_, screen| {
        words_shown = screen.ends_with("Press Enter. ");
        if words_shown { Act::KillVault } else { Act::Type(String::new()) }
    });
    assert!(words_shown, "{screen}");
    assert_eq!(status.code(), Some(1), "{screen}");
    let (_, rest) = screen.rsplit_once("\x1b[H\x1b[2J\x1b[3J").unwrap();
    assert!(rest.starts_with("warning: the new store vault.store holds no key yet"), "{screen:?}");
    // Whoever comes next is told as well, and goes on in the same store.
    let keys = play(&laptop, &["keys"], |_, _| Act::Interrupt);
    assert!(keys.1.contains("this store holds no key yet"), "{}", keys.1);
    laptop.done(&["new-key", "--wallet", "main", "--network", "regtest"]);
}

#[test]
fn a_key_is_restored_though_words_and_the_passphrase_were_mistyped() {
    let laptop = Laptop::new();
    laptop.done(&["new-key", "--wallet", "other", "--network", "regtest"]);
    let restore = ["restore", "--wallet", "main", "--network", "regtest", "--words", "12"];
    let mut paper = vec!["abandon"; 11];
    paper.push("about");
    let mut answers = ["abandon"; 12].to_vec();
    answers.splice(1..1, ["abandn", "", "abandon about"]);
    answers.extend(&paper);
    answers.extend(["", "correct house", "correct horse"]);
    let mut answers = answers.into_iter();
    let (status, screen) = play_typing(&laptop, (24, 80), &restore, |_, screen| {
        Act::Type(answers.next().unwrap_or_else(|| panic!("{screen}")).to_owned())
    });
    assert_eq!((status.code(), answers.next()), (Some(0), None), "{screen}");
    assert_eq!(screen.matches("number 2 is not in the BIP39 list").count(), 3, "{screen}");
    assert_eq!(screen.matches("Type all 12 again, from the first").count(), 1, "{screen}");
    assert_eq!(screen.matches("Passphrase: ").count(), 3, "{screen}");
    for secret in ["aband", "about", "correct"] {
        assert!(!screen.contains(secret), "{secret}: {screen}");
    }
    // The first address of BIP39's best known words, m/84'/1'/0'/0/0.
    let address = laptop.done(&["address", "--wallet", "main", "--index", "0"]);
    assert_eq!(address["address"], "bcrt1q6rz28mcfaxtmd6v789l9rrlrusdprr9pz3cppk");
}

#[test]
fn a_folder_is_gone_through_with_yes_and_skip() {
    let laptop = Laptop::new();
    std::fs::create_dir(laptop.path("stick")).unwrap();
    for wallet in ["one", "three", "two"] {
        laptop.done(&["new-key", "--wallet", wallet, "--network", "regtest"]);
        laptop.write(&format!("stick/{wallet}.psbt"), &laptop.wallet(wallet), None);
    }
    let (status, screen) = play(&laptop, &["sign", "stick"], |_, screen| {
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

    let (status, screen) = play(&laptop, &["sign", "stick"], |_, screen| {
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

    let (status, screen) = play(&laptop, &trust, |_, screen| {
        if screen.contains("to pin it") { Act::Type(company.company.clone()) } else { honest(screen) }
    });
    assert_eq!(status.code(), Some(4), "{screen}");
    assert!(!laptop.path("vault.store").exists());

    let (status, screen) = play(&laptop, &trust, |_, screen| honest(screen));
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
