//! The guided first hour: every screen is left in every way, and it goes on where it stopped.

mod common;

use bitcoin::Network;
use bitcoin::bip32::Xpub;
use common::laptop::Laptop;
use common::terminal::{Act, honest, play, play_on};
use common::{account, secp};
use policies::wallet::Wallet;
use psbt_tools::wallet_file::bsms::KeyRecord;
use std::collections::BTreeMap;
use std::process::Command;

const START: [&str; 5] = ["start", "--network", "regtest", "--words", "12"];

/// What the operator has on paper and sees on the node.
#[derive(Default)]
struct Operator {
    paper: BTreeMap<u8, String>,
    address: String,
}

impl Operator {
    fn answer(&mut self, screen: &str) -> Act {
        for line in screen.lines() {
            let numbered = line.trim().split_once(". ").and_then(|(n, word)| Some((n.parse().ok()?, word)));
            if let Some((number, word)) = numbered {
                self.paper.insert(number, word.to_owned());
            }
        }
        let asked = screen.rsplit_once("Word ").and_then(|(_, rest)| rest.strip_suffix(": ")?.parse().ok());
        if let Some(number) = asked {
            return Act::Type(self.paper[&number].clone());
        }
        let answer = |text: &str| Act::Type(text.to_owned());
        match screen.rsplit('\n').next().unwrap() {
            line if line.ends_with("for 24: ") => answer("12"),
            line if line.contains("last 4 characters") => answer(&self.address[self.address.len() - 4..]),
            line if line.contains("Path of the file") => answer("test.psbt"),
            _ => honest(screen),
        }
    }
}

/// How many steps are done, as a program is told.
fn done(laptop: &Laptop) -> usize {
    let (exit, json) = laptop.run(&START);
    let steps = json["steps"].as_array().unwrap_or_else(|| panic!("{json}"));
    let done = steps.iter().filter(|step| step["done"] == true).count();
    assert_eq!(exit, if done == steps.len() { 0 } else { 4 }, "{json}");
    done
}

/// Everything in the folder but programs and passphrases.
fn files(laptop: &Laptop) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(laptop.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !["cold-signer", "cold-vault", "passphrase", "wrong"].contains(&name.as_str()))
        .collect();
    names.sort();
    names
}

/// What the steps leave behind, looked up without a passphrase: the store's kinds of records, and the notes beside it.
fn traces(laptop: &Laptop) -> (usize, usize, String) {
    let log = Command::new(laptop.path("cold-vault"))
        .args(["log", "--json", "--store", "vault.store"])
        .current_dir(laptop.folder.path())
        .output()
        .unwrap();
    let log = String::from_utf8(log.stdout).unwrap();
    let count = |kind: &str| log.matches(&format!("\"type\":\"{kind}\"")).count();
    let notes = std::fs::read_to_string(laptop.path("vault.store.first-hour")).unwrap_or_default();
    (count("key"), count("intent"), notes)
}

/// Leaves every screen of a step, each in the next of these ways; then does the step. `next` is what the following step
/// says first.
fn leave_each_screen(laptop: &Laptop, operator: &mut Operator, next: &str, ways: &[&str]) -> usize {
    let before = (traces(laptop), done(laptop));
    let mut stop = 0;
    loop {
        let way = ways[stop % ways.len()];
        let (mut left, mut beyond) = (false, false);
        let (status, screen) = play(laptop, &START, |at, screen| {
            beyond |= screen.contains(next);
            match (at == stop, way) {
                _ if beyond => return Act::Type("q".to_owned()),
                _ if left => return Act::Interrupt,
                (false, _) => return operator.answer(screen),
                (true, _) => left = true,
            }
            match way {
                "interrupt" => Act::Interrupt,
                "end" => Act::End,
                "gone" => Act::HangUp,
                _ => Act::Type("no".to_owned()),
            }
        });
        if beyond || (status.code() == Some(0) && !left) {
            assert_eq!(done(laptop), before.1 + 1, "{screen}");
            return stop;
        }
        assert_ne!(status.code(), Some(0), "{way} at screen {stop}: {screen}");
        assert_eq!(traces(laptop), before.0, "{way} at screen {stop}: {screen}");
        let known = ["vault.store", "vault.store.first-hour", "main.json", "test.psbt"];
        let stray: Vec<String> =
            files(laptop).into_iter().filter(|name| !known.contains(&name.as_str())).collect();
        // Nobody cleans up behind a terminal that is gone; the next run says so, and does.
        let is_told = way == "gone" && stray == ["vault.store.drill"];
        assert!(stray.is_empty() || is_told, "{way} at screen {stop}: {stray:?}");
        stop += 1;
    }
}

#[test]
fn every_screen_of_the_first_hour_can_be_left_and_it_goes_on_where_it_stopped() {
    let laptop = Laptop::new();
    let mut operator = Operator::default();
    let ways = ["interrupt", "end", "gone", "no"];
    assert_eq!(done(&laptop), 1);
    assert_eq!(files(&laptop), [""; 0], "looking makes nothing");
    let screens = leave_each_screen(&laptop, &mut operator, "DRILL:", &ways);
    assert!(screens >= 9, "the announcement, dice, three pages, four words: {screens}");
    let screens = leave_each_screen(&laptop, &mut operator, "EXPORT:", &["no", "interrupt", "gone", "end"]);
    assert!(screens >= 14, "{screens}");
    assert_eq!(files(&laptop), ["vault.store", "vault.store.first-hour"], "the second store is deleted");
    leave_each_screen(&laptop, &mut operator, "FIRST ADDRESS.", &ways);
    let address = laptop.done(&["address", "--wallet", "main", "--index", "0"]);
    operator.address = address["address"].as_str().unwrap().to_owned();
    leave_each_screen(&laptop, &mut operator, "TEST SPEND,", &ways);
    laptop.write("test.psbt", &laptop.wallet("main"), None);
    leave_each_screen(&laptop, &mut operator, "The first hour is done.", &["interrupt", "end", "gone"]);
    assert!(laptop.path("test-signed.psbt").exists());
    assert_eq!(laptop.done(&["receipts", "-o", "r.json"])["count"], 1, "only the last run signed");
}

#[test]
fn a_mistyped_word_of_the_drill_is_found_at_once_and_the_words_can_be_typed_again() {
    let laptop = Laptop::new();
    let mut operator = Operator::default();
    // The third word misspelt; then twelve of the list that are no backup, and the paper from the first on.
    let (mut drill, mut misspelt, mut round) = (false, false, 0);
    let (status, screen) = play(&laptop, &START, |_, screen| {
        drill |= screen.contains("How many words");
        if screen.contains("EXPORT:") {
            return Act::Type("q".to_owned());
        }
        round += usize::from(drill && screen.ends_with("Word 1: "));
        if drill && screen.ends_with("Word 3: ") && !std::mem::replace(&mut misspelt, true) {
            return Act::Type("zoological".to_owned());
        }
        match operator.answer(screen) {
            Act::Type(_) if drill && round == 1 && screen.contains("Word ") => {
                Act::Type("abandon".to_owned())
            }
            act => act,
        }
    });
    assert_eq!(status.code(), Some(4), "{screen}");
    assert_eq!(screen.matches("number 3 is not in the BIP39 list").count(), 1, "{screen}");
    assert_eq!(screen.matches("their checksum is wrong").count(), 1, "{screen}");
    assert!(screen.contains("The paper is a backup of this wallet.") && round == 2, "{screen}");
    assert!(!screen.contains("zoological"), "{screen}");
    assert_eq!(done(&laptop), 3, "machine, key and drill");
}

#[test]
fn a_paper_of_another_key_and_a_node_with_another_address_are_found_out() {
    let laptop = Laptop::new();
    let mut operator = Operator::default();
    let (status, screen) = play(&laptop, &START, |_, screen| {
        if screen.contains("How many words") {
            // Somebody else's paper.
            for (number, word) in operator.paper.iter_mut() {
                *word = if *number == 12 { "about" } else { "abandon" }.to_owned();
            }
        }
        operator.answer(screen)
    });
    assert_eq!(status.code(), Some(3), "{screen}");
    assert!(screen.contains("the paper is no backup of this wallet"), "{screen}");
    assert_eq!(done(&laptop), 2);
    let (status, screen) = play(&laptop, &START, |_, screen| match screen.rsplit('\n').next().unwrap() {
        _ if screen.contains("DRILL:") => Act::Type("s".to_owned()),
        line if line.contains("last 4 characters") => Act::Type("zzzz".to_owned()),
        _ => operator.answer(screen),
    });
    assert_eq!(status.code(), Some(3), "{screen}");
    assert!(screen.contains("another first address"), "{screen}");
    assert_eq!(done(&laptop), 3, "machine, key and export");
}

#[test]
fn the_export_may_leave_by_qr_codes() {
    let laptop = Laptop::new();
    let mut operator = Operator::default();
    let (status, screen) = play_on(&laptop, (60, 110), &START, |_, screen| match screen {
        _ if screen.contains("DRILL:") => Act::Type("s".to_owned()),
        _ if screen.contains("qr to show it") => Act::Type("qr".to_owned()),
        _ if screen.contains("FIRST ADDRESS") => Act::Type("q".to_owned()),
        _ => operator.answer(screen),
    });
    assert_eq!(status.code(), Some(4), "{screen}");
    let line = format!("[x] {:<13}  shown as QR codes", "export");
    assert!(screen.contains("UR version") && screen.contains(&line), "{screen}");
    assert!(!files(&laptop).iter().any(|name| name.ends_with(".json")), "no file was written");
    assert_eq!(done(&laptop), 3, "machine, key and export");
}

#[test]
fn a_cosigner_is_led_from_the_key_record_to_the_registered_wallet() {
    let laptop = Laptop::new();
    let mut operator = Operator::default();
    let start = ["start", "--network", "regtest", "--words", "12", "--script", "wsh-multi"];
    let (status, screen) = play(&laptop, &start, |_, screen| match screen {
        _ if screen.contains("DRILL:") => Act::Type("s".to_owned()),
        _ if screen.contains("Path of the wallet's file") => Act::Type("q".to_owned()),
        _ => operator.answer(screen),
    });
    assert_eq!(status.code(), Some(4), "{screen}");
    let record = files(&laptop).into_iter().find(|name| name.ends_with(".bsms")).unwrap();
    let record = KeyRecord::parse(&std::fs::read_to_string(laptop.path(&record)).unwrap()).unwrap();
    let stranger = format!("[d34db33f/48'/1'/0'/2']{}", Xpub::from_priv(&secp(), &account()));
    let descriptor = format!("wsh(sortedmulti(2,{}/<0;1>/*,{stranger}/<0;1>/*))", record.key());
    std::fs::write(laptop.path("wallet.txt"), &descriptor).unwrap();

    let mut paths = vec!["wallet.txt", "nowhere"];
    let (status, screen) = play(&laptop, &start, |_, screen| match screen {
        _ if screen.contains("DRILL:") => Act::Type("s".to_owned()),
        _ if screen.contains("Path of the wallet's file") => Act::Type(paths.pop().unwrap().to_owned()),
        _ if screen.contains("EXPORT:") => Act::Type("q".to_owned()),
        _ => operator.answer(screen),
    });
    assert_eq!(status.code(), Some(4), "{screen}");
    assert!(screen.contains("There is no such file.") && screen.contains("[x] wallet"), "{screen}");
    assert_eq!(laptop.wallet("main"), Wallet::new(Network::Regtest, &[descriptor]).unwrap());
    let (exit, json) = laptop.run(&["start"]);
    let done = |step: &serde_json::Value| step["done"].as_bool().unwrap();
    let steps = json["steps"].as_array().unwrap();
    assert_eq!(
        (exit, steps.iter().map(done).collect::<Vec<_>>()),
        (4, [1, 1, 0, 1, 1, 0, 0, 0].map(|n| n == 1).to_vec()),
        "{json}"
    );
}
