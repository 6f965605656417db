//! A company whose wallet has three keys at three vaults, from the key records to a mined payment, by the command lines
//! that its people use and with a real Bitcoin Core.

use airlock_tests::bitcoind::Bitcoind;
use airlock_tests::company::{GATE, permit};
use airlock_tests::funding::Fund;
use airlock_tests::office::{Office, SUPPLIER};
use bitcoin::{Address, Amount, Network, Psbt, TxOut};
use policies::codec::Canonical;
use policies::permit::Permit;
use psbt_tools::envelope::{Envelope, Kind};
use serde_json::Value;

const VAULTS: [&str; 3] = ["A", "B", "C"];

/// The capitals are keys, written into it when they are made.
const POLICY: &str = r#"schema  = "airlock-policy/1"
company = "Three Vaults AG"
version = 1
network = "regtest"

[people]
desk = "DESK"
anna = "ANNA"
ben = "BEN"
managers = ["anna", "ben"]

[wallet.office]

[[allow]]
name = "Desk pays anyone"
requesters = "desk"
wallet = "office"
to = ["anyone"]

[[require]]
name = "Both managers see the large ones"
above = { window = "24 hours", amount = "0.1 BTC" }
approvals = [{ from = "managers", count = 2 }]
"#;

/// What other programs read, and as what our own reader knows it again.
const FORMATS: [(&str, &str); 7] = [
    ("json", "export"),
    ("descriptor", "descriptor"),
    ("bsms", "bsms"),
    ("bip388", "bip388"),
    ("coldcard", "coldcard"),
    ("core", "core"),
    ("specter", "specter"),
];

#[test]
fn a_company_pays_from_a_wallet_of_three_vaults() {
    let Some(core) = Bitcoind::start() else { return };
    let office = Office::open();
    if !office.found_company_by(POLICY, &["desk", "anna", "ben"]) {
        return;
    }
    let fund = Fund::open(&core, 2);
    let (url, cookie) = (core.url(), core.cookie());
    office
        .node(&format!("init --network regtest --chain core --url {url} --cookie-file {}", cookie.display()));
    office.node("trust gate/authority.pub");
    let first_address = registered_by_rounds(&office);
    for store in VAULTS {
        office.node(&format!("wallet import office --file {store}.json"));
    }
    // The gatekeeper hears of the vault B later.
    office.gate("vault add A.json");
    office.gate("vault add C.json");
    assert_eq!(give(&office, &fund), first_address, "the node derives what every vault derives");
    give(&office, &fund);

    // The first payment: A signs, then C what A has signed.
    let spend = approved(&office, "first", "0.4btc");
    let stolen = permit(GATE, permit_of(&office, "first-permitted.psbt").statement).to_bytes();
    office.write("stolen.psbt", with(&office, "first-permitted.psbt", Kind::Permit, vec![stolen]));
    refused(&office, "B", "first-permitted.psbt", &spend, "the permit is for another vault");
    for store in VAULTS {
        refused(&office, store, "stolen.psbt", &spend, "the permit is not by Three Vaults AG");
    }
    refused(&office, "A", "first-request.psbt", &spend, "no permit came");
    sign(&office, "A", "first-permitted.psbt", &spend, "first-A.psbt");
    let said = office.run("watch-node submit first-A.psbt --data node --json");
    assert_eq!((said.code, said.json()["waiting"][0]["payment"].as_str()), (4, Some("P-0001")), "{said:?}");
    sign(&office, "C", "first-A.psbt", &spend, "first-AC.psbt");
    assert_eq!(submitted(&office, &core, &fund, "first-AC.psbt"), "P-0001");

    // The second: all three are named now. C signs, B signs the same file, and the node unites what they bring.
    office.gate("vault add B.json");
    let spend = approved(&office, "second", "0.3btc");
    office.write("reused.psbt", office.read("second-permitted.psbt"));
    for kind in [Kind::Request, Kind::Approval, Kind::Permit] {
        let papers = documents(&office, "first-permitted.psbt", kind);
        office.write("reused.psbt", with(&office, "reused.psbt", kind, papers));
    }
    for store in VAULTS {
        refused(&office, store, "reused.psbt", &spend, "changed since the permit");
    }
    let second = permit_of(&office, "second-permitted.psbt").statement;
    let mut places: Vec<u64> = second.vaults.iter().map(|vault| vault.sequence).collect();
    places.sort_unstable();
    assert_eq!(places, [1, 2, 2], "it is the first for B");
    sign(&office, "C", "second-permitted.psbt", &spend, "second-C.psbt");
    sign(&office, "B", "second-permitted.psbt", &spend, "second-B.psbt");
    assert_eq!(submitted(&office, &core, &fund, "second-B.psbt second-C.psbt"), "P-0002");

    let mut receipts = String::new();
    for (store, count) in VAULTS.iter().zip([1, 1, 2]) {
        let told = office.signer_done(store, &format!("receipts -o receipts-{store}.json"));
        assert_eq!(told["count"], count, "{store}: what was refused left nothing");
        office.signer_done(store, "log --verify");
        receipts.push_str(&format!(" --receipts receipts-{store}.json"));
    }
    fund.mine(6);
    office.node("sync");
    assert_eq!(office.node(&format!("reconcile{receipts}"))["verdict"], "clean");
    office.node("facts -o facts.bin");
    let told = office.gate(&format!("reconcile --facts facts.bin{receipts}"));
    assert_eq!(told["verdict"], "clean", "{told}");
}

/// BIP129 between three vaults and a coordinator; gives the first address.
fn registered_by_rounds(office: &Office) -> Value {
    office.write("token", "a54044308ceac9b7\n");
    for store in VAULTS {
        let told = office.session(
            store,
            &[
                "trust --authority gate/authority.pub".to_owned(),
                "new-key --wallet office --network regtest --script wsh-multi --words-unseen".to_owned(),
                format!("export --wallet office --format bsms -o {store}.bsms"),
            ],
        );
        assert_eq!(
            (&told[1]["wallet_id"], told[1]["authority"].is_object()),
            (&Value::Null, true),
            "{told:?}"
        );
    }
    let coordinate = "psbt-tools multisig --threshold 2 --network regtest A.bsms B.bsms C.bsms";
    let made = office.done(&format!("{coordinate} -o wallet.bsms"));
    office.done(&format!("{coordinate} --token-file token -o secret.bsms"));
    let id = made["wallet_id"].as_str().unwrap();
    let told = office.signer("B", "register --wallet office --file secret.bsms --json");
    assert!(told.code == 3 && told.stderr.contains("it needs its token"), "{told:?}");

    let mut addresses = Vec::new();
    for (store, file) in VAULTS.iter().zip(["wallet.bsms", "secret.bsms --token-file token", "wallet.bsms"]) {
        let mut lines = vec![
            format!("register --wallet office --file {file} --consent {id}"),
            format!("export --wallet office -o {store}.json"),
            "address --wallet office --index 0".to_owned(),
        ];
        if *store == "A" {
            for (format, _) in FORMATS {
                let file = format!("office.{format}");
                lines.push(format!("export --wallet office --format {format} -o {file}"));
                // The same wallet again, from whatever file, changes nothing.
                lines.push(format!("register --wallet office --file {file}"));
            }
        }
        let told = office.session(store, &lines);
        assert_eq!((&told[0]["wallet_id"], &told[0]["words"]), (&made["wallet_id"], &made["words"]));
        let keys = told[0]["keys"].as_array().unwrap();
        assert_eq!(keys.len(), 3);
        assert_eq!(keys.iter().filter(|key| key["ours"] == true).count(), 1, "{keys:?}");
        assert!(told[1]["authority"].is_string() && told[1]["external"].is_string(), "{told:?}");
        addresses.push(told[2]["address"].clone());
        assert!(told.iter().skip(4).step_by(2).all(|again| again["wallet_id"] == id), "{told:?}");
    }
    addresses.dedup();
    assert_eq!(addresses.len(), 1);
    for (format, read_as) in FORMATS {
        let read = office.done(&format!("psbt-tools wallet office.{format} --network regtest"));
        assert_eq!((read["wallet_id"].as_str(), read["format"].as_str()), (Some(id), Some(read_as)));
    }
    addresses.remove(0)
}

/// A coin of 1 BTC at the next address, which it gives.
fn give(office: &Office, fund: &Fund<'_>) -> Value {
    let issued = office.node("address office")["address"].clone();
    let address: Address<_> = issued.as_str().unwrap().parse().unwrap();
    let script_pubkey = address.require_network(Network::Regtest).unwrap().script_pubkey();
    fund.pay(vec![TxOut { value: Amount::ONE_BTC, script_pubkey }]);
    fund.mine(1);
    office.node("sync");
    issued
}

/// A payment that needs both managers: `NAME-request.psbt`, `NAME-permitted.psbt`; gives the spend.
fn approved(office: &Office, name: &str, amount: &str) -> String {
    let pay = office
        .node(&format!("pay office --to {SUPPLIER}={amount} --feerate 5 --purpose rent -o {name}.psbt"));
    office.done(&format!("gatekeeper request {name}.psbt --key desk -o {name}-request.psbt"));
    let early = format!("gatekeeper submit {name}-request.psbt -o {name}-early.psbt --data gate --json");
    assert_eq!(office.run(&early).code, 4, "approvals are missing");
    for manager in ["anna", "ben"] {
        let file = format!("{name}-{manager}.psbt");
        office.done(&format!("gatekeeper approve {name}-request.psbt --key {manager} -o {file}"));
    }
    let line = format!("psbt-tools combine {name}-anna.psbt {name}-ben.psbt -o {name}-approved.psbt");
    assert_eq!(office.run(&line).code, 0, "{line}");
    office.gate(&format!("issue {name}-approved.psbt -o {name}-permitted.psbt"));
    pay["spend_id"].as_str().unwrap().to_owned()
}

fn sign(office: &Office, store: &str, file: &str, spend: &str, out: &str) {
    let told = office.signer_done(store, &format!("sign {file} --consent {spend} -o {out}"));
    assert_eq!(told["signatures"], 1, "{told}");
}

/// A vault does not sign a file, whatever is consented to.
fn refused(office: &Office, store: &str, file: &str, spend: &str, why: &str) {
    let said = office.signer(store, &format!("sign {file} --consent {spend} -o never.psbt --json"));
    let error = &said.json()["error"];
    assert_eq!(said.code, 3, "{store} {file}: {said:?}");
    assert!(error["message"].as_str().unwrap().contains(why), "{store} {file}: {error}");
    assert!(!office.path("never.psbt").exists());
}

/// Submits, mines, and gives the payment's number.
fn submitted(office: &Office, core: &Bitcoind, fund: &Fund<'_>, files: &str) -> String {
    let told = office.node(&format!("submit {files}"));
    let (payment, txid) = (&told["submitted"][0]["payment"], told["submitted"][0]["txid"].as_str().unwrap());
    fund.mine(1);
    let block = core.block(None);
    assert!(block.txdata.iter().any(|mined| mined.compute_txid().to_string() == txid), "{told}");
    office.node("sync");
    payment.as_str().unwrap().to_owned()
}

fn permit_of(office: &Office, file: &str) -> Permit {
    Permit::from_bytes(&documents(office, file, Kind::Permit)[0]).unwrap()
}

fn documents(office: &Office, file: &str, kind: Kind) -> Vec<Vec<u8>> {
    let psbt = Psbt::deserialize(&office.read(file)).unwrap();
    Envelope::read(&psbt).unwrap().get(kind).map(<[u8]>::to_vec).collect()
}

/// A file with other documents of a kind in the place of its own.
fn with(office: &Office, file: &str, kind: Kind, papers: Vec<Vec<u8>>) -> Vec<u8> {
    let mut psbt = Psbt::deserialize(&office.read(file)).unwrap();
    let mut envelope = Envelope::read(&psbt).unwrap();
    envelope.replace(kind, papers).unwrap();
    // Whoever changes a file on its way leaves no manifest that would give them away.
    envelope.replace(Kind::Manifest, vec![]).unwrap();
    envelope.write(&mut psbt);
    psbt.serialize()
}
