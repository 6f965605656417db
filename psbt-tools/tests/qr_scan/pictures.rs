//! Names that are not pictures.

use super::canvas::Canvas;
use super::{json, payment, scan};

#[test]
fn folders_are_read_by_name_and_others_are_named_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let (symbols, bytes) = payment(500, 1);
    std::fs::create_dir_all(folder.path().join("in/deeper")).unwrap();
    for (number, symbol) in symbols.iter().enumerate() {
        let place = if number == 0 { "first.png".to_owned() } else { format!("in/{number}.png") };
        std::fs::write(folder.path().join(place), Canvas::of(symbol, 3).png()).unwrap();
    }
    let output = scan(folder.path(), &["in", "first.png", "-o", "read", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(json(&output)["pictures"], symbols.len());
    assert_eq!(std::fs::read(folder.path().join("read")).unwrap(), bytes);
    assert_eq!(scan(folder.path(), &["in/deeper"]).status.code(), Some(3));
}
