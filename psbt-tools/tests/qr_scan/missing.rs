//! Parts that are missing.

use super::canvas::Canvas;
use super::{payment, scan, text};

#[test]
fn missing_parts_are_said_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    for (number, symbol) in payment(2_000, 1).0.iter().take(2).enumerate() {
        std::fs::write(folder.path().join(format!("{number}.png")), Canvas::of(symbol, 3).png()).unwrap();
    }
    let output = scan(folder.path(), &["0.png", "1.png", "-o", "read"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(text(&output.stderr).contains("error: 2 of "), "{output:?}");
    assert!(text(&output.stderr).contains("hint: name pictures of the other parts"), "{output:?}");
    assert!(!folder.path().join("read").exists());
}

#[test]
fn pictures_without_a_payload_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("empty.png"), Canvas::new(300, 300, 90).png()).unwrap();
    let output = scan(folder.path(), &["empty.png"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("no payload in 1 frames"), "{output:?}");
    assert_eq!(scan(folder.path(), &["missing.png"]).status.code(), Some(1));
}
