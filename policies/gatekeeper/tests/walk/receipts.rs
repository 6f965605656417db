//! What vaults say they signed.

use crate::office::{Office, Payment, Said};
use bitcoin::Network;
use bitcoin::hex::DisplayHex;
use policies::codec::Canonical;
use policies::id::PermitId;
use policies::identity::SshSig;
use policies::permit::{Receipt, ReceiptStatement, vault_id};
use policies::request::Head;
use serde_json::{Value, json};

fn code(said: &Said) -> (i32, String) {
    (said.code, said.json()["error"]["code"].as_str().unwrap().to_owned())
}

/// What the vault of a key says of a payment, as the n-th record of its store.
fn statement(
    office: &Office,
    key: &str,
    payment: &Payment,
    n: u8,
    permit: Option<PermitId>,
) -> ReceiptStatement {
    let (spend, _) = office.spend(payment);
    ReceiptStatement {
        network: Network::Regtest,
        wallet: office.wallet.id(),
        head: Head { vault: vault_id(&office.key(key)), sequence: u64::from(n), hash: [n; 32] },
        spend: spend.id(),
        unsigned_txid: spend.unsigned_txid(),
        permit,
    }
}

fn receipt(office: &Office, key: &str, statement: ReceiptStatement) -> Receipt {
    let signature = SshSig::from_armor(&office.sign(key, "airlock-receipt", statement.to_bytes())).unwrap();
    Receipt { statement, signature }
}

/// A list as `cold-signer receipts` writes it.
fn list(office: &Office, key: &str, receipts: &[Receipt]) -> Value {
    json!({
        "vault_id": vault_id(&office.key(key)).to_string(),
        "audit_key": office.key(key).to_string(),
        "receipts": receipts.iter().map(|receipt| receipt.to_bytes().to_lower_hex_string()).collect::<Value>(),
    })
}

fn reconcile(office: &Office, list: &Value) -> Said {
    office.write("receipts.json", list.to_string());
    office.run_json(&["reconcile", "--receipts", "receipts.json"])
}

/// An office with one permitted payment, and the receipt of it.
fn signed() -> Option<(Office, Payment, Receipt)> {
    let office = Office::open()?;
    let payment = Payment::new(1, 10_000_000);
    office.requested(&payment, "1.psbt");
    office.run(&["submit", "1.psbt"]).done();
    let permit = office.permit("1-permitted.psbt").statement.id();
    let receipt = receipt(&office, "audit", statement(&office, "audit", &payment, 5, Some(permit)));
    Some((office, payment, receipt))
}

#[test]
fn a_receipt_under_its_permit_is_taken_once() {
    let Some((office, _, receipt)) = signed() else { return };
    let events = || office.run_json(&["log", "verify"]).done().json()["events"].as_u64().unwrap();
    let before = events();
    let twice = list(&office, "audit", &[receipt.clone(), receipt]);
    let said = reconcile(&office, &twice).done().json();
    assert_eq!(said["permits"][0]["state"], "signed");
    assert_eq!((&said["verdict"], events()), (&"clean".into(), before + 1));
    reconcile(&office, &twice).done();
    assert_eq!(events(), before + 1);
    assert_eq!(office.run_json(&["show"]).done().json()["frozen"], false);
}

#[test]
fn a_receipt_that_no_permit_explains_freezes() {
    let Some((office, payment, good)) = signed() else { return };
    let other = Payment::new(9, 1_000_000);
    let permit = good.statement.permit;
    let of = |payment: &Payment, permit| statement(&office, "audit", payment, 6, permit);
    let mut elsewhere = of(&payment, permit);
    elsewhere.unsigned_txid = of(&other, None).unsigned_txid;
    // The same wallet in a vault for which the permit is not good.
    office.vault("audit-2", "second.json");
    office.run(&["vault", "add", "second.json"]).done();
    let cases = [
        ("a spend that was never permitted", "audit", of(&other, None)),
        ("the permit of another spend", "audit", of(&other, permit)),
        ("another permit", "audit", of(&payment, Some(PermitId::of(b"x")))),
        ("no permit", "audit", of(&payment, None)),
        ("another transaction", "audit", elsewhere),
        ("another vault", "audit-2", statement(&office, "audit-2", &payment, 1, permit)),
    ];
    copy(&office, "ledger", "kept");
    for (name, key, statement) in cases {
        let txid = statement.unsigned_txid.to_string();
        let bad = receipt(&office, key, statement);
        let said = reconcile(&office, &list(&office, key, &[bad]));
        assert_eq!(code(&said), (3, "unauthorised".to_owned()), "{name}");
        let json = said.json();
        let alarm = &json["unauthorised"][0];
        assert_eq!((&alarm["kind"], &alarm["txid"]), (&"receipt".into(), &txid.into()), "{name}");
        assert_eq!((&alarm["wallets"][0], &json["frozen"]), (&"savings".into(), &true.into()), "{name}");
        assert_eq!(office.run_json(&["submit", "1.psbt", "-o", "again.psbt"]).code, 5, "{name}");
        std::fs::remove_dir_all(office.path("ledger")).unwrap();
        copy(&office, "kept", "ledger");
    }
    reconcile(&office, &list(&office, "audit", &[good])).done();
}

#[test]
fn a_vault_with_two_histories_freezes() {
    let Some((office, _, good)) = signed() else { return };
    let mut forked = good.statement.clone();
    forked.head.hash = [99; 32];
    reconcile(&office, &list(&office, "audit", &[good])).done();
    let said = reconcile(&office, &list(&office, "audit", &[receipt(&office, "audit", forked)]));
    assert_eq!(code(&said), (3, "unauthorised".to_owned()));
    let json = said.json();
    let alarm = &json["unauthorised"][0];
    assert_eq!((&alarm["kind"], &alarm["sequence"]), (&"fork".into(), &5.into()));
    assert_eq!(alarm["vault"], vault_id(&office.key("audit")).to_string());
}

#[test]
fn a_list_that_is_no_vault_s_own_is_refused_and_leaves_no_trace() {
    let Some((office, payment, good)) = signed() else { return };
    let mut forged = good.clone();
    forged.statement.head.sequence = 4;
    let foreign = receipt(&office, "audit-2", statement(&office, "audit-2", &payment, 1, None));
    let genuine = list(&office, "audit", std::slice::from_ref(&good));
    let mut renamed = genuine.clone();
    renamed["vault_id"] = vault_id(&office.key("audit-2")).to_string().into();
    let mut longer = genuine.clone();
    longer["receipts"][0] = format!("{}00", genuine["receipts"][0].as_str().unwrap()).into();
    let events = || office.run_json(&["log", "verify"]).done().json()["events"].as_u64().unwrap();
    let before = events();
    for (name, bad) in [
        ("a forged statement", list(&office, "audit", &[good, forged])),
        ("a receipt of another vault", list(&office, "audit", std::slice::from_ref(&foreign))),
        ("a vault that was never added", list(&office, "audit-2", &[foreign])),
        ("another vault id", renamed),
        ("bytes behind a receipt", longer),
        ("no list", json!({})),
        ("no receipts", json!({ "vault_id": genuine["vault_id"], "audit_key": genuine["audit_key"] })),
    ] {
        assert_eq!(code(&reconcile(&office, &bad)), (3, "malformed".to_owned()), "{name}");
    }
    assert_eq!(events(), before);
    reconcile(&office, &genuine).done();
}

#[test]
fn receipts_of_other_wallets_of_the_vault_say_nothing_here() {
    let Some((office, payment, _)) = signed() else { return };
    let mut private = statement(&office, "audit", &payment, 7, None);
    private.wallet = policies::id::WalletId::of(b"a wallet of no policy");
    let before = office.run_json(&["log", "verify"]).done().json();
    reconcile(&office, &list(&office, "audit", &[receipt(&office, "audit", private)])).done();
    assert_eq!(office.run_json(&["log", "verify"]).done().json(), before);
}

fn copy(office: &Office, from: &str, to: &str) {
    std::fs::create_dir_all(office.path(to)).unwrap();
    for entry in std::fs::read_dir(office.path(from)).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), office.path(to).join(entry.file_name())).unwrap();
    }
}

#[test]
fn a_permit_s_trail_leads_from_the_last_one_that_the_vault_surely_used() {
    let Some((office, ..)) = signed() else { return };
    let submit = |number: u32| {
        office.requested(&Payment::new(number, 1_000_000), &format!("{number}.psbt"));
        office.run(&["submit", &format!("{number}.psbt")]).done();
        office.permit(&format!("{number}-permitted.psbt"))
    };
    let first = office.permit("1-permitted.psbt");
    let (second, third) = (submit(2), submit(3));
    assert_eq!((first.trails.len(), first.statement.heads.len()), (0, 0));
    let ids = [&first, &second, &third].map(|permit| permit.statement.id());
    let vault = vault_id(&office.key("audit"));
    assert_eq!(third.trails[0].permits, ids[..2]);
    assert_eq!(third.links(vault).unwrap().len(), 4, "from the beginning to itself");
    // The vault signed the second, as its record 9.
    let used = statement(&office, "audit", &Payment::new(2, 1_000_000), 9, Some(ids[1]));
    let head = used.head;
    reconcile(&office, &list(&office, "audit", &[receipt(&office, "audit", used)])).done();
    let fourth = submit(4);
    assert_eq!(fourth.trails[0].permits, ids[2..]);
    assert_eq!(fourth.statement.heads, [head]);
    let links = fourth.links(vault).unwrap();
    assert_eq!(links[0], (2, second.statement.chain_after(vault).unwrap()));
    office.run(&["submit", "4.psbt", "-o", "again.psbt"]).done();
    assert_eq!(office.permit("again.psbt"), fourth, "with its trail");
    office.run(&["log", "verify"]).done();
}
