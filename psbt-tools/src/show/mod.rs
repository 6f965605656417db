//! What is shown across the gap: QR symbols of frames, in a terminal, as pictures or as one moving picture.
//!
//! Every symbol is read back by another program's decoder before it is seen or written: nothing wrong is ever shown.

mod content;
mod gif;
mod live;
mod player;
mod png;
mod series;
mod svg;
mod symbol;
mod terminal;

pub use content::Content;
pub use gif::gif;
pub use live::live;
pub use player::{DEFAULT_FRAMES_PER_SECOND, MAX_FRAMES_PER_SECOND};
pub use png::png;
pub use series::series;
pub use svg::svg;
pub use symbol::Symbol;

/// The version of symbols that is shown unless another is asked for: common cameras read it at 480 lines.
pub const DEFAULT_VERSION: u8 = 20;

/// Light modules around a symbol in pictures (ISO 18004 asks for four).
const QUIET: usize = 4;

/// Pixels of a module's side in pictures.
const SCALE: usize = 4;
