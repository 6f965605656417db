//! How the camera is held.

use super::conditions::Conditions;
use super::random::Random;

/// A point of the picture, in pixels.
type Point = (f32, f32);

/// A turn, a perspective, a distance and a direction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pose {
    degrees: f32,
    /// How far each corner is moved, in sides of the square.
    corners: [Point; 4],
    /// Part of what fits into view.
    fill: f32,
    /// Where in the room that is left: 0 to 1, from left to right and from top to bottom.
    place: Point,
}

impl Pose {
    /// One of those that the conditions allow.
    pub(super) fn any(conditions: &Conditions, random: &mut Random) -> Self {
        let warp = conditions.warp;
        let mut corner = || (random.either(warp), random.either(warp));
        let corners = [corner(), corner(), corner(), corner()];
        Self {
            corners,
            degrees: random.either(conditions.turn_degrees),
            fill: 0.8 + 0.15 * random.unit(),
            place: (random.unit(), random.unit()),
        }
    }

    /// The pose on the way to another, after that part of the way.
    pub(super) fn towards(&self, other: &Self, part: f32) -> Self {
        let mix = |from: f32, to: f32| from + (to - from) * part;
        let both = |from: Point, to: Point| (mix(from.0, to.0), mix(from.1, to.1));
        let [a, b, c, d] = self.corners;
        let [e, f, g, h] = other.corners;
        Self {
            degrees: mix(self.degrees, other.degrees),
            corners: [both(a, e), both(b, f), both(c, g), both(d, h)],
            fill: mix(self.fill, other.fill),
            place: both(self.place, other.place),
        }
    }

    /// The square's corners in a picture of that size, clockwise from its upper left one. All of it is in view.
    fn quad(&self, width: f32, height: f32) -> [Point; 4] {
        let (sin, cos) = self.degrees.to_radians().sin_cos();
        let [a, b, c, d] = self.corners;
        let turned = [(-0.5, -0.5, a), (0.5, -0.5, b), (0.5, 0.5, c), (-0.5, 0.5, d)].map(|(x, y, moved)| {
            let (x, y): Point = (x + moved.0, y + moved.1);
            (x * cos - y * sin, x * sin + y * cos)
        });
        let (left, right) = span(turned.map(|point| point.0));
        let (top, bottom) = span(turned.map(|point| point.1));
        let scale = self.fill * (width / (right - left)).min(height / (bottom - top));
        let x = (width - (right - left) * scale) * self.place.0;
        let y = (height - (bottom - top) * scale) * self.place.1;
        turned.map(|point| ((point.0 - left) * scale + x, (point.1 - top) * scale + y))
    }

    /// What a picture of that size shows where.
    pub(super) fn view(&self, width: usize, height: usize) -> View {
        let quad = self.quad(width as f32, height as f32);
        let (left, right) = span(quad.map(|point| point.0));
        let (top, bottom) = span(quad.map(|point| point.1));
        View {
            columns: (left as usize, (right as usize).saturating_add(2)),
            rows: (top as usize, (bottom as usize).saturating_add(2)),
            inverse: inverse(quad),
        }
    }
}

/// Where the square is in a picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    /// The first column in which it may be, and the first in which it is no more.
    pub(super) columns: (usize, usize),
    /// Likewise the rows.
    pub(super) rows: (usize, usize),
    inverse: [f32; 9],
}

impl View {
    /// The projection along a row: numerators of both places and the denominator at `x` 0, and how they grow with `x`.
    pub(super) fn row(&self, y: f32) -> Row {
        let [a, b, c, d, e, f, g, h, i] = self.inverse;
        Row { at: [b * y + c, e * y + f, h * y + i], slope: [a, d, g] }
    }
}

/// The square as it is met along a row of the picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    at: [f32; 3],
    slope: [f32; 3],
}

impl Row {
    /// The place in the square, whose sides are 1 long; outside of it beyond 0 to 1.
    pub(super) fn place(&self, x: f32) -> Point {
        let [u, v, w] = self.at;
        let [du, dv, dw] = self.slope;
        let whole = 1.0 / (w + dw * x);
        ((u + du * x) * whole, (v + dv * x) * whole)
    }
}

fn span(values: [f32; 4]) -> (f32, f32) {
    let [a, b, c, d] = values;
    (a.min(b).min(c.min(d)), a.max(b).max(c.max(d)))
}

/// The projection that takes the corners to those of the unit square (Heckbert 1989, section 2.2.3).
fn inverse(quad: [Point; 4]) -> [f32; 9] {
    let [(x0, y0), (x1, y1), (x2, y2), (x3, y3)] = quad;
    let (sx, sy) = (x0 - x1 + x2 - x3, y0 - y1 + y2 - y3);
    let (dx1, dx2, dy1, dy2) = (x1 - x2, x3 - x2, y1 - y2, y3 - y2);
    let whole = dx1 * dy2 - dx2 * dy1;
    let (g, h) = ((sx * dy2 - dx2 * sy) / whole, (dx1 * sy - sx * dy1) / whole);
    let (a, b, c) = (x1 - x0 + g * x1, x3 - x0 + h * x3, x0);
    let (d, e, f) = (y1 - y0 + g * y1, y3 - y0 + h * y3, y0);
    // The adjoint; its scale is of no matter.
    [
        e - f * h,
        c * h - b,
        b * f - c * e,
        f * g - d,
        a - c * g,
        c * d - a * f,
        d * h - e * g,
        b * g - a * h,
        a * e - b * d,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pose_is_wholly_in_view_and_maps_its_corners() {
        let mut random = Random::new(3);
        for conditions in [Conditions::perfect(), Conditions::easy(), Conditions::hard()] {
            for _ in 0..200 {
                let pose = Pose::any(&conditions, &mut random);
                let view = pose.view(640, 480);
                let corners = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)];
                for ((x, y), (u, v)) in pose.quad(640.0, 480.0).into_iter().zip(corners) {
                    assert!((-0.1..640.1).contains(&x) && (-0.1..480.1).contains(&y), "{pose:?}");
                    let place = view.row(y).place(x);
                    assert!((place.0 - u).abs() < 0.01 && (place.1 - v).abs() < 0.01, "{pose:?} {place:?}");
                }
            }
        }
    }
}
