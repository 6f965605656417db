//! Requests that leave by QR codes, and answers that come by them.

use policies::wallet::ScriptKind;
use psbt_tools::display::words_of;
use psbt_tools::qr::Version;
use psbt_tools::show::{Codes, Content, Form, Pictures};
use serde_json::{Value, json};

use crate::Walk;
use crate::pay::TO;
use crate::people::Vault;

fn funded() -> (Vault, Walk) {
    let vault = Vault::new(ScriptKind::Wpkh, 8);
    let walk = Walk::funded(&vault);
    (vault, walk)
}

/// What another device shows of a file.
fn pictures(walk: &Walk, bytes: &[u8], form: Form, folder: &str) {
    let content = Content::of(bytes.to_vec()).unwrap();
    let codes = Codes::new(&content, form, Version::new(15).unwrap()).unwrap();
    Pictures::Png(&walk.path(folder)).write(&codes).unwrap();
}

#[test]
fn a_request_leaves_and_its_answer_comes_by_qr_codes() {
    let (vault, walk) = funded();
    let pay = format!("pay savings --to {TO}=0.4btc --feerate 5 --purpose rent");
    let paid = walk.done(&format!("{pay} --qr --png request"));
    assert_eq!((&paid["file"], &paid["qr"]["format"]), (&Value::Null, &json!("ur")));
    assert_eq!(walk.state(), "exported");
    // The same bytes as in a file, and again as often as it is needed.
    let again = walk.done("payments export P-0001 --qr=bbqr --gif again.gif -o a.psbt");
    let request = walk.read("a.psbt");
    assert_eq!(paid["qr"]["words"], words_of(&request));
    assert_eq!((&again["qr"]["words"], &again["qr"]["format"]), (&json!(words_of(&request)), &json!("bbqr")));

    let signed = vault.answer(&request, Some(5), Some(8));
    pictures(&walk, &signed, Form::Bbqr, "answer");
    let answer = walk.run("submit --picture answer");
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    assert!(answer.stderr.contains(&words_of(&signed)), "{}", answer.stderr);
    assert_eq!(answer.json()["submitted"][0]["payment"], "P-0001");
    assert_eq!(walk.state(), "broadcast");

    let bumped = walk.done("bump P-0001 --feerate 20 --png bump");
    assert_eq!((&bumped["attempt"], &bumped["qr"]["bytes"].is_u64()), (&json!(2), &true));
}

#[test]
fn what_was_not_shown_is_kept_and_not_made_twice() {
    let (_, walk) = funded();
    let pay = format!("pay savings --to {TO}=0.4btc --feerate 5 --purpose rent");
    // Nothing is made where nothing can be shown or written.
    walk.write("taken", b"");
    walk.refused(&format!("{pay} --png taken"), 3, "exists");
    walk.refused(&pay, 2, "usage");
    assert_eq!(walk.done("payments")["payments"], json!([]));
    // Codes of this version hold no request: the payment is there, and its pictures are not.
    walk.refused(&format!("{pay} --png small --qr-version 1"), 3, "frames");
    assert_eq!(walk.state(), "drafted");
    let resumed = walk.done(&format!("{pay} --png request"));
    assert_eq!((&resumed["payment"], &resumed["resumed"]), (&json!("P-0001"), &json!(true)));
    assert_eq!(walk.state(), "exported");
}

#[test]
fn codes_that_carry_nothing_of_ours_submit_nothing() {
    let (_, walk) = funded();
    pictures(&walk, b"no payment at all", Form::Ur, "note");
    let answer = walk.run("submit --picture note");
    assert_eq!(answer.code, 3, "{}", answer.stderr);
    walk.refused("submit --picture missing", 1, "unreadable");
    walk.refused("submit a.psbt --picture note", 2, "usage");
}
