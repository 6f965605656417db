//! A symbol as SVG.

use super::{QUIET, SCALE, Symbol};
use std::fmt::Write;

/// The picture: black on white, one path.
pub fn svg(symbol: &Symbol) -> String {
    let modules = symbol.width(QUIET);
    let pixels = modules.saturating_mul(SCALE);
    let mut path = String::new();
    for y in 0..modules {
        let mut x = 0;
        while x < modules {
            let run = (x..modules).take_while(|x| symbol.is_dark(*x, y, QUIET)).count();
            if run > 0 {
                // Writing to a string does not fail.
                let _ = write!(path, "M{x} {y}h{run}v1h-{run}z");
            }
            x = x.saturating_add(run).saturating_add(1);
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{pixels}\" height=\"{pixels}\" \
         viewBox=\"0 0 {modules} {modules}\" shape-rendering=\"crispEdges\">\
         <path fill=\"#fff\" d=\"M0 0h{modules}v{modules}h-{modules}z\"/><path d=\"{path}\"/></svg>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qr::Version;

    #[test]
    fn its_path_covers_every_dark_module_once() {
        let symbol = Symbol::of("SVG", Version::new(2).unwrap()).unwrap();
        let text = svg(&symbol);
        let path = text.split("<path d=\"").nth(1).unwrap().split('"').next().unwrap();
        let mut dark = Vec::new();
        for run in path.split_terminator('z') {
            let (start, rest) = run[1..].split_once('h').unwrap();
            let (x, y) = start.split_once(' ').unwrap();
            let (x, y): (usize, usize) = (x.parse().unwrap(), y.parse().unwrap());
            let run: usize = rest.split('v').next().unwrap().parse().unwrap();
            dark.extend((x..x + run).map(|x| (x, y)));
        }
        let modules = symbol.width(QUIET);
        let all = (0..modules).flat_map(|y| (0..modules).map(move |x| (x, y)));
        let expected: Vec<_> = all.filter(|(x, y)| symbol.is_dark(*x, *y, QUIET)).collect();
        assert_eq!(dark, expected);
    }
}
