//! Runs each hostile file with its check switched off, and says what came of it.

#[path = "TESTS/tests/hostile_corpus/authority.rs"]
mod authority;
#[path = "TESTS/src/company.rs"]
mod company;
#[path = "TESTS/tests/hostile_corpus/corpus/mod.rs"]
mod corpus;
#[allow(dead_code, reason = "the honest ones are run elsewhere")]
#[path = "TESTS/tests/hostile_corpus/elsewhere.rs"]
mod elsewhere;

/// What a company asks of a vault of its own; here it has none.
mod vault {
    pub struct Vault;

    impl Vault {
        pub fn call(&mut self, _: cold_wire::RequestBody) -> Option<cold_wire::ReplyBody> {
            None
        }
    }
}

use corpus::desk::Desk;
use corpus::row::Off;
use policies::check::switch_off;

fn main() {
    let mut desk = Desk::open();
    for fixture in corpus::rows::all() {
        let row = fixture.row;
        let behind: &[u8] = match row.off {
            Off::With(behind) => behind,
            Off::Alone | Off::Never(_) => &[],
        };
        let payment = desk.payment(fixture.kind);
        let earlier = fixture.earlier(&mut desk, &payment);
        assert!(earlier, "{}", fixture.name());
        switch_off(&[&[row.check], behind].concat());
        let came = fixture.hostile_again(&mut desk, &payment, row.accepted);
        switch_off(&[]);
        let signed = match row.check {
            28 | 33 => came.is_signed(),
            _ => came.signatures.is_some(),
        };
        say(&fixture.name(), signed, &came.said);
    }
    for kind in elsewhere::KINDS {
        // A signature at a stranger's input does not verify there either.
        switch_off(&[12, 28]);
        let attached = elsewhere::attached(&mut desk, kind, true);
        switch_off(&[32]);
        let message = elsewhere::message(&mut desk, kind);
        switch_off(&[]);
        say(&format!("C12 {}", kind.name()), attached.is_ok(), &[format!("{:?}", attached.err())]);
        say(&format!("C32 {}", kind.name()), message.signatures.is_some(), &message.said);
    }
    let (mut waiting, purse) = elsewhere::waiting();
    for registration in elsewhere::REGISTRATIONS {
        switch_off(&[9]);
        let refused = registration.refused(&mut waiting, &purse);
        switch_off(&[]);
        say(&registration.title(), refused.is_none(), &[format!("{refused:?}")]);
    }
    let mut office = authority::Office::open();
    for case in authority::CASES {
        switch_off(&[34]);
        let came = office.hostile(case);
        switch_off(&[]);
        let signed = came.signatures.is_some();
        say(&case.title(), signed, &came.said);
    }
}

fn say(name: &str, signed: bool, said: &[String]) {
    println!("{name}\t{} {said:?}", if signed { "signed" } else { "not signed" });
}
