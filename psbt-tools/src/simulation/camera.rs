//! The camera.

use super::conditions::Conditions;
use super::lens;
use super::pose::{Pose, View};
use super::random::Random;
use super::scene::Scene;
use super::screen::Screen;
use super::sensor::{self, Light};

/// Most pixels of a picture's side.
pub const MAX_SIDE: usize = 4_096;

/// Blocks of clutter along a row.
const BLOCKS: usize = 20;

/// A picture: brightness of every pixel, row by row; white is 255.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposure {
    /// Pixels of a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// All of them.
    pub pixels: Vec<u8>,
}

/// A camera that is held before a display.
#[derive(Debug, Clone)]
pub struct SimulatedCamera {
    conditions: Conditions,
    width: usize,
    height: usize,
    random: Random,
    exposures_per_pose: u32,
    taken: u32,
    from: Pose,
    to: Pose,
}

impl SimulatedCamera {
    /// One with pictures of that size; sides are limited to 16 up to [`MAX_SIDE`] pixels. Every exposure has a pose of its
    /// own.
    pub fn new(seed: u64, conditions: Conditions, width: usize, height: usize) -> Self {
        let conditions = conditions.limited();
        let mut random = Random::new(seed);
        let (from, to) = (Pose::any(&conditions, &mut random), Pose::any(&conditions, &mut random));
        Self {
            conditions,
            width: width.clamp(16, MAX_SIDE),
            height: height.clamp(16, MAX_SIDE),
            random,
            exposures_per_pose: 1,
            taken: 0,
            from,
            to,
        }
    }

    /// The same, moving from one pose to the next over that many exposures, as a hand does.
    #[must_use]
    pub fn moving(self, exposures_per_pose: u32) -> Self {
        Self { exposures_per_pose: exposures_per_pose.max(1), ..self }
    }

    /// Takes a picture.
    pub fn expose(&mut self, scene: Scene<'_>) -> Exposure {
        let view = self.pose().view(self.width, self.height);
        let light = Light::any(self.conditions.darkest, &mut self.random);
        let mut plane = self.surroundings();
        draw(&scene, &view, &mut plane, self.width);
        lens::blur(&mut plane, self.width, self.conditions.blur_px);
        let pixels = sensor::read(&plane, self.width, &light, self.conditions.noise, &mut self.random);
        Exposure { width: self.width, height: self.height, pixels }
    }

    /// The pose of the next exposure.
    fn pose(&mut self) -> Pose {
        if self.taken >= self.exposures_per_pose {
            self.taken = 0;
            self.from = self.to;
            self.to = Pose::any(&self.conditions, &mut self.random);
        }
        let part = self.taken as f32 / self.exposures_per_pose as f32;
        self.taken = self.taken.saturating_add(1);
        self.from.towards(&self.to, part)
    }

    /// A desk with things on it, darker than the display's light.
    fn surroundings(&mut self) -> Vec<f32> {
        let mut plane = Vec::with_capacity(self.width.saturating_mul(self.height));
        let block = self.width.div_ceil(BLOCKS);
        let mut blocks = [0.0; BLOCKS];
        for y in 0..self.height {
            if y.is_multiple_of(block) {
                blocks = blocks.map(|_: f32| 40.0 + 80.0 * self.random.unit());
            }
            let row = blocks.iter().flat_map(|brightness| std::iter::repeat_n(*brightness, block));
            plane.extend(row.take(self.width));
        }
        plane
    }
}

/// Draws what the display shows over the surroundings.
fn draw(scene: &Scene<'_>, view: &View, plane: &mut [f32], width: usize) {
    let height = plane.len().checked_div(width).unwrap_or_default() as f32;
    let (top, bottom) = view.rows;
    let (left, right) = view.columns;
    let rows = plane.chunks_exact_mut(width).enumerate().skip(top).take(bottom.saturating_sub(top));
    for (y, row) in rows {
        let y = y as f32;
        let (screen, other) = scene.row(y / height);
        let lines = [view.row(y + 0.25), view.row(y + 0.75)];
        let right = right.min(row.len());
        for (x, pixel) in row.get_mut(left..right).unwrap_or_default().iter_mut().enumerate() {
            let x = left.saturating_add(x) as f32;
            let mut sum = 0.0;
            for line in &lines {
                for place in [line.place(x + 0.25), line.place(x + 0.75)] {
                    sum += shown(screen, other, place).unwrap_or(*pixel);
                }
            }
            *pixel = sum / 4.0;
        }
    }
}

fn shown(screen: &Screen, other: Option<(&Screen, f32)>, place: (f32, f32)) -> Option<f32> {
    let brightness = screen.brightness(place)?;
    match other {
        None => Some(brightness),
        Some((other, share)) => Some(brightness * share + other.brightness(place)? * (1.0 - share)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qr::Version;
    use crate::show::Symbol;

    fn screen(number: u8, letter: &str) -> (String, Screen) {
        let text = format!("{letter}:{number}/").repeat(30);
        let symbol = Symbol::of(&text, Version::new(number).unwrap()).unwrap();
        (text, Screen::of(&symbol))
    }

    /// What another program's decoder reads.
    fn read(exposure: &Exposure) -> Vec<String> {
        let pixel = |x: usize, y: usize| exposure.pixels[y * exposure.width + x];
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(exposure.width, exposure.height, pixel);
        image.detect_grids().iter().filter_map(|grid| Some(grid.decode().ok()?.1)).collect()
    }

    #[test]
    fn a_seed_gives_the_same_bytes_and_another_one_others() {
        let (_, screen) = screen(10, "A");
        let take = |seed| {
            let mut camera = SimulatedCamera::new(seed, Conditions::hard(), 320, 240).moving(3);
            (0..5).map(|_| camera.expose(Scene::Whole(&screen))).collect::<Vec<_>>()
        };
        assert_eq!(take(1), take(1));
        assert_ne!(take(1), take(2));
        assert!(take(1).iter().all(|exposure| exposure.pixels.len() == 320 * 240));
    }

    #[test]
    fn what_is_well_seen_is_read_back() {
        for (number, width, height) in [(10, 640, 480), (20, 1_280, 720)] {
            let (text, screen) = screen(number, "SEEN");
            let mut camera = SimulatedCamera::new(5, Conditions::perfect(), width, height);
            assert_eq!(read(&camera.expose(Scene::Whole(&screen))), [text], "{number}");
        }
        let (text, screen) = screen(10, "EASY");
        let mut camera = SimulatedCamera::new(5, Conditions::easy(), 640, 480);
        let read = (0..10)
            .filter(|_| read(&camera.expose(Scene::Whole(&screen))) == std::slice::from_ref(&text))
            .count();
        assert!(read >= 6, "{read}");
    }

    #[test]
    fn torn_and_blended_exposures_never_read_as_what_was_not_shown() {
        let ((one, first), (other, second)) = (screen(10, "ONE"), screen(10, "TWO"));
        let mut camera = SimulatedCamera::new(6, Conditions::easy(), 640, 480);
        for part in [1, 20, 50, 80, 99] {
            for scene in [
                Scene::Torn { upper: &first, lower: &second, at_percent: part },
                Scene::Blended { one: &first, other: &second, percent: part },
            ] {
                let texts = read(&camera.expose(scene));
                assert!(texts.iter().all(|text| [&one, &other].contains(&text)), "{scene:?}");
            }
        }
    }

    #[test]
    fn no_size_and_no_conditions_make_it_fail() {
        let (_, screen) = screen(10, "A");
        let wild = Conditions {
            turn_degrees: f32::INFINITY,
            warp: f32::INFINITY,
            darkest: f32::NAN,
            blur_px: f32::INFINITY,
            noise: f32::INFINITY,
        };
        for (width, height) in [(0, 0), (17, 1), (16, 400)] {
            let exposure = SimulatedCamera::new(1, wild, width, height).expose(Scene::Whole(&screen));
            assert_eq!((exposure.width, exposure.height), (width.max(16), height.max(16)));
        }
    }
}
