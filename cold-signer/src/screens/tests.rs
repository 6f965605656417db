use super::{Shown, Size, pages, text};
use bitcoin::hashes::Hash;
use bitcoin::{Amount, Network, ScriptBuf, Txid, WPubkeyHash};
use cold_wire::{Replaced, Review, ReviewApproval, ReviewChange, Voucher};
use policies::check::{Check, Finding};
use policies::id::{PermitId, SpendId, WalletId};
use policies::request::Recipient;
use policies::wallet::{Branch, Keypath};
use psbt_tools::manifest::{Says, stamp};

fn script(n: u8) -> ScriptBuf {
    ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([n; 20]))
}

pub(crate) fn review() -> Review {
    Review {
        spend: SpendId::from_bytes([0xa1; 32]),
        unsigned_txid: Txid::from_byte_array([0xb2; 32]),
        wallet: "main".to_owned(),
        network: Network::Regtest,
        inputs: 1,
        input_sum: Amount::from_sat(100_000_000),
        recipients: vec![Recipient { script: script(9), amount: Amount::from_sat(1_500_000) }],
        change: vec![ReviewChange {
            recipient: Recipient { script: script(7), amount: Amount::from_sat(98_490_000) },
            keypath: Keypath { branch: Branch::Internal, index: 3 },
        }],
        fee: Amount::from_sat(10_000),
        vsize: 141,
        findings: vec![Finding::pass(Check::FEE, "fine"), Finding::pass(Check::CHANGE, "ours")],
        voucher: None,
        approvals: vec![],
        replaces: vec![],
        authority: None,
        limits: vec![],
        path: vec![],
        timing: vec![],
        signed_before: false,
    }
}

pub(crate) fn permitted() -> Review {
    Review {
        voucher: Some(Voucher {
            company: "Two Friends GmbH".to_owned(),
            requester: "SHA256:abc".to_owned(),
            groups: vec!["payroll".to_owned()],
            payment: 42,
            purpose: "salaries November".to_owned(),
            permit: PermitId::from_bytes([0xc3; 32]),
            sequence: 7,
            bitcoin_time: 1_795_230_000,
            expires: 1_795_240_249,
            policy_version: 3,
        }),
        approvals: ["anna", "ben", "anna"]
            .map(|by| ReviewApproval { by: by.to_owned(), fingerprint: format!("SHA256:{by}") })
            .to_vec(),
        authority: Some("Two Friends GmbH".to_owned()),
        limits: vec!["at most 0.5 BTC in 24 hours, 0.1 BTC used".to_owned()],
        ..review()
    }
}

fn shown(review: &Review) -> String {
    text(
        &Shown {
            file: "salaries-permitted.psbt",
            manifest: None,
            sha256: [0xd4; 32],
            review,
            live_network: &[],
        },
        None,
    )
}

#[test]
fn a_standalone_spend() {
    insta::assert_snapshot!(shown(&review()));
}

#[test]
fn a_permitted_spend() {
    insta::assert_snapshot!(shown(&permitted()));
}

#[test]
fn a_spend_that_the_authority_has_not_permitted_and_that_asks_and_refuses() {
    let review = Review {
        authority: Some("Two Friends GmbH".to_owned()),
        findings: vec![
            Finding::ask(Check::LOCKTIME, "locked until block 999999"),
            Finding::refuse(Check::AUTHORISATION, "there is no permit").hint("ask the gatekeeper"),
            Finding::not_applicable(Check::TAPROOT, "no taproot"),
        ],
        signed_before: true,
        timing: vec!["not before block 999 999".to_owned(), "coin 1: \u{202e}3 blocks".to_owned()],
        recipients: vec![],
        change: vec![],
        ..review()
    };
    insta::assert_snapshot!(shown(&review));
}

#[test]
fn a_spend_that_takes_the_place_of_others() {
    let replaces = [(0xe5, 5_000), (0xe6, 10_000), (0xe7, 20_000)];
    let replaced = |(id, fee)| Replaced { spend: SpendId::from_bytes([id; 32]), fee: Amount::from_sat(fee) };
    insta::assert_snapshot!(shown(&Review { replaces: replaces.map(replaced).to_vec(), ..permitted() }));
}

#[test]
fn mainnet_scripts_without_address_and_hostile_text() {
    let mut data = vec![0x6a, 0x09];
    data.extend(b"hi\x1b[2J\xe2\x80\xae");
    let mut review = permitted();
    review.network = Network::Bitcoin;
    review.recipients.push(Recipient { script: ScriptBuf::from_bytes(data), amount: Amount::ZERO });
    review
        .recipients
        .push(Recipient { script: ScriptBuf::from_bytes(vec![0x51]), amount: Amount::from_sat(1_000) });
    review.wallet = "ma\u{202e}in\u{1b}[31m".to_owned();
    review.findings = vec![Finding::ask(Check::UNUSUAL_OUTPUT, "data: \u{1b}]0;x\u{7}")];
    let shown = shown(&review);
    assert!(!shown.chars().any(|c| c != '\n' && policies::codec::deceives(c)));
    insta::assert_snapshot!(shown);
}

#[test]
fn pages_of_a_small_terminal_with_a_live_network() {
    let review = permitted();
    let interfaces = ["eth0".to_owned(), "wl\u{1b}an0".to_owned()];
    let shown = Shown {
        file: "salaries-permitted.psbt",
        manifest: None,
        sha256: [0xd4; 32],
        review: &review,
        live_network: &interfaces,
    };
    let pages = pages(&shown, Size { rows: 16, columns: 64 });
    assert!(pages.iter().all(|page| page.contains("live network: eth0") && page.contains("REGTEST")));
    insta::assert_snapshot!(pages.join("\n=====\n"));
}

#[test]
fn every_one_of_many_outputs_is_shown() {
    let mut review = review();
    review.recipients = (0..=255)
        .map(|n| Recipient { script: script(n), amount: Amount::from_sat(1_000 + u64::from(n)) })
        .collect();
    let shown = Shown { file: "f", manifest: None, sha256: [0; 32], review: &review, live_network: &[] };
    let all = pages(&shown, Size::default()).join("\n");
    for n in 0..=255u8 {
        let address = bitcoin::Address::from_script(&script(n), Network::Regtest).unwrap().to_string();
        assert!(all.contains(&psbt_tools::display::address_text(&address)), "{n}");
    }
}

#[test]
fn what_the_file_says_of_itself_stands_before_what_the_vault_says_and_is_marked() {
    let review = permitted();
    let says = Says::new("the chief \u{202e}financial officer", Network::Regtest, WalletId::of(b"w"));
    let (mut psbt, form) = (empty(), psbt_tools::form::Form::default());
    let manifest = psbt_tools::manifest::of(&stamp(&mut psbt, &form, &says).unwrap()).unwrap();
    let shown =
        Shown { file: "f", manifest: Some(&manifest), sha256: [0; 32], review: &review, live_network: &[] };
    let text = text(&shown, None);
    let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what}: {text}"));
    assert!(at("nobody has proven it") < at("says: from \"the chief financial officer\""));
    assert!(at("says: from") < at("Purpose") && at("says: of wallet") < at("PAYS"));
}

fn empty() -> bitcoin::Psbt {
    let transaction = bitcoin::Transaction {
        version: bitcoin::transaction::Version::TWO,
        lock_time: bitcoin::absolute::LockTime::ZERO,
        input: vec![],
        output: vec![],
    };
    bitcoin::Psbt::from_unsigned_tx(transaction).unwrap()
}
