//! Which vaults are added, and which exports are no vault's.

use crate::office::{Office, Payment};
use policies::permit::vault_id;
use serde_json::Value;

#[test]
fn a_genuine_export_is_added_once() {
    let Some(office) = Office::without_vault() else { return };
    office.vault("audit", "savings.json");
    let said = office.run_json(&["vault", "add", "savings.json"]).done().json();
    assert_eq!(said["vault_id"], vault_id(&office.key("audit")).to_string());
    assert_eq!(
        (&said["audit_key"], &said["added"]),
        (&office.key("audit").fingerprint().into(), &true.into())
    );
    assert_eq!(office.run_json(&["vault", "add", "savings.json"]).done().json()["added"], false);
    assert_eq!(office.run_json(&["log", "verify"]).done().json()["events"], 2);
}

#[test]
fn an_export_that_its_audit_key_did_not_sign_is_refused() {
    let Some(office) = Office::without_vault() else { return };
    type Edit<'a> = (&'a str, &'a dyn Fn(&mut Value));
    let edits: [Edit<'_>; 11] = [
        ("a line break", &|e| e["external"] = format!("{}\n", e["external"].as_str().unwrap()).into()),
        ("no signature", &|e| drop(e.as_object_mut().unwrap().remove("signature"))),
        ("another wallet name", &|e| e["wallet"] = "other".into()),
        ("another network", &|e| e["network"] = "signet".into()),
        ("swapped descriptors", &|e| {
            let external = e["external"].take();
            e["external"] = e["internal"].take();
            e["internal"] = external;
        }),
        ("another birthday", &|e| e["birthday"] = 2.into()),
        ("no birthday", &|e| drop(e.as_object_mut().unwrap().remove("birthday"))),
        ("another authority", &|e| e["authority"] = "00".repeat(32).into()),
        ("an authority that is none", &|e| e["authority"] = true.into()),
        ("another audit key", &|e| e["audit_key"] = office.key("audit-2").to_string().into()),
        ("another key and id", &|e| {
            e["audit_key"] = office.key("audit-2").to_string().into();
            e["vault_id"] = vault_id(&office.key("audit-2")).to_string().into();
        }),
    ];
    for (name, edit) in edits {
        let mut export = office.export("audit");
        edit(&mut export);
        office.write("export.json", export.to_string());
        let said = office.run_json(&["vault", "add", "export.json"]);
        assert_eq!((said.code, &said.json()["error"]["code"]), (3, &"malformed".into()), "{name}");
    }
    office.vault("audit", "export.json");
    office.run(&["vault", "add", "export.json"]).done();
}

#[test]
fn a_key_that_does_not_obey_this_gatekeeper_is_refused() {
    let Some(office) = Office::without_vault() else { return };
    let own = office.authority();
    let refused = |export: Value, found: &str| {
        office.write("export.json", export.to_string());
        let said = office.run_json(&["vault", "add", "export.json"]);
        let error = &said.json()["error"];
        assert_eq!((said.code, &error["code"]), (3, &"authority".into()));
        assert!(error["message"].as_str().unwrap().contains(found), "{error}");
        assert!(error["hint"].as_str().unwrap().contains("cold-signer trust"), "{error}");
    };
    refused(office.export_obeying("audit", None), "standalone");
    let mut silent = office.export_obeying("audit", None);
    silent.as_object_mut().unwrap().remove("authority");
    refused(silent, "standalone");
    refused(office.export_obeying("audit", Some(&"ab".repeat(32))), &own);
    // The authority is signed for: a standalone key cannot be passed off as one that obeys.
    let mut forged = office.export_obeying("audit", None);
    forged["authority"] = own.as_str().into();
    office.write("forged.json", forged.to_string());
    assert_eq!(office.run_json(&["vault", "add", "forged.json"]).json()["error"]["code"], "malformed");
    assert_eq!(office.run_json(&["log", "verify"]).done().json()["events"], 1);
    office.vault("audit", "savings.json");
    assert_eq!(office.run_json(&["vault", "add", "savings.json"]).done().json()["authority"], own.as_str());
}

#[test]
fn a_file_s_name_does_not_reach_the_terminal_raw() {
    let Some(office) = Office::open() else { return };
    let names = ["1\u{1b}[2J.psbt", "2\u{202e}.psbt"];
    for (number, name) in (1..).zip(names) {
        office.requested(&Payment::new(number, 1_000_000), name);
    }
    let said = office.run(&["submit", names[0], names[1]]).done();
    let shown = said.stdout + &said.stderr;
    assert!(shown.contains("1\\u{1b}[2J.psbt:") && shown.contains("2\\u{202e}-permitted.psbt"), "{shown}");
    assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown}");
}

#[test]
fn a_vault_that_the_policy_does_not_expect_is_refused() {
    let Some(office) = Office::without_ledger() else { return };
    let policy = std::fs::read_to_string(office.path("policy.toml")).unwrap();
    let listed = format!("[wallet.savings]\nvaults = \"{}\"", office.key("audit-2"));
    office.write("policy.toml", policy.replace("[wallet.savings]", &listed));
    office.run(&["init", "--policy", "policy.toml", "--permit-key", "permit"]).done();
    office.vault("audit", "first.json");
    let refused = |arguments: &[&str]| {
        let said = office.run_json(arguments);
        assert_eq!((said.code, &said.json()["error"]["code"]), (3, &"vault".into()));
        said.json()["error"]["message"].as_str().unwrap().to_owned()
    };
    assert!(refused(&["vault", "add", "first.json"]).contains("does not list"));
    office.vault("audit-2", "second.json");
    assert!(refused(&["vault", "add", "second.json", "--wallet", "other"]).contains("no wallet `other`"));
    office.run(&["vault", "add", "second.json"]).done();
}
