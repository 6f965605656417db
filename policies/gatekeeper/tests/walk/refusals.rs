//! What is refused, with which codes, and how it reads.

use crate::office::{Office, Payment};
use policies::request::SignedRequest;

#[test]
fn a_payment_above_a_limit_is_refused_with_every_limit() {
    let Some(office) = Office::open() else { return };
    let mut payment = Payment::new(1, 60_000_000);
    payment.fee = 15_000;
    office.requested(&payment, "fine.psbt");
    office.run(&["check", "fine.psbt"]).done();
    for number in [2, 3] {
        office.requested(&Payment::new(number, 90_000_000), &format!("{number}.psbt"));
        office.run(&["submit", &format!("{number}.psbt")]).done();
    }
    assert_eq!(office.run_json(&["submit", "fine.psbt"]).refusals(), ["limit-per-window"]);
    assert!(!office.exists("fine-permitted.psbt"));
    // 1 BTC leaves with the fee on top: the ceiling counts the fee.
    let policy = std::fs::read_to_string(office.path("policy.toml")).unwrap();
    office.write("policy.toml", policy.replace("per_payment = \"1 BTC\"", "per_payment = \"0.6 BTC\""));
    std::fs::remove_dir_all(office.path("ledger")).unwrap();
    office.run(&["init", "--policy", "policy.toml", "--permit-key", "permit"]).done();
    office.vault("audit", "savings.json");
    office.run(&["vault", "add", "savings.json"]).done();
    assert_eq!(office.run_json(&["submit", "fine.psbt"]).refusals(), ["limit-per-payment"]);
}

#[test]
fn a_fee_is_judged_by_the_policy_s_own_ceiling() {
    let Some(office) = Office::open() else { return };
    let mut payment = Payment::new(1, 10_000_000);
    payment.fee = 19_000;
    office.requested(&payment, "1.psbt");
    office.run(&["check", "1.psbt"]).done();
    payment.recipients[0].value = bitcoin::Amount::from_sat(500_000);
    office.requested(&payment, "2.psbt");
    assert_eq!(office.run_json(&["check", "2.psbt"]).refusals(), ["C16", "limit-fee"]);
}

#[test]
fn nobody_pays_whom_no_rule_allows() {
    let Some(office) = Office::open() else { return };
    office.requested_by("stranger", &Payment::new(1, 10_000_000), "1.psbt");
    assert_eq!(office.run_json(&["submit", "1.psbt"]).refusals(), ["not-allowed"]);
    let payment = Payment::new(2, 10_000_000);
    office.unsigned(&payment, office.request(&payment), "2.psbt");
    assert_eq!(office.run_json(&["submit", "2.psbt"]).refusals(), ["C34"]);
}

#[test]
fn a_request_permits_only_what_it_asks_for() {
    let Some(office) = Office::open() else { return };
    office.requested(&Payment::new(1, 10_000_000), "1.psbt");
    let genuine = office.signed_request("1.psbt");
    // The node puts the genuine request on a payment of more.
    let mut more = Payment::new(1, 20_000_000);
    office.file(&more, &genuine, "more.psbt");
    assert_eq!(office.run_json(&["submit", "more.psbt"]).refusals(), ["C34"]);
    // Or changes the request under its signature.
    more.recipients[0].value = bitcoin::Amount::from_sat(20_000_000);
    let forged = SignedRequest { request: office.request(&more), signature: genuine.signature.clone() };
    office.file(&more, &forged, "forged.psbt");
    assert_eq!(office.run_json(&["submit", "forged.psbt"]).refusals(), ["C34"]);
    office.run(&["submit", "1.psbt"]).done();
}

#[test]
fn a_coin_is_reserved_once_and_taken_only_by_who_says_so() {
    let Some(office) = Office::open() else { return };
    office.requested(&Payment::new(1, 10_000_000), "1.psbt");
    office.run(&["submit", "1.psbt"]).done();
    // Another request over the same coin that does not say that it replaces the first.
    let mut other = Payment::new(2, 5_000_000);
    other.coin = 1;
    office.requested(&other, "2.psbt");
    assert_eq!(office.run_json(&["submit", "2.psbt"]).refusals(), ["not-replaceable"]);
    // Another request for the very same spend.
    let mut twin = Payment::new(3, 10_000_000);
    twin.coin = 1;
    office.requested(&twin, "3.psbt");
    assert_eq!(office.run_json(&["submit", "3.psbt"]).refusals(), ["C34"]);
}

#[test]
fn an_unknown_wallet_is_refused() {
    let Some(office) = Office::without_vault() else { return };
    office.requested(&Payment::new(1, 10_000_000), "1.psbt");
    // The file says so itself, before anything is judged.
    assert_eq!(office.run_json(&["submit", "1.psbt"]).code(), (3, "other-wallet".to_owned()));
    let mut psbt = bitcoin::Psbt::deserialize(&std::fs::read(office.path("1.psbt")).unwrap()).unwrap();
    psbt_tools::manifest::remove(&mut psbt);
    office.write("silent.psbt", psbt.serialize());
    let said = office.run_json(&["submit", "silent.psbt"]);
    assert_eq!(said.code, 3);
    assert_eq!(said.json()["verdict"], "refused");
}

#[test]
fn a_manifest_that_lies_is_refused_or_only_shown() {
    let Some(office) = Office::open() else { return };
    let payment = Payment::new(1, 10_000_000);
    office.requested(&payment, "1.psbt");
    let request = office.request(&payment);
    let said = |says: psbt_tools::manifest::Says, name: &str| {
        let bytes = std::fs::read(office.path("1.psbt")).unwrap();
        let mut psbt = bitcoin::Psbt::deserialize(&bytes).unwrap();
        let bytes = psbt_tools::manifest::stamp(&mut psbt, &psbt_tools::form::Form::default(), &says);
        office.write(name, bytes.unwrap());
        office.run_json(&["check", name])
    };
    let about = |request| psbt_tools::manifest::Says::about("the chief financial officer", request);
    let shown = said(about(&request), "sender.psbt").done().json();
    assert_eq!(shown["manifest"]["sender"], "the chief financial officer", "a claim, and shown as one");
    let other = policies::request::Request { purpose: "another".to_owned(), ..request.clone() };
    assert_eq!(said(about(&other), "request.psbt").code(), (3, "manifest".to_owned()));
    let wallet = policies::id::WalletId::of(b"another");
    let elsewhere = psbt_tools::manifest::Says::new("desk", request.network, wallet);
    assert_eq!(said(elsewhere, "wallet.psbt").code(), (3, "manifest".to_owned()));
    let mut bytes = std::fs::read(office.path("1.psbt")).unwrap();
    let at = bytes.len() - 6;
    bytes[at] ^= 1;
    office.write("damaged.psbt", bytes);
    let damaged = office.run_json(&["submit", "damaged.psbt", "-o", "never.psbt"]);
    assert_eq!(damaged.code(), (3, "damaged".to_owned()));
    assert!(damaged.message().contains("damaged on its way") && !office.exists("never.psbt"));
}

#[test]
fn errors_say_what_was_found_and_what_to_do() {
    let Some(office) = Office::open() else { return };
    office.write("noise.psbt", "not a PSBT");
    office.requested(&Payment::new(1, 10_000_000), "1.psbt");
    office.write("taken.psbt", "mine");
    office.write("bad.toml", "schema = \"airlock-policy/1\"\n[[limit]]\nper_payment = 1\n");
    let payment = Payment::new(2, 10_000_000);
    office.unsigned(&payment, office.request(&payment), "unsigned.psbt");
    let shown = [
        office.error(&["submit", "noise.psbt"]),
        office.error(&["submit", "missing.psbt"]),
        office.error(&["submit", "1.psbt", "-o", "taken.psbt"]),
        office.error(&["submit", "1.psbt", "unsigned.psbt", "-o", "out.psbt"]),
        office.error(&["submit", "unsigned.psbt"]),
        office.error(&["submit", "1.psbt", "--accept", "C99"]),
        office.error(&["init", "--policy", "policy.toml", "--permit-key", "permit"]),
        office.error(&["policy", "check", "bad.toml"]),
        office.error(&["request", "unsigned.psbt", "--key", "nobody", "-o", "out.psbt"]),
        office.error(&["vault", "add", "policy.toml"]),
    ];
    std::fs::rename(office.path("ledger"), office.path("moved")).unwrap();
    let shown = shown.join("\n") + "\n" + &office.error(&["show"]);
    std::fs::rename(office.path("moved"), office.path("ledger")).unwrap();
    insta::assert_snapshot!(shown);
    assert_eq!(std::fs::read(office.path("taken.psbt")).unwrap(), b"mine");
    assert_eq!(office.run_json(&["log", "verify"]).done().json()["events"], 2, "nothing was reserved");
}

#[test]
fn a_wrong_file_is_named_as_such_and_a_private_key_is_never_shown() {
    let Some(office) = Office::open() else { return };
    for wrong in [&b"{}"[..], b"", b"\x89PNG\r\n\x1a\n"] {
        let name = format!("wrong-{}", wrong.len());
        office.write(&name, wrong);
        let said = office.run(&["reconcile", "--facts", &name]);
        assert_eq!(said.code, 3, "{said:?}");
        assert!(
            said.stderr.contains("this is no facts file: `watch-node facts -o F` writes one"),
            "{said:?}"
        );
    }
    let key = std::fs::read_to_string(office.path("permit")).unwrap();
    let said = office.run(&["policy", "check", "permit"]);
    assert_eq!(said.code, 3, "{said:?}");
    let shown = said.stdout + &said.stderr;
    assert!(shown.contains("a private key"), "{shown}");
    assert!(key.lines().skip(1).all(|line| line.starts_with("---") || !shown.contains(line)), "{shown}");
}
