//! Standard normal numbers out of random words, the same bits on every host.
//!
//! Box and Muller, "A note on the generation of random normal deviates", Annals of Mathematical Statistics 29, 1958:
//! of the radius sqrt(-2 ln u) and a uniform angle, both coordinates. Logarithm, sine and cosine are truncated series,
//! sums and products in a fixed order that IEEE 754 rounds and no compiler fuses. So the bits depend on no library of
//! mathematics and on no processor. There are no branches: neighbouring pairs go side by side in a vector.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_PI_2, LN_2};

/// Two independent standard normal numbers of each two words: one for the radius, one for the angle.
#[inline(always)]
pub(super) fn pairs<const N: usize>(radii: &[u64; N], angles: &[u64; N]) -> [[f64; 2]; N] {
    let mut pairs = [[0.0; 2]; N];
    for (to, (radius, angle)) in pairs.iter_mut().zip(radii.iter().zip(angles)) {
        *to = pair(*radius, *angle);
    }
    pairs
}

#[inline(always)]
fn pair(radius: u64, angle: u64) -> [f64; 2] {
    const UNIT: f64 = 1.0 / (1u128 << 64) as f64;
    // From 2^-64 to 1, never 0.
    let radius = (-2.0 * ln((radius | 1) as f64 * UNIT)).sqrt();
    // The upper two bits are the quarter of the circle, the rest is the way from its middle, half a quarter at most.
    let way = ((angle << 2) as i64) as f64 * UNIT;
    let (sin, cos) = sin_cos(way * FRAC_PI_2);
    let quarter = angle >> 62;
    // A quarter turn more: (x, y) becomes (-y, x). A half turn changes both signs.
    let odd = quarter & 1 == 1;
    let (x, y) = if odd { (-sin, cos) } else { (cos, sin) };
    let half_turn = if quarter & 2 == 0 { radius } else { -radius };
    [half_turn * x, half_turn * y]
}

/// The natural logarithm of a positive normal number.
#[inline(always)]
fn ln(x: f64) -> f64 {
    // x = 2^exponent m with m from sqrt(1/2) to sqrt(2).
    let bits = x.to_bits();
    let exponent = bits.wrapping_sub(FRAC_1_SQRT_2.to_bits()) as i64 >> 52;
    let m = f64::from_bits(bits.wrapping_sub((exponent << 52) as u64));
    // ln m = 2 (s + s^3/3 + s^5/5 + ...) with s = (m - 1) / (m + 1), below 0.172: what is left out after s^21/21 is
    // less than 2^-60 of it.
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let mut sum = 1.0 / 21.0;
    for divisor in [19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0] {
        sum = sum * z + 1.0 / divisor;
    }
    exponent as f64 * LN_2 + (2.0 * s + 2.0 * s * (z * sum))
}

/// Sine and cosine of an angle of at most pi/4 either way.
#[inline(always)]
fn sin_cos(x: f64) -> (f64, f64) {
    // What is left out after x^15/15! and x^16/16! is less than 2^-53 of the sum.
    let z = x * x;
    let (mut sin, mut cos) = (1.0, 1.0);
    for n in [15.0, 13.0, 11.0, 9.0, 7.0, 5.0] {
        sin = 1.0 - sin * (z * (1.0 / (n * (n - 1.0))));
    }
    for n in [16.0, 14.0, 12.0, 10.0, 8.0, 6.0, 4.0] {
        cos = 1.0 - cos * (z * (1.0 / (n * (n - 1.0))));
    }
    (x - x * (z * (sin * (1.0 / 6.0))), 1.0 - z * 0.5 * cos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Distribution, Drawn, LANES, Seed, fill_row};

    #[test]
    fn logarithms_are_those_of_the_library_within_three_roundings() {
        let near = |x: f64| {
            let (ours, theirs) = (ln(x), x.ln());
            assert!((ours - theirs).abs() <= 3.0 * f64::EPSILON * theirs.abs(), "{x:e}: {ours} {theirs}");
        };
        let mut x = 1.0 / (1u128 << 64) as f64;
        while x < 1.0 {
            near(x);
            x *= 1.000_37;
        }
        for edge in [1.0, 0.5, FRAC_1_SQRT_2, 0.75, 1.0 / (1u64 << 40) as f64] {
            [edge, edge.next_down(), edge.next_down().next_down()].into_iter().for_each(near);
        }
        assert_eq!(ln(1.0), 0.0);
    }

    #[test]
    fn sines_and_cosines_are_those_of_the_library_within_two_roundings() {
        for step in -100_000..=100_000 {
            let x = f64::from(step) / 200_000.0 * FRAC_PI_2;
            let ((sin, cos), (sin_there, cos_there)) = (sin_cos(x), x.sin_cos());
            assert!((sin - sin_there).abs() <= 2.0 * f64::EPSILON * sin_there.abs(), "sin {x}");
            assert!((cos - cos_there).abs() <= 2.0 * f64::EPSILON * cos_there, "cos {x}");
        }
    }

    #[test]
    fn a_pair_is_a_point_of_the_circle_that_its_words_name() {
        let words = [0, 1, 7, 1 << 30, 1 << 61, 1 << 62, 3 << 61, 1 << 63, 5 << 61, u64::MAX - 1, u64::MAX];
        for radius in words.into_iter().chain([0x9E37_79B9_7F4A_7C15]) {
            for angle in words.into_iter().chain([0xBF58_476D_1CE4_E5B9]) {
                let r = (-2.0 * ((radius | 1) as f64 / (1u128 << 64) as f64).ln()).sqrt();
                // Quarters begin at -pi/4.
                let turn = angle as f64 / (1u64 << 62) as f64 - if angle >> 61 & 1 == 1 { 1.0 } else { 0.0 };
                let (sin, cos) = (turn * FRAC_PI_2).sin_cos();
                let [x, y] = pair(radius, angle);
                let (dx, dy) = ((x - r * cos).abs(), (y - r * sin).abs());
                assert!(dx < 1e-14 && dy < 1e-14, "{radius:x} {angle:x}: {x} {y}, {} {}", r * cos, r * sin);
            }
        }
    }

    #[test]
    fn the_largest_magnitudes_are_those_that_are_promised() {
        let largest = |x: f64, y: f64| x.abs().max(y.abs());
        let (mut f64s, mut f32s) = ([0.0; 2 * LANES], [0.0; 4 * LANES]);
        f64::normal(&[[0; 4]; LANES], &mut f64s);
        f32::normal(&[[0; 4]; LANES], &mut f32s);
        assert!((9.4..9.5).contains(&f64s.into_iter().fold(0.0, largest)), "{f64s:?}");
        assert!((6.7..6.8).contains(&f32s.into_iter().map(f64::from).fold(0.0, largest)), "{f32s:?}");
    }

    /// What is below `x` of a standard normal distribution (Abramowitz and Stegun, 26.2.11).
    fn below(x: f64) -> f64 {
        let (mut term, mut sum, mut odd) = (x, x, 1.0);
        while term.abs() > 1e-17 {
            odd += 2.0;
            term *= x * x / odd;
            sum += term;
        }
        0.5 + sum * (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
    }

    fn drawn<T: Drawn + Default + Into<f64>>(how: Distribution, seed: u64) -> Vec<f64> {
        let mut all = Vec::new();
        for row in 0..500 {
            let mut elements = vec![T::default(); 1000];
            fill_row(how, Seed(seed), row, 0, &mut elements);
            all.extend(elements.into_iter().map(Into::into));
        }
        all
    }

    fn check<T: Drawn + Default + Into<f64>>(seed: u64) {
        let mut x = drawn::<T>(Distribution::Normal, seed);
        let n = x.len() as f64;
        let mean = |f: &dyn Fn(usize) -> f64| (0..x.len()).map(f).sum::<f64>() / n;
        // Each statistic has mean and standard deviation as said, for normal numbers: six of them are allowed.
        let within = |what: &str, found: f64, expected: f64, deviation: f64| {
            assert!((found - expected).abs() < 6.0 * deviation, "{what}: {found}, not {expected}");
        };
        within("mean", mean(&|i| x[i]), 0.0, n.powf(-0.5));
        within("second moment", mean(&|i| x[i].powi(2)), 1.0, (2.0 / n).sqrt());
        within("third moment", mean(&|i| x[i].powi(3)), 0.0, (15.0 / n).sqrt());
        within("fourth moment", mean(&|i| x[i].powi(4)), 3.0, (96.0 / n).sqrt());
        for far in 1..=4 {
            let beyond = mean(&|i| f64::from(u8::from(x[i].abs() > f64::from(far))));
            let expected = 2.0 * below(-f64::from(far));
            within("tail", beyond, expected, (expected / n).sqrt());
        }
        // Neighbours come from one radius and one angle, the next ones from the next block, the next row from others.
        let u = drawn::<T>(Distribution::Uniform, seed);
        let deviation = n.powf(-0.5);
        for far in [1, 2, 3, 4, 1000] {
            within("neighbours", mean(&|i| x[i] * x[(i + far) % x.len()]), 0.0, deviation);
        }
        within("squares", mean(&|i| (x[i].powi(2) - 1.0) * (x[i ^ 1].powi(2) - 1.0)), 0.0, 2.0 * deviation);
        within("the uniform ones", mean(&|i| x[i] * (12f64.sqrt() * (u[i] - 0.5))), 0.0, deviation);
        // Kolmogorov and Smirnov: further apart than d with a probability of at most 2 exp(-2 n d^2) (Massart, "The tight
        // constant in the Dvoretzky-Kiefer-Wolfowitz inequality", Annals of Probability 18, 1990); here 10^-9.
        x.sort_by(f64::total_cmp);
        let apart = x.iter().enumerate().map(|(i, &x)| {
            let (i, p) = (i as f64, below(x));
            (p - i / n).max((i + 1.0) / n - p)
        });
        let apart = apart.fold(0.0, f64::max);
        assert!(apart < (2e9f64.ln() / (2.0 * n)).sqrt(), "{apart}");
    }

    #[test]
    fn elements_are_normal_and_independent() {
        for seed in 0..3 {
            check::<f64>(seed);
            check::<f32>(seed);
        }
    }
}
