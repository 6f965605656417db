//! Wallets of several keys at the console: what a coordinator may bring, and what it may not.

mod common;

use bitcoin::Network;
use bitcoin::bip32::{DerivationPath, Xpriv, Xpub};
use common::laptop::{Laptop, code};
use common::secp;
use common::terminal::{Act, honest, play};
use policies::wallet::Wallet;
use psbt_tools::wallet_file::{Target, bsms, write};
use serde_json::json;

const TOKEN: &str = "a54044308ceac9b7";

/// A stranger's key, by number.
fn stranger(n: u8, network: Network) -> String {
    let master = Xpriv::new_master(network, &[n; 32]).unwrap();
    let path: DerivationPath = "48h/1h/0h/2h".parse().unwrap();
    let key = Xpub::from_priv(&secp(), &master.derive_priv(&secp(), &path).unwrap());
    format!("[{}/48'/1'/0'/2']{key}", master.fingerprint(&secp()))
}

fn multi(keys: &[&str]) -> String {
    let keys: Vec<String> = keys.iter().map(|key| format!("{key}/<0;1>/*")).collect();
    format!("wsh(sortedmulti(2,{}))", keys.join(","))
}

fn wallet(keys: &[&str]) -> Wallet {
    Wallet::new(Network::Regtest, &[multi(keys)]).unwrap()
}

/// A laptop with these cosigner's keys, and those keys.
fn laptop<const N: usize>(names: [&str; N]) -> (Laptop, [String; N]) {
    let laptop = Laptop::new();
    let keys = names.map(|name| {
        let made =
            laptop.done(&["new-key", "--wallet", name, "--network", "regtest", "--script", "wsh-multi"]);
        made["key"].as_str().unwrap().to_owned()
    });
    (laptop, keys)
}

#[test]
fn what_is_not_this_cosigners_wallet_is_refused_and_changes_nothing() {
    let (laptop, [own, branch]) = laptop(["office", "branch"]);
    let [a, b] = [1, 2].map(|n| stranger(n, Network::Regtest));
    let (own, branch, a, b) = (own.as_str(), branch.as_str(), a.as_str(), b.as_str());
    let mainnet = stranger(1, Network::Bitcoin);
    let honest = wallet(&[own, a, b]);
    let record = write(&honest, Target::Bsms, "", None).unwrap();
    let other_record = write(&wallet(&[own, a]), Target::Bsms, "", None).unwrap();
    let elsewhere = json!({
        "wallet": "office", "network": "signet", "vault_id": "00",
        "external": honest.descriptor(policies::wallet::Branch::External),
        "internal": honest.descriptor(policies::wallet::Branch::Internal),
    });
    let token = bsms::Token::parse(TOKEN).unwrap();
    let secret = "tprv8ZgxMBicQKsPd7Uf69XL1XwhmjHopUGep8GuEiJDZmbQz6o58LninorQAfcKZWARbtRtfnLcJ5MQ2AtHcQJCCRUcMRvmDUjyEmNUWwx8UbK";
    let before = std::fs::read(laptop.path("vault.store")).unwrap();
    for (file, exit_code, why) in [
        (multi(&[a, b]), "C09", "no key of this store"),
        (multi(&[&own.replace(&own[1..9], "00000000"), a]), "C09", "no key of this store"),
        (multi(&[&own.replace("/2']", "/1']"), a]), "C09", "no key of this store"),
        (multi(&[own, own, a]), "C09", "twice"),
        (multi(&[own, branch]), "C09", "exactly once"),
        (multi(&[own, &branch.replace(&branch[1..9], "00000000")]), "C09", "exactly once"),
        (multi(&[branch, a]), "C09", "the key of wallet `branch`"),
        (multi(&[own, &mainnet]), "C09", "mainnet"),
        (elsewhere.to_string(), "malformed", "signet"),
        (format!("{}#qqqqqqqq", multi(&[own, a, b])), "malformed", "checksum"),
        (format!("wsh(sortedmulti(2,{own}/<0;1>/*,{secret}/<0;1>/*))"), "malformed", "private key"),
        (record.replace("sortedmulti(2,", "sortedmulti(1,"), "malformed", "first address"),
        (
            record.lines().take(3).chain(other_record.lines().skip(3)).collect::<Vec<_>>().join("\n"),
            "malformed",
            "first address",
        ),
        (bsms::encrypt(record.trim_end(), &token), "malformed", "needs its token"),
        (format!("# {}\u{1b}[2Jwallet\u{202e}", "x".repeat(40)), "malformed", "no wallet description"),
        ("wsh(sortedmulti(2,\u{1b}]0;pwned\u{7}))".to_owned(), "malformed", ""),
        (" ".repeat((1 << 20) + 1), "", ""),
    ] {
        std::fs::write(laptop.path("wallet.file"), &file).unwrap();
        let (exit, json) = laptop.run(&["register", "--wallet", "office", "--file", "wallet.file"]);
        let message = json["error"]["message"].as_str().unwrap_or_else(|| panic!("{file}: {json}"));
        eprintln!("{exit} {} {message}", code(&json));
        assert_eq!((exit, exit_code.is_empty() || code(&json) == exit_code), (3, true), "{file}: {json}");
        assert!(message.contains(why), "{file}: {json}");
        assert!(!json.to_string().contains("prv8") && !message.chars().any(policies::codec::deceives));
        assert_eq!(std::fs::read(laptop.path("vault.store")).unwrap(), before, "{file}");
    }
    std::fs::write(laptop.path("office.bsms"), &record).unwrap();
    let id = honest.id().to_string();
    let other = wallet(&[own, a]).id().to_string();
    let register = ["register", "--wallet", "office", "--file", "office.bsms", "--consent"];
    let (exit, json) = laptop.run(&[&register[..], &[&other]].concat());
    assert_eq!((exit, code(&json)), (3, "other-wallet"), "{json}");
    std::fs::write(laptop.path("token"), "a54044308ceac9b8\n").unwrap();
    std::fs::write(laptop.path("secret.bsms"), bsms::encrypt(record.trim_end(), &token)).unwrap();
    let encrypted = ["register", "--wallet", "office", "--file", "secret.bsms", "--token-file", "token"];
    let (exit, json) = laptop.run(&encrypted);
    assert!(exit == 3 && json["error"]["message"].as_str().unwrap().contains("token does not fit"), "{json}");
    assert_eq!(std::fs::read(laptop.path("vault.store")).unwrap(), before);

    laptop.done(&[&register[..], &[&id]].concat());
    // What is bound is bound: the same again is no news, anything else is refused.
    let bound = std::fs::read(laptop.path("vault.store")).unwrap();
    laptop.done(&[&register[..], &[&id]].concat());
    for (name, descriptor, why) in [
        ("office", multi(&[own, a]), "another descriptor"),
        ("second", multi(&[own, a]), "the key of wallet `office`"),
        ("second", multi(&[own, a, b]), "the key of wallet `office`"),
        ("branch", multi(&[own, a, b]), "the key of wallet `office`"),
        ("off\u{202e}ice", multi(&[branch, a]), ""),
        ("", multi(&[branch, a]), ""),
    ] {
        let (exit, json) = laptop.run(&["register", "--wallet", name, "--descriptor", &descriptor]);
        let message = json["error"]["message"].as_str().unwrap_or_else(|| panic!("{json}"));
        assert_eq!(exit, 3, "{name:?}: {json}");
        assert!(message.contains(why) && !message.chars().any(policies::codec::deceives), "{json}");
    }
    assert_eq!(std::fs::read(laptop.path("vault.store")).unwrap(), bound, "nothing was appended");
}

#[test]
fn a_cosigner_reads_everything_and_nothing_is_registered_before_the_code() {
    let (laptop, [own]) = laptop(["office"]);
    let [a, b] = [1, 2].map(|n| stranger(n, Network::Regtest));
    let honest_wallet = wallet(&[&own, &a, &b]);
    let record = write(&honest_wallet, Target::Bsms, "", None).unwrap();
    let token = bsms::Token::parse(TOKEN).unwrap();
    std::fs::write(laptop.path("office.bsms"), bsms::encrypt(record.trim_end(), &token)).unwrap();
    let before = std::fs::read(laptop.path("vault.store")).unwrap();
    let register = ["register", "--wallet", "office", "--file", "office.bsms"];
    let answer = |screen: &str| match screen.contains("token, Enter to stop") {
        true => Act::Type(TOKEN.to_owned()),
        false => honest(screen),
    };
    let ways: [fn() -> Act; 4] =
        [|| Act::Type("no".to_owned()), || Act::Interrupt, || Act::End, || Act::HangUp];
    let mut stop = 0;
    let screen = loop {
        let mut was_left = false;
        let (status, screen) = play(&laptop, &register, |at, screen| {
            if at != stop {
                return answer(screen);
            }
            was_left = true;
            ways[stop % ways.len()]()
        });
        if !was_left {
            assert_eq!(status.code(), Some(0), "{screen}");
            break screen;
        }
        assert_ne!(status.code(), Some(0), "{screen}");
        assert_eq!(
            std::fs::read(laptop.path("vault.store")).unwrap(),
            before,
            "left at screen {stop}: {screen}"
        );
        stop += 1;
    };
    assert!(stop >= 3, "the token, pages, the code: {stop}");
    let plain = screen.replace(['\r', '\n', ' ', '>'], "");
    for key in [&own, &a, &b] {
        assert!(plain.contains(key.as_str()), "{key}: {screen}");
    }
    assert_eq!(screen.matches("THIS VAULT").count(), 1, "{screen}");
    for words in honest_wallet.id().words().split(' ').collect::<Vec<_>>().chunks(6) {
        assert!(screen.contains(&words.join(" ")), "{words:?}: {screen}");
    }
    assert!(screen.contains("2 of 3") && screen.contains(&honest_wallet.id().to_string()), "{screen}");
    assert_eq!(laptop.wallet("office"), honest_wallet, "the export is the vault's word for it");
}
