//! Light that falls unevenly, noise, and eight bits.

use super::random::Random;

/// The direction in which the light falls off, and how far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Light {
    along: (f32, f32),
    darkest: f32,
}

impl Light {
    /// In any direction.
    pub(super) fn any(darkest: f32, random: &mut Random) -> Self {
        let (sin, cos) = random.either(std::f32::consts::PI).sin_cos();
        Self { along: (cos, sin), darkest }
    }

    /// The light at the first pixel of a row, and how it grows from pixel to pixel.
    fn row(&self, y: f32, width: f32, height: f32) -> (f32, f32) {
        let (dx, dy) = (self.along.0 / width, self.along.1 / height);
        // The corner with the least is at 0, the one with the most at 1.
        let most = self.along.0.abs() + self.along.1.abs();
        let least = self.along.0.min(0.0) + self.along.1.min(0.0);
        let range = (1.0 - self.darkest) / most;
        (self.darkest + (dy * y - least) * range, dx * range)
    }
}

/// The pixels of a plane of that width.
pub(super) fn read(plane: &[f32], width: usize, light: &Light, noise: f32, random: &mut Random) -> Vec<u8> {
    let mut pixels = Vec::with_capacity(plane.len());
    let height = plane.len().checked_div(width).unwrap_or_default();
    for (y, row) in plane.chunks_exact(width.max(1)).enumerate() {
        let (begin, slope) = light.row(y as f32, width as f32, height as f32);
        if noise > 0.0 {
            pixels.extend(row.iter().enumerate().map(|(x, value)| {
                let lit = value * (begin + slope * x as f32);
                (lit + noise * random.normal() + 0.5) as u8
            }));
        } else {
            let lit = |(x, value): (usize, &f32)| (value * (begin + slope * x as f32) + 0.5) as u8;
            pixels.extend(row.iter().enumerate().map(lit));
        }
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn light_falls_from_full_to_the_darkest() {
        let mut random = Random::new(9);
        let plane = vec![200.0; 100 * 80];
        for _ in 0..20 {
            let light = Light::any(0.35, &mut random);
            let pixels = read(&plane, 100, &light, 0.0, &mut random);
            let (least, most) = (pixels.iter().min().unwrap(), pixels.iter().max().unwrap());
            assert!((70..74).contains(least) && (196..=200).contains(most), "{least} {most}");
        }
    }
}
